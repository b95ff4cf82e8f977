"""ONNX, by torch's exporter; run and quantised by ONNX Runtime. Extra: `yolor_gp[export]`."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from yolor_gp.errors import UserError
from yolor_gp.export.formats import Array, Format, Request, Session, register_format
from yolor_gp.export.graph import INPUT, Description
from yolor_gp.export.suppression import suppressed
from yolor_gp.files import whole_file

OPSET = 18
_KEY = "yolor_gp"
_MOST_CELLS = 256
"""Sides of a dynamic input: at most so many strides."""


def model_of(request: Request) -> Any:
    """The graph as `onnx.ModelProto`; weights inside.

    Raises:
        UserError: When the packages are missing.
    """
    _onnx()
    description, graph = request.description, request.graph
    # A batch of one, or equal sides, would be taken for constants.
    sides = (2 * description.stride, 3 * description.stride)
    example = torch.rand(2, 3, *sides) if description.is_dynamic else graph.example(
        description.batch, description.size)  # fmt: skip
    shapes = _dynamic_shapes(description.stride) if description.is_dynamic else None
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of torch about itself
            program = torch.onnx.export(
                graph, (example,), dynamo=True, dynamic_shapes=shapes, opset_version=OPSET,
                input_names=(INPUT,), output_names=list(graph.outputs), verbose=False,
            )  # fmt: skip
    finally:
        logger.setLevel(level)
    assert program is not None
    return program.model_proto


def finished(model: Any, description: Description) -> Any:
    """`model_of`, perhaps quantised: with what comes behind it, and what it says of itself."""
    onnx = _onnx()
    if description.suppression:
        model = suppressed(model, description.suppression, onnx)
    onnx.helper.set_model_props(model, {_KEY: description.to_json()})
    return model


def _dynamic_shapes(stride: int) -> Any:
    cells = [torch.export.Dim(name, min=1, max=_MOST_CELLS) for name in ("rows", "columns")]
    batch = torch.export.Dim("batch", min=1, max=4096)
    return ({0: batch, 2: stride * cells[0], 3: stride * cells[1]},)


def _write(request: Request) -> None:
    model = model_of(request)
    if request.precision == "int8":
        model = _quantised(model, request.calibration)
    elif request.precision == "float16":
        model = _halved(model)
    with whole_file(request.path) as file:
        file.write(finished(model, request.description).SerializeToString())


def _halved(model: Any) -> Any:
    """Weights, and what is computed up to the last convolutions, in float16."""
    _runtime()
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights too small for float16, which become 0
        halved = convert_float_to_float16(
            model, keep_io_types=True, node_block_list=_behind_convolutions(model)
        )
    OnnxModel.graph_topological_sort(halved.graph)
    return halved


def _quantised(model: Any, pictures: Iterable[Array]) -> Any:
    """Convolutions in int8, a scale a channel, ranges of activations from `pictures`.

    What comes after the last convolutions, and those themselves, stay in float32: there, boxes of
    hundreds of pixels and scores of thousandths lie in the same tensor.
    """
    onnx, quantization = _onnx(), _runtime().quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self._pictures: Iterator[Array] = iter(pictures)

        def get_next(self) -> dict[str, Array] | None:
            picture = next(self._pictures, None)
            return None if picture is None else {INPUT: picture}

    with tempfile.TemporaryDirectory() as folder:
        whole, source, target = [Path(folder, name) for name in ("a.onnx", "b.onnx", "c.onnx")]
        onnx.save(model, whole)
        quantization.shape_inference.quant_pre_process(whole, source, skip_symbolic_shape=True)
        left_out = _behind_convolutions(onnx.load(source))
        quantization.quantize_static(
            source, target, Reader(), per_channel=True, op_types_to_quantize=["Conv"],
            nodes_to_exclude=left_out, quant_format=quantization.QuantFormat.QDQ,
        )  # fmt: skip
        result = onnx.load(target)
    return result


def _behind_convolutions(model: Any) -> list[str]:
    """Names of the operations behind which there is no other convolution, the last ones too."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def leads_to_another(node: Any, seen: set[str]) -> bool:
        for output in node.output:
            for reader in readers.get(output, ()):
                if reader.op_type == "Conv":
                    return True
                if reader.name not in seen:
                    seen.add(reader.name)
                    if leads_to_another(reader, seen):
                        return True
        return False

    return [node.name for node in model.graph.node if not leads_to_another(node, set())]


def _open(path: Path) -> tuple[Description, Session]:
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in runtime.get_available_providers()]
    try:
        session = runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime has a class of its own for each failure
        reason = str(error).splitlines()[0][:160]
        raise UserError(f"{path}: cannot be opened by ONNX Runtime: {reason}") from None
    metadata = session.get_modelmeta().custom_metadata_map
    description = Description.from_json(metadata.get(_KEY), path)
    outputs = [output.name for output in session.get_outputs()]

    def run(images: Array) -> list[Array]:
        return cast(list[Array], session.run(outputs, {INPUT: np.ascontiguousarray(images)}))

    return description, run


def _onnx() -> Any:
    try:
        import onnx.compose
        import onnx.parser  # noqa: F401  (used as onnx.parser)
        import onnxscript  # noqa: F401  (torch's exporter needs it)
    except ImportError as error:
        raise UserError(_missing(error)) from None
    return onnx


def _runtime() -> Any:
    try:
        import onnxruntime
        import onnxruntime.quantization.shape_inference  # noqa: F401
    except ImportError as error:
        raise UserError(_missing(error)) from None
    return onnxruntime


def _missing(error: ImportError) -> str:
    return f"ONNX: the package {error.name} is missing; pip install 'yolor_gp[export]'"


ONNX = register_format(
    Format("onnx", ".onnx", ("float32", "float16", "int8"), _write, _open, can_suppress=True)
)
