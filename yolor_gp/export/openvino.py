"""OpenVINO's intermediate representation, made of the ONNX graph. Extra: `yolor_gp[export]`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from yolor_gp.errors import UserError
from yolor_gp.export.formats import Array, Format, Request, Session, register_format
from yolor_gp.export.graph import Description
from yolor_gp.export.onnx import finished, model_of
from yolor_gp.files import whole_file

_KEY = "yolor_gp"


def _write(request: Request) -> None:
    openvino = _openvino()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "graph.onnx")
        graph = finished(model_of(request), request.description)
        source.write_bytes(graph.SerializeToString())
        model = openvino.convert_model(str(source))
        if request.precision == "int8":
            model = _quantised(model, request.calibration)
        model.set_rt_info(request.description.to_json(), [_KEY])
        made = Path(folder, request.path.name)
        openvino.save_model(model, str(made), compress_to_fp16=request.precision == "float16")
        # Weights first: a description without its weights would look whole.
        for suffix in (".bin", ".xml"):
            with whole_file(request.path.with_suffix(suffix)) as file:
                file.write(made.with_suffix(suffix).read_bytes())


def _quantised(model: Any, pictures: Iterable[Array]) -> Any:
    """Convolutions and what lies between them in int8, as `onnx._quantised`."""
    nncf, given = _nncf(), list(pictures)
    return nncf.quantize(
        model,
        nncf.Dataset(given),
        subset_size=len(given),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=_behind_convolutions(model)),
    )


def _behind_convolutions(model: Any) -> list[str]:
    """Names of the operations, in any order, behind which there is no other convolution."""
    names, lead = [], set()
    for operation in reversed(model.get_ordered_ops()):
        readers = [entry.get_node() for port in operation.outputs()
                   for entry in port.get_target_inputs()]  # fmt: skip
        if any(
            reader.get_type_name() == "Convolution" or reader.get_friendly_name() in lead
            for reader in readers
        ):
            lead.add(operation.get_friendly_name())
        elif operation.get_type_name() not in ("Constant", "Result", "Parameter"):
            names.append(operation.get_friendly_name())
    return names


def _open(path: Path) -> tuple[Description, Session]:
    openvino = _openvino()
    core = openvino.Core()
    try:
        model = core.read_model(str(path))
        has_words = model.has_rt_info([_KEY])
        words = str(model.get_rt_info([_KEY]).value) if has_words else None
        description = Description.from_json(words, path)
        compiled = {"f32": core.compile_model(model, "CPU", _options("f32"))}
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:160]
        raise UserError(f"{path}: cannot be opened by OpenVINO: {reason}") from None

    def run(images: Array) -> list[Array]:
        # As PyTorch would: in bfloat16 where the caller has autocast on.
        precision = "bf16" if torch.is_autocast_enabled("cpu") else "f32"
        if precision not in compiled:
            compiled[precision] = core.compile_model(model, "CPU", _options(precision))
        found = compiled[precision](np.ascontiguousarray(images))
        return [np.asarray(found[index]) for index in range(len(model.outputs))]

    return description, run


def _options(precision: str) -> dict[str, Any]:
    return {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }


def _nncf() -> Any:
    try:
        import nncf
    except ImportError:
        raise UserError(
            "int8 in OpenVINO: the package nncf is missing; pip install 'yolor_gp[export]'"
        ) from None
    return nncf


def _openvino() -> Any:
    try:
        import openvino
    except ImportError:
        raise UserError(
            "OpenVINO: the package openvino is missing; pip install 'yolor_gp[export]'"
        ) from None
    return openvino


OPENVINO = register_format(
    Format("openvino", ".xml", ("float32", "float16", "int8"), _write, _open, can_suppress=True)
)
