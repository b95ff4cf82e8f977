"""An exported file as a network: what `val.py`, `detect.py` and `load` take like weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Self

import numpy as np
import torch
from torch import Tensor, nn

import yolor_gp.export.executorch  # noqa: F401
import yolor_gp.export.onnx  # noqa: F401
import yolor_gp.export.openvino  # noqa: F401  (each enters its format)
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.errors import UserError
from yolor_gp.export.formats import Array, Session, format_of
from yolor_gp.export.graph import Description
from yolor_gp.export.heads import ExportedHead, Outputs, SuppressedHead
from yolor_gp.models.plan import check_image_size

_log = logging.getLogger(__name__)


class ExportedNetwork(nn.Module):
    """Runs a file of another runtime where a `DetectionNetwork` is expected to detect.

    It cannot be trained, folded or looked into.
    """

    def __init__(self, file: Path, description: Description, session: Session) -> None:
        super().__init__()
        self.file, self.description, self._session = file, description, session
        kind = SuppressedHead if description.suppression else ExportedHead
        self.head = kind(len(description.names))
        self.names = description.names
        self.has_masks = description.has_masks
        self.max_stride = description.stride
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.names)

    @property
    def spec(self) -> NoReturn:
        """An exported file has no model file.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.file}: is exported; load the weights it was made of")

    def forward(self, images: Tensor) -> Outputs:
        """f32[B, 3, H, W] in 0..1 -> the outputs of the graph."""
        self._check(images)
        self.head.size = (images.shape[2], images.shape[3])
        pictures = images.float().cpu().numpy()
        parts = [self._session(pictures)] if self.description.is_dynamic else self._parts(pictures)
        whole = [_joined(part) for part in zip(*parts, strict=True)]
        return tuple(torch.from_numpy(part).to(images.device) for part in whole)

    def _parts(self, pictures: Array) -> list[list[Array]]:
        """As many at once as the graph takes; the last ones are filled up and cut again."""
        batch, parts = self.description.batch, []
        for begin in range(0, len(pictures), batch):
            part = pictures[begin : begin + batch]
            filled = np.concatenate(
                (part, np.zeros((batch - len(part), *part.shape[1:]), np.float32))
            )
            parts.append([output[: len(part)] for output in self._session(filled)])
        return parts

    def _check(self, images: Tensor) -> None:
        height, width = images.shape[2:]
        size = self.description.size
        if not self.description.is_dynamic and (height, width) != size:
            raise UserError(
                f"{self.file}: takes {size.width}x{size.height} pixels, found {width}x{height}; use"
                f" --img {size}, or export without --static"
            )

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # a session cannot be copied, and nothing changes it


def _joined(parts: Sequence[Array]) -> Array:
    """Batches as one; of kept boxes each batch has as many rows as it needs."""
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    rows = max(part.shape[1] for part in parts)
    others = ((0, 0),) * (parts[0].ndim - 2)
    return np.concatenate(
        [np.pad(part, ((0, 0), (0, rows - part.shape[1]), *others)) for part in parts]
    )


def tell_limits(network: nn.Module, config: ValidationConfig) -> None:
    """Say so where an exported file has dropped what `config` would keep."""
    fixed = network.description.suppression if isinstance(network, ExportedNetwork) else None
    if fixed and (
        config.confidence < fixed.confidence
        or config.nms_iou > fixed.iou
        or config.max_detections > fixed.max_detections
    ):
        _log.warning(
            "%s: has suppression inside (%s), which cannot be looser; export without --nms, or with"
            " what is wanted",
            network.file, fixed,
        )  # fmt: skip


def is_exported(path: str | Path) -> bool:
    """Whether a file is one of an export format."""
    return format_of(path) is not None


def open_exported(path: str | Path) -> ExportedNetwork:
    """The network in an exported file.

    Raises:
        UserError: When it cannot be opened, or was not exported by this project.
    """
    file = Path(path)
    found = format_of(file)
    if found is None or not file.is_file():
        raise UserError(f"{file}: no such file; expected one that export_model.py wrote")
    description, session = found.open(file)
    check_image_size(description.size, description.stride)
    return ExportedNetwork(file, description, session)
