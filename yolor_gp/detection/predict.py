"""Detections in images of any size: the same letterbox, network and way back as in validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.detection.inference import Inference
from yolor_gp.detection.join import join
from yolor_gp.detection.views import PLAIN, View, Views
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.structures.detections import Detections

_CONFIDENCE = 0.25


class Predictor:
    """A network, ready to be given pictures.

    image_size: of the input; views: how pictures are looked at; rectangular: pad only to the next
    multiple of the stride instead of to the whole input, which is faster and not quite what
    validation sees; batch: views the network is given at once, None for all.
    """

    def __init__(
        self,
        inference: Inference,
        image_size: AnySize,
        *,
        views: Views = PLAIN,
        rectangular: bool = False,
        batch: int | None = None,
    ) -> None:
        self._inference, self._image_size = inference, ImageSize.of(image_size)
        self._views, self._rectangular, self._batch = views, rectangular, batch

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """u8[H, W, 3] RGB pictures of any sizes -> their detections in their own pixels."""
        views = [self._of(image) for image in images]
        seen = [(image, view) for image, some in zip(images, views, strict=True) for view in some]
        found = self._looked_at(seen)
        with self._inference.clock.stage("masks and boxes"):
            return [
                join(
                    some,
                    [next(found) for _ in some],
                    self._inference.config,
                    class_agnostic=self._inference.class_agnostic,
                )
                for some in views
            ]

    def _of(self, image: NDArray[np.uint8]) -> list[View]:
        return self._views.of(
            (image.shape[0], image.shape[1]),
            self._image_size,
            self._inference.network.max_stride,
            rectangular=self._rectangular,
        )

    def _looked_at(self, seen: Sequence[tuple[NDArray[np.uint8], View]]) -> Iterator[Detections]:
        """What is in each view, in its frame; those of one size go through the network together."""
        found: dict[int, Detections] = {}
        sizes = [view.letterbox.output_size for _, view in seen]
        for size in dict.fromkeys(sizes):
            alike = [k for k, other in enumerate(sizes) if other == size]
            at_once = self._batch or len(alike)
            for first in range(0, len(alike), at_once):
                some = alike[first : first + at_once]
                placed = [view.image(image) for image, view in (seen[k] for k in some)]
                batch = torch.from_numpy(np.stack(placed).transpose(0, 3, 1, 2).copy())
                found.update(zip(some, self._inference(batch), strict=True))
        return (found[k] for k in range(len(seen)))


def least_scores(
    confidence: float | None, stored: Mapping[str, float], names: Sequence[str]
) -> tuple[float, ...]:
    """By label the score above which a class is shown: as said, else as stored, else 0.25.

    Raises:
        UserError: When `confidence` is no number from 0 to 1.
    """
    if confidence is None:
        return tuple(stored.get(name, _CONFIDENCE) for name in names)
    if not 0 <= confidence <= 1:
        raise UserError(f"--confidence {confidence}: expected a number from 0 to 1")
    return (confidence,) * len(names)


def labels_of(wanted: Sequence[str | int] | None, names: Sequence[str]) -> tuple[int, ...] | None:
    """Labels of classes given by name or number; None for all.

    Raises:
        UserError: When there is no such class.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        wanted = [wanted]
    labels, problems = [], []
    for word in map(str, wanted):
        if word in names:
            labels.append(list(names).index(word))
        elif word.isdecimal() and int(word) < len(names):
            labels.append(int(word))
        elif word.isdecimal():
            problems.append(f"--classes {word}: the network has classes 0 to {len(names) - 1}")
        else:
            problems.append(
                f"--classes {word}: the network knows no such class{did_you_mean(word, names)}"
            )
    raise_problems(problems)
    return tuple(labels)
