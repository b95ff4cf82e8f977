"""Convert weights, official ones, Darknet's or own, to an own file, `.pt` or `.safetensors`.

Nothing in the checkpoint is run: its network is rebuilt from the model file inside or beside it,
and its tensors are mapped one by one. With --check nothing is written: every number is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from yolor_gp.errors import UserError
from yolor_gp.flags.import_weights import parser
from yolor_gp.weights import network_of, read_weights, save_network

_SUFFIXES = (".pt", ".safetensors")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read IN, write OUT, say what was converted.

    Raises:
        UserError: When IN cannot be read or OUT cannot be written.
    """
    options = parser().parse(arguments)
    source = Path(options.source)
    if options.check:
        return _check(source, options.cfg)
    if options.target is None:
        raise UserError("import_weights: expected OUT, the file to write, or --check")
    target = Path(options.target)
    if target.suffix not in _SUFFIXES:
        raise UserError(f"{target}: OUT must end in {' or '.join(_SUFFIXES)}")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target}: IN and OUT are the same file; choose another OUT")
    network = network_of(read_weights(source, options.cfg), source)
    save_network(network, target, options.img_size)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    kind = "boxes and masks" if network.has_masks else "boxes"
    print(f"{source}: {kind}, {network.num_classes} classes, {parameters:,} parameters -> {target}")
    return 0


def _check(source: Path, cfg: str | None) -> int:
    """Read all of it, and say what it is."""
    weights = read_weights(source, cfg)
    count = sum(tensor.numel() for tensor in weights.tensors.values())
    found = weights.partial or "whole"
    print(
        f"{source}: {found}; {len(weights.tensors)} tensors, {count:,} numbers, all finite;"
        f" {len(weights.names)} classes: {', '.join(weights.names[:5])}"
        f"{', ...' if len(weights.names) > 5 else ''}"
    )
    return 0
