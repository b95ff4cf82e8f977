"""The network as other runtimes get it: pictures in, decoded boxes, scores and masks' parts out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from yolor_gp.errors import UserError
from yolor_gp.export.suppression import Suppression
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.image_size import AnySize, ImageSize

INPUT = "images"
OUTPUTS = ("boxes", "scores", "coefficients", "prototypes")
"""Names of the graph's input and outputs; the last two only with masks."""

_FORMAT = 1
_PREPROCESSING = (
    "RGB; resized (bilinear) to just fit in image_size (a side, or width and height), the rest"
    " padded with 114 in the centre; divided by 255"
)


@dataclass(frozen=True)
class Description:
    """What a file says of itself, as JSON in its metadata.

    Attributes:
        names: Of the classes, by label.
        stride: Sides of the input must be multiples of it.
        image_size: It was trained at, in pixels: a side, or width and height.
        has_masks: Whether coefficients and prototypes come out.
        is_dynamic: Whether batch and sides may differ from `batch` and `image_size`.
        batch: Images at once, where it is fixed.
        weights: SHA-256 of the weights it was made of.
        thresholds: By class name the score from which on it is shown; {} for none stored.
        suppression: What the graph keeps of the boxes, None when it gives all of them.
        preprocessing: How pictures become the input, in words.
        format: Of this description.
    """

    names: tuple[str, ...]
    stride: int
    image_size: int | list[int]
    has_masks: bool
    is_dynamic: bool
    batch: int
    weights: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    suppression: Suppression | None = None
    preprocessing: str = _PREPROCESSING
    format: int = _FORMAT

    @property
    def size(self) -> ImageSize:
        """Of the input."""
        return ImageSize.of(self.image_size)

    def to_json(self) -> str:
        """For the metadata of a file."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str | None, file: Path) -> Description:
        """What `to_json` wrote.

        Raises:
            UserError: When it is not there, or not of this kind.
        """
        try:
            values: dict[str, Any] = json.loads(text or "")
            values["names"] = tuple(str(name) for name in values["names"])
            if values.get("suppression"):
                values["suppression"] = Suppression(**values["suppression"])
            found = Description(**values)
            ImageSize.of(found.image_size)
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"{file}: was not written by export_model.py; export the weights again"
            ) from None
        if found.format != _FORMAT:
            raise UserError(f"{file}: of a later version of yolor_gp; export the weights again")
        return found


class ExportGraph(nn.Module):
    """A folded copy of a network with its decoding, in float32 and eval mode.

    images f32[B, 3, H, W], RGB in 0..1, letterboxed -> boxes f32[B, N, 4], xyxy in pixels of the
    input; scores f32[B, N, C]; with masks coefficients f32[B, N, K] and prototypes
    f32[B, K, h, w]. Nothing is suppressed yet.
    """

    def __init__(self, network: DetectionNetwork) -> None:
        super().__init__()
        self.network = fuse(deepcopy(network)).float().cpu()
        self.outputs = OUTPUTS if network.has_masks else OUTPUTS[:2]
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        return self.network.head.decoded(self.network.forward_levels(images))

    def example(self, batch: int, size: ImageSize) -> Tensor:
        """An input: f32[batch, 3, height, width]."""
        return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(0))


def describe(
    network: DetectionNetwork,
    size: AnySize,
    batch: int,
    *,
    dynamic: bool,
    thresholds: Mapping[str, float] | None = None,
    suppression: Suppression | None = None,
) -> Description:
    """The description of a network, whose weights count in their order and float32 bytes."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.float().cpu().contiguous().numpy().tobytes())
    return Description(
        network.names, network.max_stride, ImageSize.of(size).plain, network.has_masks,
        dynamic, batch, digest.hexdigest(), dict(thresholds or {}), suppression,
    )  # fmt: skip
