"""`information_flow.py`: which layers of a trained network do the work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.analysis.gradient_flow import load_gradients
from yolor_gp.commands.arguments import Arguments, add_image_size, whole_number
from yolor_gp.engine.precision import training_device
from yolor_gp.files import check_writable, write_json, write_text
from yolor_gp.information_flow.advice import advice, shortened
from yolor_gp.information_flow.examine import examine
from yolor_gp.information_flow.examined import open_examined
from yolor_gp.information_flow.page import render

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine, print a table, write figures and page."""
    options = _parser().parse(arguments)
    folder = Path(options.out)
    check_writable(folder, folder=True)
    gradients = load_gradients(Path(options.gradients)) if options.gradients else None
    examined = open_examined(
        options.weights, options.data, images=options.images, size=options.image_size,
        batch_size=options.batch_size, workers=options.workers,
        device=training_device(options.device),
    )  # fmt: skip
    result = examine(
        examined, folder, pool=options.pool, gradients=gradients,
        quiet=not (sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)),
    )  # fmt: skip
    print(result.table())
    words = advice(result)
    shorter = shortened(result, examined.spec, max(examined.size))
    if shorter is not None:
        words.append(str(shorter))
        print(f"wrote {write_text(folder / 'shorter.yaml', shorter.spec.resolved_yaml)}")
    print("\n".join(words))
    print(f"wrote {write_json(folder / 'flow.json', result.to_json(), indent=1)}")
    print(f"wrote {write_text(folder / 'flow.html', render(result, words))}")
    return 0


def _parser() -> Arguments:
    parser = Arguments(
        prog="information_flow.py",
        description="Probes every layer of a trained classifier or detector, and says how saturated"
        " it is, how alike layers are, and what part of the image each sees. Interrupted, it goes"
        " on where it was.",
    )
    add = parser.add_argument
    add("weights", help="run folder, .pt, .safetensors, .weights")
    add("--data", required=True, help="of a classifier its folder, of a detector its data YAML")
    add("--out", default="information-flow", metavar="FOLDER", help="to write")
    add(
        "--images", type=whole_number(10), default=5000, metavar="N", help="of either part, at most"
    )
    add("--pool", type=whole_number(1), default=1, metavar="N",
        help="cells a side that maps are averaged to before they are probed")  # fmt: skip
    add_image_size(parser, "none: that of training")
    add("--gradients", metavar="FILE", help="gradients.json of a training with --log-gradients")
    add("--batch-size", type=whole_number(4), default=128, help="images at once")
    add("--workers", type=whole_number(0), default=2, help="threads that load images")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    return parser
