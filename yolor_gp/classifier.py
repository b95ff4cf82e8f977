"""The Python face of classifiers: what `yolor_gp.load` gives for weights that classify.

import yolor_gp
model = yolor_gp.load_classifier("runs/classify/exp")
for result in model.predict("images/"):
    print(result.path, result.name, result.score)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from yolor_gp.classification.evaluate import Accuracy
from yolor_gp.classification.networks import check_input, open_classifier
from yolor_gp.classification.predict import ClassPredictor
from yolor_gp.classification.requests import request_of, train
from yolor_gp.classification.validate import validate
from yolor_gp.config.precisions import check_precision
from yolor_gp.engine.distributed.context import started_by_torchrun
from yolor_gp.engine.precision import training_device
from yolor_gp.engine.requests import RunFlags
from yolor_gp.engine.runs import TrainingResult
from yolor_gp.errors import UserError
from yolor_gp.media.pictures import AnySource, Channels, open_any
from yolor_gp.media.sources import Frame
from yolor_gp.models.network import ClassifierNetwork
from yolor_gp.models.summary import ModelSummary, summarize
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.weights import Weights, save_network

DEFAULT_SIZE = 224


@dataclass(frozen=True, repr=False)
class ClassResult:
    """One image and what it is taken for.

    Attributes:
        source: The picture with its origin.
        scores: f32[C], of every class, adding up to 1.
        class_names: By label.
        seconds: Its share of the time its batch took.
    """

    source: Frame
    scores: NDArray[np.float32]
    class_names: tuple[str, ...]
    seconds: float = 0.0

    @property
    def path(self) -> str:
        """Its file, camera or stream; `image0`, ... for pictures from memory."""
        return self.source.path

    @property
    def frame(self) -> int | None:
        """Its number in its video, from 0; None for images."""
        return None if self.source.video is None else self.source.index

    @property
    def label(self) -> int:
        """The class it is taken for, from 0."""
        return int(self.scores.argmax())

    @property
    def name(self) -> str:
        """The name of that class."""
        return self.class_names[self.label]

    @property
    def score(self) -> float:
        """The score of that class."""
        return float(self.scores.max())

    def top(self, number: int = 5) -> list[tuple[str, float]]:
        """The best classes with their scores."""
        best = np.argsort(-self.scores, kind="stable")[:number]
        return [(self.class_names[label], float(self.scores[label])) for label in best.tolist()]

    def to_dict(self, number: int = 5) -> dict[str, Any]:
        """Plain values, ready for JSON: path, frame and the best classes."""
        classes = [{"name": name, "score": score} for name, score in self.top(number)]
        return {"path": self.path, "frame": self.frame, "classes": classes}

    def __repr__(self) -> str:
        where = self.path if self.frame is None else f"{self.path} frame {self.frame}"
        return f"<ClassResult {where}: {self.name} {self.score:.2f}>"


class ClassifierRun(TrainingResult):
    """What a training left, and the best of it as a classifier."""

    @property
    def model(self) -> Classifier:
        """The weights that scored best, loaded anew at every call."""
        return load_classifier(self.best)


def load_classifier(
    source: str | Path,
    *,
    device: str | torch.device = "auto",
    precision: str = "auto",
    classes: int | tuple[str, ...] | None = None,
) -> Classifier:
    """Open a classifier's weights, or a model file with fresh weights.

    Args:
        source: A run folder, `.pt` or `.safetensors`; or a model file by path or shipped name
            (`resnet34`).
        device: auto, cpu, cuda or the number of a GPU.
        precision: auto, bfloat16, float16 or float32.
        classes: Their number or names, for a model file.

    Raises:
        UserError: When it cannot be read or is a detector, or device or precision are not to be
            had.
    """
    check_precision(precision)
    network, size = open_classifier(source, training_device(str(device)), classes)
    return Classifier(network, str(source), size or DEFAULT_SIZE, precision)


def resume_classifier(run: str | Path = "", **flags: Unpack[RunFlags]) -> ClassifierRun:
    """Go on with an interrupted run, bit for bit as if it had never stopped.

    Args:
        run: A run folder or training checkpoint; the latest run when empty.
        flags: Those that may change on resume (`device`, `workers`, ...).

    Raises:
        UserError: When there is nothing to go on with, or a flag contradicts the run.
    """
    return ClassifierRun.of(train(request_of({**flags, "resume": str(run)})))


class Classifier:
    """A network that says what is in an image, with what is needed to use it.

    Attributes:
        network: The network itself, a `torch.nn.Module`.
        source: What it was loaded from.
        image_size: Side of the square input in pixels, unless a call says otherwise.
        precision: As `--precision`.
    """

    def __init__(
        self,
        network: ClassifierNetwork,
        source: str = "a network in memory",
        image_size: int = DEFAULT_SIZE,
        precision: str = "auto",
    ) -> None:
        self.network, self.source = network, source
        self.image_size, self.precision = image_size, precision

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by label."""
        return self.network.names

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return next(self.network.parameters()).device

    def __repr__(self) -> str:
        return f"<Classifier {self.source}: {len(self.names)} classes, on {self.device}>"

    def __call__(self, picture: AnySource, **options: Any) -> ClassResult:
        """The result of one picture; `options` as of `predict`.

        Raises:
            UserError: When there is none, or it cannot be read.
        """
        for result in self.predict(picture, **options):
            return result
        raise UserError("the source holds no picture")

    def predict(
        self,
        source: AnySource,
        *,
        img: int | None = None,
        crop: float = 1.0,
        batch: int = 16,
        channels: Channels = "rgb",
    ) -> Iterator[ClassResult]:
        """Say what is in images. Lazy: they are read and looked at as results are asked for.

        Args:
            source: A path, folder, glob, list file, video, camera number or address; an array, PIL
                image or tensor; or an iterable of these.
            img: Side of the square input in pixels.
            crop: Side of the middle that is looked at, as a share of the shorter side.
            batch: Images at once.
            channels: Order of colours in arrays, "rgb" or "bgr".

        Returns:
            An iterator of `ClassResult`, one an image or frame.

        Raises:
            UserError: For what cannot be looked at; also while iterating.
        """
        size = img or self.image_size
        check_input(self.network, size)
        frames = open_any(source, channels)
        predictor = ClassPredictor(
            self.network, size, self.device, crop=crop, precision=self.precision
        )
        return self._results(iter(frames), predictor, batch)

    def _results(
        self, frames: Iterator[Frame], predictor: ClassPredictor, at_once: int
    ) -> Iterator[ClassResult]:
        while group := list(islice(frames, at_once)):
            started = time.perf_counter()
            scores = predictor([frame.image for frame in group]).numpy()
            seconds = (time.perf_counter() - started) / len(group)
            for frame, row in zip(group, scores, strict=True):
                yield ClassResult(frame, row, self.names, seconds)

    def val(
        self,
        data: str | Path,
        *,
        img: int | None = None,
        crop: float = 1.0,
        batch_size: int = 64,
        workers: int = 4,
        split: Literal["train", "val"] = "val",
    ) -> Accuracy:
        """How often the right class is found.

        Args:
            data: The folder of a data set.
            img: Side of the square input in pixels.
            crop: Side of the middle that is looked at, as a share of the shorter side.
            batch_size: Images at once.
            workers: Threads that load images.
            split: The part of the data.

        Raises:
            UserError: When the data cannot be read, or have other classes than the network.
        """
        return validate(
            self.network,
            data,
            image_size=img or self.image_size,
            crop=crop,
            batch_size=batch_size,
            workers=workers,
            precision=self.precision,
            device=self.device,
            source=self.source,
            split=split,
        )

    def train(self, data: str | Path, **flags: Unpack[RunFlags]) -> ClassifierRun:
        """Train on a data set, as `classify.py train` does: the same function, the same numbers.

        This classifier itself stays as it is; `run.model` holds the best of the run.

        Args:
            data: The folder of a data set.
            flags: Those of `classify.py train`: `epochs=30, img=32, hyp="flow"`, ...

        Raises:
            UserError: For whatever is wrong with flags, data or model.
        """
        given: dict[str, Any] = {"precision": self.precision, **flags, "data": str(data)}
        given.setdefault("device", self.device.type if started_by_torchrun() else str(self.device))
        tensors = self.network.state_dict()
        start = Weights(self.network.spec, self.names, tensors, ImageSize.of(self.image_size))
        return ClassifierRun.of(train(request_of(given), start))

    def summary(self, img: int | None = None) -> ModelSummary:
        """Layers, parameters and FLOPs at `img` x `img` pixels; `print` shows a table."""
        return summarize(self.network, img or self.image_size)

    def save(self, path: str | Path) -> Path:
        """Write the weights: `.safetensors` for others, `.pt` as training does.

        Raises:
            UserError: When `path` ends otherwise or cannot be written.
        """
        return save_network(self.network, path, self.image_size)
