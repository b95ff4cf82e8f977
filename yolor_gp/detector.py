"""A network ready to be used: detection and evaluation from Python.

What `yolor_gp.load` gives is one of these that can also be trained, saved and looked into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Unpack

import torch

from yolor_gp.config.data_config import Split
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference, check_overlap
from yolor_gp.detection.predict import Predictor, labels_of, least_scores
from yolor_gp.detection.tracking import LEAST_SCORE, Tracking
from yolor_gp.detection.validate import validate
from yolor_gp.detection.views import ViewFlags, Views
from yolor_gp.engine.precision import choose_detection_precision
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_backends import Backend
from yolor_gp.export.exported import tell_limits
from yolor_gp.media.pictures import AnySource, Channels, open_any
from yolor_gp.media.sources import Live
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.models.plan import check_image_size, input_size
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.results import Predictions, Result
from yolor_gp.structures.eval_result import EvalResult

DEFAULT_SIZE = 640


class Detector:
    """A detection network with what is needed to use it.

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
        track: str | None = None,
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
            track: Follow objects through videos by this tracker (`detection.tracking.TRACKERS`).
            channels: Order of colours in arrays, "rgb" or "bgr".
            views: `slice`, `overlap`, `augment`: `detection.views.Views`.

        Returns:
            An iterator of `Result`, one an image or frame.

        Raises:
            UserError: For what cannot be looked at; also while iterating.
        """
        least = least_scores(confidence, self.thresholds, self.names)
        check_overlap(iou, "0.4 to 0.7")
        tracking = None
        if track is not None:
            tracking = Tracking(track, min(least))
            least = tuple(min(score, LEAST_SCORE) for score in least)
        config = ValidationConfig(
            confidence=min(least), nms_iou=iou, multi_label=False, max_detections=max_detections
        )
        tell_limits(self.network, config)
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
        at_once = batch or (1 if self.device.type == "cpu" else 8)
        size, looks = self._checked_size(img), Views(**views)
        predictor = Predictor(inference, size, views=looks, rectangular=rectangular, batch=at_once)
        if isinstance(frames, Live):
            at_once = batch or 1
        return Predictions(frames, predictor, self.names, at_once, frame_stride, tracking)

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
        tell_limits(self.network, config)
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

    def _checked_size(self, img: AnySize | None) -> ImageSize:
        size = self.image_size if img is None else input_size(img)
        check_image_size(size, self.network.max_stride)
        return size
