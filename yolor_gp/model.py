"""The Python face: a network, ready to be used, trained, looked into and saved.

import yolor_gp
model = yolor_gp.load("runs/train/exp")
for result in model.predict("images/"):
    print(result.names, result.boxes)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack, cast

import torch

from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.network_sources import network_of_spec
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.classifier import Classifier, load_classifier
from yolor_gp.config.precisions import check_precision
from yolor_gp.detection.networks import ClassifierGivenError, open_detector
from yolor_gp.detection.requests import TrainFlags, request_of, train
from yolor_gp.detector import DEFAULT_SIZE, Detector
from yolor_gp.engine.distributed.context import started_by_torchrun
from yolor_gp.engine.precision import training_device
from yolor_gp.engine.runs import TrainingResult
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.export.exported import is_exported, open_exported
from yolor_gp.models.ensemble import Ensemble
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.models.summary import ModelSummary, summarize
from yolor_gp.weights import Weights, is_weights_file, save_network

_OTHER_MODELS = {
    "cfg": "yolor_gp.load(cfg).train(...)",
    "weights": "yolor_gp.load(weights).train(...)",
    "resume": "yolor_gp.resume(run)",
}


def load(
    source: str | Path | Sequence[str | Path],
    *,
    device: str | torch.device = "auto",
    precision: str = "auto",
    classes: int | Sequence[str] | None = None,
    cfg: str | Path | None = None,
) -> Model:
    """Open weights, or a model file with fresh weights; of a classifier as `load_classifier`.

    Args:
        source: A run folder, an own `.pt` or `.safetensors`, an official checkpoint of YOLOv5,
            YOLOv7 or YOLOR, Darknet's `.weights`, an exported file (`.onnx`, `.xml`, `.pte`);
            a model file by path or shipped name, or Darknet's `.cfg`. Several of the same
            classes work as one model, which detects and evaluates, at the first one's size.
        device: auto, cpu, cuda or the number of a GPU.
        precision: auto, bfloat16, float16 or float32; auto takes what is right for each use.
        classes: Their number or names. Weights of other classes keep what fits: of the decoder
            the rows of classes that have the same name.
        cfg: Of Darknet's weights, where it does not lie beside them under the same name.

    Raises:
        UserError: When it cannot be read, or device or precision are not to be had.
    """
    if not isinstance(source, str | Path):
        flags: dict[str, Any] = {"precision": precision, "classes": classes, "cfg": cfg}
        members = [load(one, device=device, **flags) for one in source]
        return members[0] if len(members) == 1 else _ensemble(members)
    check_precision(precision)
    names = classes if classes is None or isinstance(classes, int) else tuple(classes)
    if is_exported(source):
        return _exported(source, classes, precision)
    try:
        opened = open_detector(source, training_device(str(device)), names, cfg)
    except ClassifierGivenError:
        found = load_classifier(source, device=device, precision=precision, classes=names)
        return cast(Model, found)
    model = Model(opened.network, str(source), opened.image_size or DEFAULT_SIZE, precision)
    model.thresholds = opened.thresholds
    model._as_read = model._state()
    return model


def load_detector(
    source: str | Path | Sequence[str | Path],
    *,
    device: str | torch.device = "auto",
    precision: str = "auto",
    cfg: str | Path | None = None,
) -> Model:
    """As `load`, of networks that detect.

    Raises:
        UserError: Also when it is a classifier.
    """
    model = load(source, device=device, precision=precision, cfg=cfg)
    _check_detects(model)
    return model


def _check_detects(model: object) -> None:
    if isinstance(model, Classifier):
        raise UserError(
            f"{model.source}: a classifier; expected a network that detects (for classifiers:"
            " classify.py)"
        )


def _exported(source: str | Path, classes: object, precision: str) -> Model:
    """A file of another runtime, as a model that detects and evaluates.

    Raises:
        UserError: When other classes are asked for, or the file cannot be opened.
    """
    if classes is not None:
        raise UserError(f"{source}: is exported, its classes are fixed; load the weights instead")
    network = open_exported(source)
    said = network.description
    model = Model(cast(DetectionNetwork, network), str(source), said.size, precision)
    model.thresholds = said.thresholds
    return model


def _ensemble(members: Sequence[Model]) -> Model:
    """Several models as one that detects and evaluates."""
    for member in members:
        _check_detects(member)
    network = Ensemble([one.network for one in members], [one.source for one in members])
    size, precision = members[0].image_size, members[0].precision
    return Model(cast(DetectionNetwork, network), network.source, size, precision)


def resume(run: str | Path = "", **flags: Unpack[TrainFlags]) -> TrainedRun:
    """Go on with an interrupted run, bit for bit as if it had never stopped.

    Args:
        run: A run folder or training checkpoint; the latest run when empty.
        flags: Those that may change on resume (`device`, `workers`, ...).

    Raises:
        UserError: When there is nothing to go on with, or a flag contradicts the run.
    """
    return TrainedRun.of(train(request_of({**flags, "resume": str(run)})))


class TrainedRun(TrainingResult):
    """What a training left, and the best of it as a model."""

    @property
    def model(self) -> Model:
        """The weights that scored best, loaded anew at every call."""
        return load(self.best)


class Model(Detector):
    """A detection network with what is needed to use it, train it and look into it; see `load`."""

    def train(self, data: str | Path = "shapes", **flags: Unpack[TrainFlags]) -> TrainedRun:
        """Train on a data set, as `train.py` does: the same function, the same numbers.

        This model itself stays as it is; `run.model` holds the best of the run.

        Args:
            data: A data YAML, or the name of a shipped one.
            flags: Those of `train.py`: `epochs=30, img=320, set={"augment.mosaic": 0.5}`, ...

        Returns:
            The run: `folder`, `history` (a row per epoch), `figures`, `best`, `model`.

        Raises:
            UserError: For whatever is wrong with flags, data or model.
        """
        self._refuse_fixed("train")
        raise_problems(
            f"train: '{name}' would be another model than this one; use {instead}"
            for name, instead in _OTHER_MODELS.items()
            if name in flags
        )
        given: dict[str, Any] = {"img": self.image_size, "precision": self.precision, **flags}
        given["data"] = str(data)
        given.setdefault("device", self.device.type if started_by_torchrun() else str(self.device))
        if self._state() == self._as_read:
            flag = "weights" if is_weights_file(self.source) else "cfg"
            return TrainedRun.of(train(request_of({**given, flag: self.source})))
        return TrainedRun.of(train(request_of(given), self._weights()))

    def fuse(self) -> Model:
        """Fold normalisation, implicit constants and RepConv branches, in place; returns itself.

        Outputs stay the same but for rounding. `predict` does this by itself, on a copy; what is
        folded can no longer be trained.
        """
        fuse(self.network)
        self._is_fixed = True
        return self

    def summary(self, img: int | None = None) -> ModelSummary:
        """Layers, parameters and FLOPs at `img` x `img` pixels; `print` shows a table."""
        return summarize(self.network, img)

    def gradient_paths(self) -> NetworkPaths:
        """How gradients reach every layer [GP]: lengths, counts, timestamps, sources.

        `paths.total` holds the network's figures, `paths.stages` those of every stride.
        """
        source = network_of_spec(self.network.spec, self.network.spec.name)
        graph = read_graph(source.network, source.example, name=source.name, entry=source.entry)
        return analyse(graph)

    def save(self, path: str | Path) -> Path:
        """Write the weights: `.safetensors` for others, `.pt` as training does.

        Raises:
            UserError: When `path` ends otherwise or cannot be written, or the model is fused.
        """
        self._refuse_fixed("save")
        return save_network(self.network, path, self.image_size)

    def _refuse_fixed(self, what: str) -> None:
        if self._is_fixed:
            raise UserError(
                f"{self.source}: is fused, exported or several, and cannot {what}; load a file"
            )

    def _weights(self) -> Weights:
        return Weights(self.network.spec, self.names, self.network.state_dict(), self.image_size)
