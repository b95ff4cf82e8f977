"""Detections in images of any size: the same letterbox, network and way back as in validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference
from yolor_gp.engine.precision import choose_detection_precision
from yolor_gp.errors import raise_problems
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.ops.letterbox import Letterbox, evaluation_letterbox, place
from yolor_gp.structures.detections import Detections


class Predictor:
    """A network, ready to be given images.

    image_size: of the input; stride: pad only to the next multiple of it instead of to the whole
    input, which is faster and not quite what validation sees; precision: as
    `--precision`; class_agnostic and classes: as in `postprocess`.
    """

    def __init__(
        self,
        network: DetectionNetwork,
        image_size: AnySize,
        config: ValidationConfig,
        device: torch.device,
        *,
        stride: int | None = None,
        precision: str = "auto",
        class_agnostic: bool = False,
        classes: tuple[int, ...] | None = None,
    ) -> None:
        self._image_size, self._stride, self._config = ImageSize.of(image_size), stride, config
        self._inference = Inference.of(
            network,
            config,
            device,
            choose_detection_precision(precision, device),
            class_agnostic=class_agnostic,
            classes=classes,
        )

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """u8[H, W, 3] RGB images of any sizes -> their detections in their own pixels."""
        letterboxes = [self._letterbox(image) for image in images]
        found: dict[int, Detections] = {}
        for size in dict.fromkeys(letterbox.output_size for letterbox in letterboxes):
            alike = [k for k, letterbox in enumerate(letterboxes) if letterbox.output_size == size]
            placed = [place(images[k], letterboxes[k]) for k in alike]
            batch = torch.from_numpy(np.stack(placed).transpose(0, 3, 1, 2).copy())
            found.update(zip(alike, self._inference(batch), strict=True))
        return [
            found[k].to_original(letterbox, self._config.mask_threshold)
            for k, letterbox in enumerate(letterboxes)
        ]

    def _letterbox(self, image: NDArray[np.uint8]) -> Letterbox:
        size = (image.shape[0], image.shape[1])
        return evaluation_letterbox(size, self._image_size, self._stride)


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
