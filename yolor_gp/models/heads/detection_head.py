"""What a detection network asks of its head: the door for heads of other people."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from yolor_gp.config.train_config import LossConfig
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.registry import ManyInputs
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.candidates import Candidates
from yolor_gp.structures.predictions import LossParts
from yolor_gp.structures.sample import MASK_STRIDE

DetectionCriterion = Callable[[Any, Targets], LossParts]
"""(predictions in float32, targets as they were loaded) -> the parts of the loss, and `total`."""


class DetectionHead(ManyInputs):
    """Feature maps in, predictions out; decoded by `candidates`, learned by `criterion`.

    A head is registered like a block; its constructor takes `in_channels` and `strides` (input
    pixels per cell of each level), which the builder gives, and what a model file may write.
    `num_classes` must be among it: training sets it to the data's. What folding merges is an affair
    of its modules (`Foldable`).

    Attributes:
        num_classes: C.
        strides: Input pixels per cell of each level.
        prototype_stride: Input pixels a side of a cell of the prototypes, where there are any.
    """

    task: ClassVar[str | None] = "detection"

    num_classes: int
    strides: tuple[int, ...]
    prototype_stride: int = MASK_STRIDE

    @property
    def has_masks(self) -> bool:
        """Whether candidates come with coefficients and prototypes."""
        return False

    @abstractmethod
    def forward(self, inputs: list[Tensor]) -> Any:
        """Levels of [B, Ci, h, w] -> plain tensors or tuples of them.

        Free of control flow that depends on data: `torch.fx` traces it, DDP and autocast wrap it.
        """

    @abstractmethod
    def predictions(self, output: Any) -> Any:
        """What `forward` gave, as what `candidates` and the criterion take: a dataclass or tuple of
        tensors."""

    @abstractmethod
    def candidates(self, predictions: Any, confidence: float) -> Candidates:
        """The boxes whose score may exceed `confidence`; predictions are float32."""

    def decoded(self, output: Any) -> tuple[Tensor, ...]:
        """What `forward` gave as every box it stands for, none left out: what other runtimes get.

        Free of control flow that depends on data, like `forward`.

        Returns:
            boxes f32[B, N, 4], xyxy in pixels of the input; scores f32[B, N, C]; with masks also
            coefficients f32[B, N, K] and prototypes f32[B, K, h, w].

        Raises:
            UserError: When the head does not say how.
        """  # noqa: DOC202 (returned by the heads that say how)
        raise UserError(
            f"{type(self).__name__} cannot be exported: it has no `decoded` (docs/extending.md)"
        )

    @abstractmethod
    def criterion(
        self,
        config: LossConfig,
        *,
        image_size: ImageSize,
        reduce_counts: Callable[[Tensor], Tensor] | None,
        world_size: int,
    ) -> DetectionCriterion:
        """The loss of this head.

        Over several processes the mean of the gradients of `total` must be the gradient of one
        process with all images; `reduce_counts` adds a small float tensor up over them, None where
        there is one. The gradients of a batch are summed over its images, not averaged.
        """
