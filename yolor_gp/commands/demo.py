"""`demo.py`: train on the built-in data set, evaluate, draw; what `make demo` runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from yolor_gp.commands import detect, train, val
from yolor_gp.config.data_config import load_data_config
from yolor_gp.engine.checkpoints.checkpointer import BEST
from yolor_gp.engine.runs import new_run_folder
from yolor_gp.flags.demo import parser
from yolor_gp.flags.names import as_called

_NEXT = (
    "python train.py --cfg yolor-elan-s --data YOUR.yaml --img 640   train on your own images",
    "python val.py --weights {weights}   evaluate again",
    "python detect.py --weights {weights} --source IMAGE_OR_VIDEO   detect",
    "python scripts/check_dataset.py YOUR.yaml   find what is wrong with your data",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The three programs one after another; the exit code of the first that fails."""
    options = parser().parse(arguments)
    folder = new_run_folder(options.project, "exp")
    where = ["--project", str(folder)]
    given = ["--cfg", options.cfg, "--data", "shapes", "--hyp", options.hyp, "--img", options.img,
             "--batch-size", "8"]  # fmt: skip
    if options.epochs:
        given += ["--epochs", options.epochs]
    code = train.main([*given, *where, "--name", "train", "--workers", "2"])
    if code:
        return code
    weights = str(folder / "train" / "weights" / BEST)
    figures = folder / "metrics.json"
    code = val.main(
        ["--weights", weights, "--data", "shapes", "--workers", "2", "--metrics-json", str(figures)]
    )
    images = load_data_config("shapes").root / "images" / "val"
    listing = folder / "pictures.txt"
    listing.write_text("\n".join(str(path.absolute()) for path in sorted(images.iterdir())[:16]))
    code = code or detect.main(
        ["--weights", weights, "--source", str(listing), *where, "--name", "pictures"]
    )
    found = json.loads(figures.read_text())
    print(f"\nbox AP {found['bbox']['AP']:.3f}, mask AP {found['segm']['AP']:.3f}"
          f" on the built-in validation images\npictures: {folder / 'pictures'}")  # fmt: skip
    print("\nwhat next:", *next_steps(weights), sep="\n  ")
    return code


def next_steps(weights: str) -> list[str]:
    """Commands to go on with, as in a checkout or of the installed package, and what they do."""
    return [as_called(step).format(weights=weights) for step in _NEXT]
