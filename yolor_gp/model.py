"""The Python face: a network, ready to be used, trained, looked into and saved.

import yolor_gp
model = yolor_gp.load("runs/train/exp")
for result in model.predict("images/"):
    print(result.names, result.boxes)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Unpack, cast

import torch

from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.network_sources import network_of_spec
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.classifier import load_classifier
from yolor_gp.config.data_config import Split
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference, check_overlap
from yolor_gp.detection.networks import ClassifierGivenError, open_detector
from yolor_gp.detection.predict import Predictor, labels_of, least_scores
from yolor_gp.detection.requests import TrainFlags, request_of, train
from yolor_gp.detection.validate import validate
from yolor_gp.detection.views import ViewFlags, Views
from yolor_gp.engine.distributed.context import started_by_torchrun
from yolor_gp.engine.precision import PRECISIONS, choose_detection_precision, training_device
from yolor_gp.engine.runs import TrainingResult
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.evaluation.coco_backends import Backend
from yolor_gp.export.exported import is_exported, open_exported
from yolor_gp.files import check_writable
from yolor_gp.media.pictures import AnySource, Channels, open_any
from yolor_gp.media.sources import Live
from yolor_gp.models.ensemble import Ensemble
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.models.plan import check_image_size, input_size
from yolor_gp.models.summary import ModelSummary, summarize
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.results import Predictions, Result
from yolor_gp.structures.eval_result import EvalResult
from yolor_gp.weights import Weights, is_weights_file, save_network

DEFAULT_SIZE = 640

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
            YOLOv7 or YOLOR, Darknet's `.weights`, an exported file (`.onnx`, `.xml`); a model file
            by path or shipped name, or Darknet's `.cfg`. Several of the same classes work as one
            model, which detects and evaluates, at the first one's size.
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
    if precision not in PRECISIONS:
        raise UserError(f"--precision {precision}: expected one of {', '.join(PRECISIONS)}")
    names = classes if classes is None or isinstance(classes, int) else tuple(classes)
    if is_exported(source):
        return _exported(source, classes)
    try:
        opened = open_detector(source, training_device(str(device)), names, cfg)
    except ClassifierGivenError:
        found = load_classifier(source, device=device, precision=precision, classes=names)
        return cast(Model, found)
    model = Model(opened.network, str(source), opened.image_size or DEFAULT_SIZE, precision)
    model.thresholds = opened.thresholds
    model._as_read = model._state()
    return model


def _exported(source: str | Path, classes: object) -> Model:
    """A file of another runtime, as a model that detects and evaluates.

    Raises:
        UserError: When other classes are asked for, or the file cannot be opened.
    """
    if classes is not None:
        raise UserError(f"{source}: is exported, its classes are fixed; load the weights instead")
    network = open_exported(source)
    return Model(cast(DetectionNetwork, network), str(source), network.description.size, "float32")


def _ensemble(members: Sequence[Model]) -> Model:
    """Several models as one that detects and evaluates."""
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


class Model:
    """A detection network with what is needed to use it; see `load`.

    Attributes:
        network: The network itself, a `torch.nn.Module`.
        source: What it was loaded from.
        image_size: Of the input, unless a call says otherwise.
        precision: As `--precision`.
        thresholds: By class name the score from which on it is shown where nothing else is said;
            {}: 0.25 for all.
    """

    def __init__(
        self,
        network: DetectionNetwork,
        source: str = "a network in memory",
        image_size: AnySize = DEFAULT_SIZE,
        precision: str = "auto",
    ) -> None:
        self.network, self.source = network, source
        self.image_size, self.precision = ImageSize.of(image_size), precision
        self.thresholds: Mapping[str, float] = {}
        self._folded: tuple[object, DetectionNetwork] | None = None
        self._as_read: object = None
        self._is_fixed = not isinstance(network, DetectionNetwork)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by label."""
        return self.network.names

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return next(self.network.parameters()).device

    def __repr__(self) -> str:
        outputs = "boxes and masks" if self.network.has_masks else "boxes"
        return f"<Model {self.source}: {outputs}, {len(self.names)} classes, on {self.device}>"

    def __call__(self, picture: AnySource, **options: object) -> Result:
        """The result of one picture; `options` as of `predict`.

        Raises:
            UserError: When there is none, or it cannot be read.
        """
        for result in self.predict(picture, **options):  # type: ignore[arg-type]
            return result
        raise UserError("the source holds no picture")

    def predict(
        self,
        source: AnySource,
        *,
        img: AnySize | None = None,
        confidence: float | None = None,
        iou: float = 0.45,
        classes: Sequence[str | int] | None = None,
        batch: int | None = None,
        max_detections: int = 300,
        class_agnostic: bool = False,
        rectangular: bool = False,
        frame_stride: int = 1,
        channels: Channels = "rgb",
        **views: Unpack[ViewFlags],
    ) -> Predictions:
        """Find objects. Lazy: frames are read and looked at as results are asked for.

        Args:
            source: A path, folder, glob, list file, video, camera number or address; an array, PIL
                image or tensor; or an iterable of these (`media.pictures.AnySource`).
            img: Side of the square input, or its width and height, in pixels.
            confidence: Least score kept; None: `thresholds`, or 0.25 where there are none.
            iou: Overlap above which non-maximum suppression drops the worse box.
            classes: Names or numbers of the classes to keep; all when None.
            batch: Images at once; as many as pay when None.
            max_detections: Most detections an image.
            class_agnostic: Boxes suppress those of other classes too.
            rectangular: Pad to the next multiple of the stride instead of a square: faster, and
                not quite what validation sees.
            frame_stride: Of videos and streams look at every so many-th frame.
            channels: Order of colours in arrays, "rgb" or "bgr".
            views: `slice`, `overlap`, `augment`: `detection.views.Views`.

        Returns:
            An iterator of `Result`, one an image or frame.

        Raises:
            UserError: For what cannot be looked at; also while iterating.
        """
        least = least_scores(confidence, self.thresholds, self.names)
        check_overlap(iou, "0.4 to 0.7")
        config = ValidationConfig(
            confidence=min(least), nms_iou=iou, multi_label=False, max_detections=max_detections
        )
        frames = open_any(source, channels)
        inference = Inference.of(
            self._for_use(),
            config,
            self.device,
            choose_detection_precision(self.precision, self.device),
            class_agnostic=class_agnostic,
            classes=labels_of(classes, self.names),
            least=least,
        )
        on_cpu = self.device.type == "cpu"
        predictor = Predictor(
            inference,
            self._checked_size(img),
            views=Views(**views),
            rectangular=rectangular,
            batch=batch or (1 if on_cpu else 8),
        )
        at_once = batch or (1 if on_cpu or isinstance(frames, Live) else 8)
        return Predictions(frames, predictor, self.names, at_once, frame_stride)

    def val(
        self,
        data: str | Path = "shapes",
        *,
        img: AnySize | None = None,
        batch_size: int = 16,
        confidence: float = 0.001,
        iou: float = 0.65,
        max_detections: int = 300,
        workers: int = 4,
        backend: Backend = "hotcoco",
        boxes_only: bool = False,
        split: Split = "val",
        **views: Unpack[ViewFlags],
    ) -> EvalResult:
        """Box and mask AP on a data set, by COCO's rules.

        Args:
            data: A data YAML, or the name of a shipped one.
            img: Side of the square input, or its width and height, in pixels.
            batch_size: Images at once.
            confidence: Least score kept.
            iou: Overlap above which non-maximum suppression drops the worse box.
            max_detections: Most detections an image.
            workers: Threads that load images.
            backend: "hotcoco" (fast) or "pycocotools" (the reference); their figures agree.
            boxes_only: Leave masks out.
            split: The part of the data: "val", "test" or "train".
            views: As of `predict`.

        Raises:
            UserError: When the data cannot be read, or have other classes than the network.
        """
        config = ValidationConfig(confidence=confidence, nms_iou=iou, max_detections=max_detections)
        return validate(
            self.network,
            data,
            config,
            image_size=self._checked_size(img),
            batch_size=batch_size,
            workers=workers,
            backend=backend,
            precision=self.precision,
            device=self.device,
            source=self.source,
            boxes_only=boxes_only,
            split=split,
            views=Views(**views),
        ).result

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
        target = Path(path)
        if target.suffix not in (".pt", ".safetensors"):
            raise UserError(f"{target}: expected a name that ends in .pt or .safetensors")
        check_writable(target)
        save_network(self.network, target, self.image_size)
        return target

    def _for_use(self) -> DetectionNetwork:
        """The network as it predicts: a folded copy, made anew only when weights have changed."""
        state = self._state()
        if self._folded is None or self._folded[0] != state:
            self._folded = state, fuse(deepcopy(self.network))
        return self._folded[1]

    def _state(self) -> tuple[tuple[int, int], ...]:
        """Another value as soon as a weight has changed."""
        tensors = self.network.state_dict(keep_vars=True).values()
        return tuple((id(tensor), tensor._version) for tensor in tensors)

    def _refuse_fixed(self, what: str) -> None:
        if self._is_fixed:
            raise UserError(
                f"{self.source}: is fused, exported or several, and cannot {what}; load a file"
            )

    def _weights(self) -> Weights:
        return Weights(self.network.spec, self.names, self.network.state_dict(), self.image_size)

    def _checked_size(self, img: AnySize | None) -> ImageSize:
        size = self.image_size if img is None else input_size(img)
        check_image_size(size, self.network.max_stride)
        return size
