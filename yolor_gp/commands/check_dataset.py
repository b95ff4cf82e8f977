"""`check_dataset.py`: what is wrong with a data set, with place and remedy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from yolor_gp.check import check_dataset
from yolor_gp.config.data_config import DataConfig, load_data_config
from yolor_gp.config.train_config import LossConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.doctor import Report
from yolor_gp.detection.anchors import POOR_FIT, anchor_recall
from yolor_gp.errors import UserError
from yolor_gp.files import write_json
from yolor_gp.flags.check_dataset import parser
from yolor_gp.flags.names import as_called
from yolor_gp.visualize.plots import plot_dataset
from yolor_gp.weights import read_model

FOUND_ERRORS = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """0: fine or warnings only; 1: errors that would stop training.

    Raises:
        UserError: When the data YAML itself is wrong.
    """
    options = parser().parse(arguments)
    with tqdm(unit=" images", disable=not sys.stderr.isatty(), leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = check_dataset(options.data, use_cache=not options.no_cache, progress=progress)
    print("\n".join(report.lines(options.most)))
    if options.cfg and not report.errors:
        print(_anchors(load_data_config(options.data), options.cfg, options.img))
    if options.json:
        write_json(options.json, report.to_json(), indent=1)
    if options.picture:
        for file in _draw(report, Path(options.picture)):
            print(f"picture: {file}")
    return FOUND_ERRORS if report.errors else 0


def _anchors(config: DataConfig, model: str, image_size: int) -> str:
    spec = read_model(model)
    table = open_dataset(config, "train", image_size=image_size).table
    reached = anchor_recall(spec, table, image_size, LossConfig().anchor_threshold)
    hint = "" if reached >= POOR_FIT else "; train.py makes better ones by itself (--anchors)"
    size = f"{image_size} px"
    return f"anchors of {spec.name} reach {reached:.1%} of the boxes at {size}{as_called(hint)}"


def _draw(report: Report, file: Path) -> list[Path]:
    """FILE-train.png and FILE-val.png.

    Raises:
        UserError: When FILE is no .png in an existing folder.
    """
    if file.suffix.lower() != ".png" or not file.absolute().parent.is_dir():
        raise UserError(f"{file}: expected a .png in an existing folder")
    files = []
    for split, figures in report.splits.items():
        target = file.with_name(f"{file.stem}-{split}.png")
        plot_dataset(
            figures.class_counts, figures.object_sizes, figures.images_by_size, target, split
        )
        files.append(target)
    return files
