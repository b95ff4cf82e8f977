"""The detection loss: boxes, objectness, classes and masks, weighed and added."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from yolor_gp.config.train_config import LossConfig
from yolor_gp.errors import UserError
from yolor_gp.losses.assigner import Assignment, assign
from yolor_gp.losses.box_loss import box_overlaps, find_box_iou
from yolor_gp.losses.mask_loss import mask_loss
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction, LossParts, RawPredictions
from yolor_gp.structures.tensors import to_device

_GAIN_CLASSES = 80
_GAIN_LEVELS = 3
_GAIN_IMAGE_SIZE = 640
"""The recipe's gains are stated for COCO's classes, three levels and 640 px."""


class DetectionLoss:
    """The loss of one step, computed in float32 whatever the predictions' type.

    It may be called inside or outside of autocast: inputs are cast, and what autocast would narrow
    is avoided.

    Over several processes, `reduce_counts` must sum a small float tensor (positives per level) over
    the ranks and `world_size` be their number; every rank calls it once a step, also without
    objects. Then the mean of the ranks' gradients is the gradient of one process with all images,
    and the mean of their parts its parts, provided all ranks have equally many images.

    Targets may stay on the host: what depends on them is worked out there, while the device is
    still busy with the network, and no step of the loss waits for it. For that `anchors`, f32
    [levels, A, 2] on the host, must be those of the predictions, which are asked without them.
    """

    def __init__(
        self,
        config: LossConfig,
        *,
        num_classes: int,
        image_size: AnySize,
        reduce_counts: Callable[[Tensor], Tensor] | None = None,
        world_size: int = 1,
        anchors: Tensor | None = None,
    ) -> None:
        self.config = config
        self.num_classes = num_classes
        self.image_size = ImageSize.of(image_size)
        self.reduce_counts = reduce_counts
        self.world_size = world_size
        self._measure = find_box_iou(config.box_iou)
        self._anchors = None if anchors is None else list(anchors)
        self._class_weights = _checked_weights(config, num_classes)

    def __call__(self, raw: RawPredictions, targets: Targets) -> LossParts:
        """The parts after their gains, and world_size * images * their sum as `total`."""
        self._check(raw, targets)
        device = raw.levels[0].logits.device
        positives = assign(raw.levels, targets, self.config.anchor_threshold, self._anchors)
        counts = self._shared_counts(positives, device)
        zero = raw.levels[0].logits.new_zeros((), dtype=torch.float32)
        box, objectness, classification = zero, zero, zero
        rows = []
        there = targets.to(device)
        for index, (level, matched) in enumerate(zip(raw.levels, positives, strict=True)):
            found = matched.to(device)
            logits = level.logits[found.image, found.anchor, found.row, found.column].float()
            overlaps = box_overlaps(level, logits, found, there, self._measure)
            box = box + (1 - overlaps).sum() / counts[index]
            objectness = objectness + self._objectness(index, level, found, overlaps.detach())
            classification = classification + self._classes(logits, found, there) / counts[index]
            rows.append(logits)
        mask = self._masks(raw, targets, there.index_map, positives, rows, zero)

        images = raw.levels[0].logits.shape[0]
        levels = _GAIN_LEVELS / len(raw.levels)
        size = self.image_size.pixels / _GAIN_IMAGE_SIZE**2
        config = self.config
        box = box * (config.box * levels)
        classification = classification * (
            config.classification * levels * self.num_classes / _GAIN_CLASSES
        )
        objectness = objectness * (
            config.objectness * levels * (size if config.objectness_scales_with_size else 1.0)
        )
        mask = mask * (config.box * config.mask * levels / images)
        total = (box + objectness + classification + mask) * (images * self.world_size)
        return LossParts(
            box.detach(), objectness.detach(), classification.detach(), mask.detach(), total
        )

    def _check(self, raw: RawPredictions, targets: Targets) -> None:
        if raw.num_classes != self.num_classes or len(raw.levels) > len(self.config.balance):
            raise ValueError(
                f"DetectionLoss: expected {self.num_classes} classes and at most "
                f"{len(self.config.balance)} levels (one balance each), got {raw.num_classes} "
                f"classes and {len(raw.levels)} levels"
            )
        if raw.prototypes is not None and targets.index_map is not None:
            count, _, height, width = raw.prototypes.shape
            points = targets.index_map.shape[1] // height
            expected = (count, points * height, points * width)
            if points < 1 or targets.index_map.shape != expected:
                raise ValueError(
                    f"Targets.index_map: expected whole multiples of {[height, width]}, the size of"
                    f" {count} prototypes, got {list(targets.index_map.shape)}"
                )

    def _shared_counts(self, positives: list[Assignment], device: torch.device) -> Tensor:
        """Positives per level as every rank should divide by: the mean over ranks, 1 for none."""
        counts = to_device(torch.tensor([float(len(found)) for found in positives]), device)
        if self.reduce_counts is not None:
            counts = self.reduce_counts(counts) / self.world_size
        return torch.where(counts > 0, counts, torch.ones_like(counts))

    def _objectness(
        self, index: int, level: LevelPrediction, found: Assignment, overlaps: Tensor
    ) -> Tensor:
        logits = level.logits[..., 4].float()
        _, anchors, height, width = logits.shape
        cell = ((found.image * anchors + found.anchor) * height + found.row) * width + found.column
        # Where objects share an anchor the last one counts: said by its number, as plain assignment
        # leaves the order open on a GPU.
        number = torch.arange(1, len(found) + 1, device=cell.device)
        last = torch.zeros(logits.numel(), dtype=torch.int64, device=cell.device)
        last.scatter_reduce_(0, cell, number, "amax")
        values = torch.cat((overlaps.new_zeros(1), overlaps.clamp(min=0)))
        loss = binary_cross_entropy(
            logits,
            values[last].view_as(logits),
            gamma=self.config.focal_gamma,
            alpha=self.config.focal_alpha,
        )
        return loss.mean() * self.config.balance[index]

    def _classes(self, logits: Tensor, found: Assignment, targets: Targets) -> Tensor:
        """The sum over positives of the mean over classes."""
        if self.num_classes == 1:
            return logits.new_zeros(())
        logits = logits[:, 5 : 5 + self.num_classes]
        half = self.config.label_smoothing / 2
        truth = torch.full_like(logits, half)
        truth.scatter_(1, targets.labels[found.target, None], 1 - half)
        loss = binary_cross_entropy(
            logits, truth, gamma=self.config.focal_gamma, alpha=self.config.focal_alpha
        )
        if self._class_weights is not None:
            weights = to_device(self._class_weights, loss.device)
            loss = loss * weights[targets.labels[found.target], None]
        return loss.sum() / self.num_classes

    def _masks(
        self,
        raw: RawPredictions,
        targets: Targets,
        index_map: Tensor | None,
        positives: list[Assignment],
        rows: list[Tensor],
        zero: Tensor,
    ) -> Tensor:
        """The sum over levels and images of the mean over the image's positives on the level."""
        if raw.prototypes is None:
            return zero
        # Positives and targets are still where they came from.
        target = torch.cat([found.target for found in positives])
        coefficients = torch.cat([logits[:, 5 + self.num_classes :] for logits in rows])
        if index_map is None:
            # Nothing to learn from, but DDP waits for every parameter: the prototypes stay in.
            target, coefficients = target[:0], coefficients[:0]
            index_map = raw.prototypes.new_zeros(
                (len(raw.prototypes), *raw.prototypes.shape[2:]), dtype=torch.uint8
            )
            weight = torch.zeros(0, device=target.device)
        else:
            weight = torch.cat([_image_shares(found, len(raw.prototypes)) for found in positives])
        finest = raw.levels[0]
        height, width = (cells * finest.stride for cells in finest.logits.shape[2:4])
        return mask_loss(
            coefficients, raw.prototypes, index_map, targets, target, weight, (height, width)
        )


def _checked_weights(config: LossConfig, num_classes: int) -> Tensor | None:
    weights = config.class_weights
    if isinstance(weights, str):
        return None  # "auto" is made into numbers where the data are known
    if len(weights) != num_classes:
        raise UserError(
            f"loss.class_weights: expected {num_classes} numbers, one a class, or auto;"
            f" got {len(weights)}"
        )
    return torch.tensor(weights)


def _image_shares(found: Assignment, images: int) -> Tensor:
    """One over the number of positives that a positive's image has on its level: f32[P]."""
    counts = torch.zeros(images, device=found.image.device)
    counts.index_add_(0, found.image, torch.ones_like(found.image, dtype=torch.float32))
    return 1 / counts[found.image]


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, *, gamma: float = 0.0, alpha: float = 0.25
) -> Tensor:
    """The cross entropy of every element, same shape; targets in 0..1.

    With gamma > 0 the focal loss [Focal, eq. 5]: an element right with
    probability p counts (1 - p)^gamma, positives alpha and negatives 1 - alpha.
    """
    if gamma == 0:
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    from torchvision.ops import sigmoid_focal_loss

    loss: Tensor = sigmoid_focal_loss(logits, targets, alpha=alpha, gamma=gamma)
    return loss
