"""The networks: layers run in the order of the model file, then a head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from torch import Tensor, nn

from yolor_gp.config.model_spec import Anchors, ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.heads.anchor_head import AnchorHead
from yolor_gp.models.heads.classifier import Classifier
from yolor_gp.models.heads.detection_head import DetectionHead


class Trunk(nn.Module):
    """Layers that read earlier ones. sources[i]: what layer i reads, -1 for the image;
    the last entry is what the head reads.
    """

    def __init__(self, layers: Sequence[nn.Module], sources: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.sources = tuple(sources)
        self.frozen: tuple[str, ...] = ()
        # When a feature map has been read for the last time, its memory is given back.
        self._last_reader = {s: i for i, read in enumerate(sources) for s in read}

    def freeze(self, names: Iterable[str]) -> None:
        """Let modules keep their weights and running statistics, also in training mode.

        names: as `named_modules` gives them.
        """
        self.frozen = tuple(names)
        for name in self.frozen:
            self.get_submodule(name).eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As of any module; what is frozen stays in eval mode."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def features(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> the feature maps that the head reads."""
        outputs: dict[int, Tensor] = {-1: images}
        for i, layer in enumerate(self.layers):
            inputs = [outputs[source] for source in self.sources[i]]
            outputs[i] = layer(inputs if getattr(layer, "takes_many", False) else inputs[0])
            for source in self.sources[i]:
                if self._last_reader[source] == i:
                    outputs.pop(source, None)
        return [outputs[source] for source in self.sources[-1]]


class DetectionNetwork(Trunk):
    """A detector with box and, when the head says so, mask outputs.

    spec: what it was built from; names: of its classes; strides: input pixels per cell of each
    level; max_stride: image sides must be multiples of it.
    """

    def __init__(
        self,
        spec: ModelSpec,
        layers: Sequence[nn.Module],
        sources: Sequence[tuple[int, ...]],
        head: DetectionHead,
        names: tuple[str, ...],
        max_stride: int,
    ) -> None:
        super().__init__(layers, sources)
        self.head = head
        self.spec = spec
        self.names = names
        self.max_stride = max_stride

    @property
    def num_classes(self) -> int:
        """C."""
        return self.head.num_classes

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels per cell of each level, fine to coarse."""
        return self.head.strides

    @property
    def has_masks(self) -> bool:
        """Whether prototypes and coefficients are predicted."""
        return self.head.has_masks

    @property
    def anchor_head(self) -> AnchorHead:
        """The head, where it is one with anchors, as all of the shipped models are.

        Raises:
            UserError: For another.
        """
        if not isinstance(self.head, AnchorHead):
            raise UserError(
                f"{self.spec.name}: its head ({type(self.head).__name__}) has no anchors"
            )
        return self.head

    def forward_levels(self, images: Tensor) -> Any:
        """As `forward`, in plain tensors, as the head gives them.

        Free of control flow that depends on data, so that `torch.fx` can trace it.
        """
        return self.head(self.features(images))

    def forward(self, images: Tensor) -> Any:
        """f32[B, 3, H, W] in 0..1, sides multiples of `max_stride` -> the head's predictions.

        `RawPredictions` for a head with anchors.
        """
        return self.head.predictions(self.forward_levels(images))


class ClassifierNetwork(Trunk):
    """An image classifier: f32[B, 3, H, W] in 0..1 -> logits [B, C]."""

    def __init__(
        self,
        spec: ModelSpec,
        layers: Sequence[nn.Module],
        sources: Sequence[tuple[int, ...]],
        head: Classifier,
        names: tuple[str, ...],
    ) -> None:
        super().__init__(layers, sources)
        self.head = head
        self.spec = spec
        self.names = names

    @property
    def num_classes(self) -> int:
        """C."""
        return self.head.num_classes

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> logits [B, C]."""
        (features,) = self.features(images)
        logits: Tensor = self.head(features)
        return logits


__all__ = ["Anchors", "ClassifierNetwork", "DetectionNetwork", "Trunk"]
