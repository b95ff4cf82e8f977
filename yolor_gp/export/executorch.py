"""ExecuTorch's program for phones and small devices, on XNNPACK. Extra: `yolor_gp[executorch]`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from yolor_gp.errors import UserError
from yolor_gp.export.formats import Array, Format, Request, Session, register_format
from yolor_gp.export.graph import Description
from yolor_gp.files import whole_file

_KEY = "yolor_gp"
"""A method beside `forward`, which gives the description as bytes of JSON."""


def _write(request: Request) -> None:
    _check_installed()
    words = torch.frombuffer(bytearray(request.description.to_json(), "utf-8"), dtype=torch.uint8)
    example = (request.graph.example(request.description.batch, request.description.size),)
    with _quiet(), torch.no_grad():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = torch.export.export(request.graph, example)
        if request.precision == "int8":
            module = _quantised(program.module(), request.calibration)
            program = torch.export.export(module, example)
        lowered = to_edge_transform_and_lower(
            program, partitioner=[XnnpackPartitioner()], constant_methods={_KEY: words}
        ).to_executorch()
    with whole_file(request.path) as file:
        file.write(lowered.buffer)


def _quantised(module: Any, pictures: Iterable[Array]) -> Any:
    """What comes up to the last convolutions in int8, a scale a channel, as `onnx._quantised`."""
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    left_out = _behind_convolutions(module.graph)
    config = xnnpack_quantizer.get_symmetric_quantization_config(is_per_channel=True)
    quantizer = xnnpack_quantizer.XNNPACKQuantizer().set_global(config)
    quantizer.set_filter_function(lambda node: node.name not in left_out)
    prepared = prepare_pt2e(module, quantizer)
    for picture in pictures:
        prepared(torch.from_numpy(picture))
    return convert_pt2e(prepared)


def _behind_convolutions(graph: torch.fx.Graph) -> set[str]:
    """Names of the operations behind which there is no other convolution, the last ones too."""
    leading: set[Node] = set()
    for node in reversed(graph.nodes):
        if any(_is_convolution(user) or user in leading for user in node.users):
            leading.add(node)
    return {node.name for node in graph.nodes if node not in leading}


def _is_convolution(node: Node) -> bool:
    return node.op == "call_function" and "conv" in str(node.target)


def _open(path: Path) -> tuple[Description, Session]:
    _check_installed()
    from executorch.runtime import Runtime

    try:
        program = Runtime.get().load_program(path)
        is_ours = _KEY in program.method_names
        words = bytes(program.load_method(_KEY).execute([])[0].numpy()) if is_ours else b""
        method = program.load_method("forward")
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:160]
        raise UserError(f"{path}: cannot be opened by ExecuTorch: {reason}") from None
    description = Description.from_json(words.decode(errors="replace"), path)

    def run(images: Array) -> list[Array]:
        # The program's memory is used again by the next run.
        given = torch.from_numpy(np.ascontiguousarray(images))
        return [output.numpy().copy() for output in method.execute([given])]

    return description, run


@contextmanager
def _quiet() -> Iterator[None]:
    """torch, torchao and executorch warn about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_installed() -> None:
    try:
        with _quiet():
            import executorch.runtime  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"ExecuTorch: the package {error.name} is missing; pip install 'yolor_gp[executorch]'"
        ) from None


EXECUTORCH = register_format(
    Format("executorch", ".pte", ("float32", "int8"), _write, _open, can_be_dynamic=False)
)
