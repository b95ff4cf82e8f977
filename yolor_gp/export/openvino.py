"""OpenVINO's intermediate representation, made of the ONNX graph. Extra: `yolor_gp[export]`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from yolor_gp.errors import UserError
from yolor_gp.export.formats import Array, Format, Request, Session, register_format
from yolor_gp.export.graph import Description
from yolor_gp.export.onnx import model_of
from yolor_gp.files import whole_file

_KEY = "yolor_gp"


def _write(request: Request) -> None:
    openvino = _openvino()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "graph.onnx")
        source.write_bytes(model_of(request).SerializeToString())
        model = openvino.convert_model(str(source))
        model.set_rt_info(request.description.to_json(), [_KEY])
        made = Path(folder, request.path.name)
        openvino.save_model(model, str(made), compress_to_fp16=request.precision == "float16")
        # Weights first: a description without its weights would look whole.
        for suffix in (".bin", ".xml"):
            with whole_file(request.path.with_suffix(suffix)) as file:
                file.write(made.with_suffix(suffix).read_bytes())


def _open(path: Path) -> tuple[Description, Session]:
    openvino = _openvino()
    core = openvino.Core()
    try:
        model = core.read_model(str(path))
        has_words = model.has_rt_info([_KEY])
        words = str(model.get_rt_info([_KEY]).value) if has_words else None
        description = Description.from_json(words, path)
        options: dict[str, Any] = {"INFERENCE_NUM_THREADS": torch.get_num_threads(),
                                   "PERFORMANCE_HINT": "LATENCY",
                                   "INFERENCE_PRECISION_HINT": "f32"}  # fmt: skip
        compiled = core.compile_model(model, "CPU", options)
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:160]
        raise UserError(f"{path}: cannot be opened by OpenVINO: {reason}") from None

    def run(images: Array) -> list[Array]:
        found = compiled(np.ascontiguousarray(images))
        return [np.asarray(found[index]) for index in range(len(compiled.outputs))]

    return description, run


def _openvino() -> Any:
    try:
        import openvino
    except ImportError:
        raise UserError(
            "OpenVINO: the package openvino is missing; pip install 'yolor_gp[export]'"
        ) from None
    return openvino


OPENVINO = register_format(Format("openvino", ".xml", ("float32", "float16"), _write, _open))
