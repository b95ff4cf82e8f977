"""The anchor-based decoder: boxes, objectness, classes and mask coefficients per cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from yolor_gp.config.train_config import LossConfig
from yolor_gp.losses.detection_loss import DetectionLoss
from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.blocks.folding import convolution_like
from yolor_gp.models.blocks.implicit import ImplicitAdd, ImplicitMultiply
from yolor_gp.models.blocks.registry import Width, register
from yolor_gp.models.heads.detection_head import DetectionCriterion, DetectionHead
from yolor_gp.ops.anchor_decode import BoxCoding, decode_boxes, decode_level
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.candidates import Candidates
from yolor_gp.structures.marks import UNDECAYED
from yolor_gp.structures.predictions import LevelPrediction, RawPredictions

Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LevelAnchors = tuple[tuple[Size, Size], ...]
CellScale = Annotated[float, Field(ge=1, le=4)]
Coefficients = Annotated[int, Field(ge=0, le=256)]
HeadOutput = tuple[tuple[Tensor, ...], Tensor | None]


class LevelPredictor(nn.Module):
    """A 1x1 convolution with bias, between implicit addition and multiplication if asked for.

    (conv(x + a)) * m over all outputs, box to mask coefficients [YOLOR].
    """

    def __init__(self, in_channels: int, out_channels: int, implicit: bool) -> None:
        super().__init__()
        self.implicit_add: nn.Module = nn.Identity()
        self.implicit_multiply: nn.Module = nn.Identity()
        if implicit:
            self.implicit_add = ImplicitAdd(in_channels)
            self.implicit_multiply = ImplicitMultiply(out_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        return cast(Tensor, self.implicit_multiply(self.conv(self.implicit_add(x))))

    def fold(self) -> None:
        """Carry both implicit constants into the convolution: (W(x + a) + b) * m."""
        weight, bias = self.conv.weight.detach(), cast(Tensor, self.conv.bias).detach()
        if isinstance(self.implicit_add, ImplicitAdd):
            bias = bias + weight.flatten(1) @ self.implicit_add.value.detach().flatten()
        if isinstance(self.implicit_multiply, ImplicitMultiply):
            factor = self.implicit_multiply.value.detach().flatten()
            weight, bias = weight * factor[:, None, None, None], bias * factor
        self.conv = convolution_like(self.conv, weight, bias)
        self.implicit_add, self.implicit_multiply = nn.Identity(), nn.Identity()


@register("AnchorHead")
class AnchorHead(DetectionHead):
    """Levels from fine to coarse, each to A * (5 + C + K) channels [YOLOv5, YOLOR].

    Per anchor: tx ty tw th, objectness, C classes, K = `masks` coefficients of prototypes made
    from the finest level, at `prototype_scale` times its size; none when `masks` is 0. strides:
    input pixels per cell of each level; anchors: per level, (width, height) in input pixels;
    scale_xy (one, or one a level) and exponential: how boxes are coded, see `ops.anchor_decode`.
    """

    widths: ClassVar[tuple[str, ...]] = ("prototype_channels",)

    anchors: Tensor

    def __init__(
        self,
        in_channels: tuple[int, ...],
        strides: tuple[int, ...],
        num_classes: Width,
        anchors: tuple[LevelAnchors, ...],
        masks: Coefficients = 0,
        prototype_channels: Width = 256,
        implicit: bool = True,
        scale_xy: CellScale | tuple[CellScale, ...] = 2.0,
        exponential: bool = False,
        prototype_scale: Literal[2, 4] = 2,
    ) -> None:
        super().__init__()
        scales = scale_xy if isinstance(scale_xy, tuple) else (scale_xy,) * len(strides)
        if len(scales) != len(strides):
            raise ValueError(f"{len(strides)} inputs, but scale_xy for {len(scales)} levels")
        if not len(in_channels) == len(strides) == len(anchors):
            raise ValueError(f"{len(in_channels)} inputs, but anchors for {len(anchors)} levels")
        if len({len(level) for level in anchors}) != 1:
            raise ValueError("every level must have the same number of anchors")
        self.num_classes = num_classes
        self.num_anchors = len(anchors[0])
        self.num_masks = masks
        self.strides = strides
        self.codings = tuple(BoxCoding(scale, exponential) for scale in scales)
        self.outputs_per_anchor = 5 + num_classes + masks
        self.out_channels = self.num_anchors * self.outputs_per_anchor
        self.register_buffer("anchors", torch.tensor(anchors), persistent=False)
        self.levels = nn.ModuleList(
            LevelPredictor(width, self.out_channels, implicit) for width in in_channels
        )
        self.mask_head = None
        if masks:
            self.mask_head = MaskHead(in_channels[0], prototype_channels, masks, prototype_scale)
        self.prototype_stride = strides[0] // prototype_scale
        self._initialise_biases()

    def forward(self, inputs: list[Tensor]) -> HeadOutput:
        """Levels of [B, Ci, h, w] -> logits [B, A, h, w, 5 + C + K] each, and prototypes.

        Prototypes are [B, K, s * h, s * w] of the first level's h, w, with s = `prototype_scale`;
        or None.
        """
        shape = (self.num_anchors, self.outputs_per_anchor)
        logits = tuple(
            level(x).unflatten(1, shape).permute(0, 1, 3, 4, 2)
            for level, x in zip(self.levels, inputs, strict=True)
        )
        return logits, None if self.mask_head is None else self.mask_head(inputs[0])

    @property
    def has_masks(self) -> bool:
        """Whether prototypes and coefficients are predicted."""
        return self.mask_head is not None

    def predictions(self, output: HeadOutput) -> RawPredictions:
        """The levels with their anchors and strides, and the prototypes."""
        logits, prototypes = output
        levels = tuple(
            LevelPrediction(level, anchors, stride, coding)
            for level, anchors, stride, coding in zip(
                logits, self.anchors, self.strides, self.codings, strict=True
            )
        )
        return RawPredictions(levels, prototypes, self.num_classes)

    def candidates(self, predictions: RawPredictions, confidence: float) -> Candidates:
        """See `anchor_candidates`."""
        return anchor_candidates(predictions, confidence)

    def decoded(self, output: HeadOutput) -> tuple[Tensor, ...]:
        """See `DetectionHead.decoded`; N counts anchors level by level, row by row."""
        logits, prototypes = output
        classes = 5 + self.num_classes
        rows = torch.cat([level.flatten(1, 3) for level in logits], 1)
        boxes = [
            decode_level(*level).flatten(1, 3)
            for level in zip(logits, self.anchors, self.strides, self.codings, strict=True)
        ]
        scores = rows[..., 4:5].sigmoid() * rows[..., 5:classes].sigmoid()
        found = (torch.cat(boxes, 1), scores)
        return found if prototypes is None else (*found, rows[..., classes:], prototypes)

    def criterion(
        self,
        config: LossConfig,
        *,
        image_size: ImageSize,
        reduce_counts: Callable[[Tensor], Tensor] | None,
        world_size: int,
    ) -> DetectionCriterion:
        """The loss of boxes, objectness, classes and masks, which waits for no device."""
        return DetectionLoss(
            config,
            num_classes=self.num_classes,
            image_size=image_size,
            reduce_counts=reduce_counts,
            world_size=world_size,
            anchors=self.anchors.cpu(),
        )

    def freeze_boxes(self) -> None:
        """Let all rows but those of the mask coefficients keep their numbers in training.

        Their gradients become 0, and nothing of the levels is decayed.
        """
        learned = torch.zeros(self.num_anchors, self.outputs_per_anchor, dtype=torch.bool)
        learned[:, 5 + self.num_classes :] = True
        rows = learned.flatten()
        for module in self.levels:
            level = cast(LevelPredictor, module)
            level.implicit_add.requires_grad_(False)
            for name, parameter in level.named_parameters():
                if not parameter.requires_grad:
                    continue
                of_outputs = name.startswith("implicit_multiply")
                shape = (1, -1, 1, 1) if of_outputs else (-1,) + (1,) * (parameter.dim() - 1)
                hook = partial(_only_rows, rows.view(shape))
                parameter.register_hook(hook)  # type: ignore[no-untyped-call]
                setattr(parameter, UNDECAYED, True)

    @torch.no_grad()
    def _initialise_biases(self) -> None:
        """Start from 8 objects in a 640 px image, and 0.6 classes an object [YOLOv5]."""
        for level, stride in zip(self.levels, self.strides, strict=True):
            assert isinstance(level, LevelPredictor)
            bias = cast(Tensor, level.conv.bias).view(self.num_anchors, -1)
            bias[:, 4] += math.log(8 / (640 / stride) ** 2)
            bias[:, 5 : 5 + self.num_classes] += math.log(0.6 / (self.num_classes - 0.99))


def _only_rows(rows: Tensor, gradient: Tensor) -> Tensor:
    return gradient * rows.to(gradient.device)


def anchor_candidates(raw: RawPredictions, confidence: float) -> Candidates:
    """The anchors whose objectness exceeds `confidence`: no score of theirs can be higher.

    Float32 throughout, whatever the type of `raw`; level by level.
    """
    found = [_confident_rows(level, raw.num_classes, confidence) for level in raw.levels]
    finest = raw.levels[0]
    height, width = (cells * finest.stride for cells in finest.logits.shape[2:4])
    return Candidates(
        images=len(finest.logits),
        image_size=(height, width),
        image=torch.cat([rows[0] for rows in found]),
        boxes=torch.cat([rows[1] for rows in found]),
        values=torch.cat([rows[2] for rows in found]),
        num_classes=raw.num_classes,
        prototypes=raw.prototypes,
    )


def _confident_rows(
    level: LevelPrediction, num_classes: int, confidence: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors whose objectness exceeds `confidence`; no score of theirs can be higher.

    Returns the image i64[M], box f32[M, 4] xyxy pixels and f32[M, 1 + C + K] of each: objectness
    and class probabilities, mask coefficients.
    """
    confident = level.logits[..., 4].float().sigmoid() > confidence
    image, anchor, row, column = confident.nonzero(as_tuple=True)
    logits = level.logits[image, anchor, row, column].float()
    cells = torch.stack((column, row), dim=1)
    anchors = level.anchors.float()[anchor]
    boxes = decode_boxes(logits[:, :4], cells, anchors, level.stride, level.coding)
    probabilities = logits[:, 4 : 5 + num_classes].sigmoid()
    return image, boxes, torch.cat((probabilities, logits[:, 5 + num_classes :]), dim=1)


class MaskHead(nn.Module):
    """3x3, nearest x2, 3x3, 1x1 to K prototypes at twice the input's size.

    With a scale of 4 the last layer gives four values a cell and prototype, which become a square
    of finer cells [ESPCN].
    """

    def __init__(self, in_channels: int, hidden: int, prototypes: int, scale: int = 2) -> None:
        super().__init__()
        finer = scale // 2
        self.layers = nn.Sequential(
            Conv(in_channels, hidden, 3),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            Conv(hidden, hidden, 3),
            Conv(hidden, prototypes * finer**2, 1),
            *([nn.PixelShuffle(finer)] if finer > 1 else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, K, scale h, scale w]."""
        return cast(Tensor, self.layers(x))
