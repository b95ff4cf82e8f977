"""The decoder under the names and argument orders of official model files."""

from __future__ import annotations

from yolor_gp.models.blocks.registry import Width, register
from yolor_gp.models.heads.anchor_head import AnchorHead, Coefficients, LevelAnchors


@register("Detect")
class Detect(AnchorHead):
    """Boxes without masks and without implicit knowledge: YOLOv3, YOLOv5."""

    def __init__(
        self,
        in_channels: tuple[int, ...],
        strides: tuple[int, ...],
        num_classes: Width,
        anchors: tuple[LevelAnchors, ...],
    ) -> None:
        super().__init__(in_channels, strides, num_classes, anchors, implicit=False)


@register("IDetect")
class IDetect(AnchorHead):
    """Boxes with implicit knowledge: YOLOR, YOLOv7."""

    def __init__(
        self,
        in_channels: tuple[int, ...],
        strides: tuple[int, ...],
        num_classes: Width,
        anchors: tuple[LevelAnchors, ...],
    ) -> None:
        super().__init__(in_channels, strides, num_classes, anchors, implicit=True)


@register("Segment")
class Segment(AnchorHead):
    """Boxes and masks without implicit knowledge: YOLOv5-seg."""

    def __init__(
        self,
        in_channels: tuple[int, ...],
        strides: tuple[int, ...],
        num_classes: Width,
        anchors: tuple[LevelAnchors, ...],
        masks: Coefficients = 32,
        prototype_channels: Width = 256,
    ) -> None:
        super().__init__(
            in_channels, strides, num_classes, anchors, masks, prototype_channels, implicit=False
        )


@register("ISegment")
class ISegment(AnchorHead):
    """Boxes and masks with implicit knowledge: YOLOv7-seg."""

    def __init__(
        self,
        in_channels: tuple[int, ...],
        strides: tuple[int, ...],
        num_classes: Width,
        anchors: tuple[LevelAnchors, ...],
        masks: Coefficients = 32,
        prototype_channels: Width = 256,
    ) -> None:
        super().__init__(
            in_channels, strides, num_classes, anchors, masks, prototype_channels, implicit=True
        )
