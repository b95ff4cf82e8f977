"""`information_flow.py`: which layers of a trained network do the work."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.analysis.gradient_flow import load_gradients
from yolor_gp.engine.precision import training_device
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable, write_json, write_text
from yolor_gp.flags.information_flow import parser
from yolor_gp.information_flow.advice import advice
from yolor_gp.information_flow.between import compare
from yolor_gp.information_flow.drawn import drawing_of
from yolor_gp.information_flow.examine import examine
from yolor_gp.information_flow.examined import Examined, open_examined
from yolor_gp.information_flow.flow_results import FlowResult
from yolor_gp.information_flow.page import render
from yolor_gp.information_flow.smaller import shortened, with_fewer_paths

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine, print tables, write figures and page."""
    options = parser().parse(arguments)
    folder = Path(options.out)
    check_writable(folder, folder=True)
    gradients = load_gradients(Path(options.gradients)) if options.gradients else None
    networks = _open(options)
    folders = [folder, *(folder / f"against-{k}" for k in range(1, len(networks)))]
    drawing = drawing_of(networks, gradients)
    quiet = not (sys.stderr.isatty() and _log.isEnabledFor(logging.INFO))
    results, betweens = [], []
    for k, (examined, place) in enumerate(zip(networks, folders, strict=True)):
        means = None if k else gradients
        results.append(examine(examined, place, pool=options.pool, gradients=means, quiet=quiet))
        print(f"{examined.source}\n{results[-1].table()}")
        if k:
            betweens.append(compare(networks[0], examined, place, quiet=quiet))
            print(betweens[-1])
    words = _advise(results[0], networks[0], folder)
    print("\n".join(words))
    for k, (result, place) in enumerate(zip(results, folders, strict=True)):
        figures = result.to_json()
        if k:
            figures["against"] = betweens[k - 1].to_json()
        print(f"wrote {write_json(place / 'flow.json', figures, indent=1)}")
    page = render(results, drawing, words=words, betweens=betweens)
    print(f"wrote {write_text(folder / 'flow.html', page)}")
    return 0


def _open(options: argparse.Namespace) -> list[Examined]:
    """The network, and those it is held against.

    Raises:
        UserError: When one cannot be read, or is named twice.
    """
    sources = [options.weights, *options.against]
    for source in options.against:
        if sources.count(source) > 1:
            raise UserError(f"--against {source}: is named twice; name other networks")
    networks: list[Examined] = []
    for source in sources:
        # The same batches for all: images are compared with themselves.
        images = options.batch_size or (networks[0].batch_size if networks else 0)
        networks.append(open_examined(
            source, options.data, images=options.images, size=options.image_size,
            batch_size=images, workers=options.workers, device=training_device(options.device),
        ))  # fmt: skip
    return networks


def _advise(result: FlowResult, examined: Examined, folder: Path) -> list[str]:
    words = advice(result)
    size = max(examined.size)
    for name, made in (
        ("shorter", shortened(result, examined.spec, size)),
        ("fewer-paths", with_fewer_paths(result, examined.spec, size)),
    ):
        if made is not None:
            print(f"wrote {write_text(folder / f'{name}.yaml', made.spec.resolved_yaml)}")
            words.append(f"{name}.yaml: {made}")
    return words
