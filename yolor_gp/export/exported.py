"""An exported file as a network: what `val.py`, `detect.py` and `load` take like weights."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn, Self

import numpy as np
import torch
from torch import Tensor, nn

import yolor_gp.export.onnx  # noqa: F401
import yolor_gp.export.openvino  # noqa: F401  (both enter their format)
from yolor_gp.errors import UserError
from yolor_gp.export.formats import Array, Session, format_of
from yolor_gp.export.graph import Description
from yolor_gp.models.plan import check_image_size
from yolor_gp.structures.candidates import Candidates

Outputs = tuple[Tensor, ...]


class ExportedHead(nn.Module):
    """Candidates of decoded boxes."""

    def __init__(self, description: Description) -> None:
        super().__init__()
        self.num_classes = len(description.names)
        self.size = (0, 0)

    def candidates(self, predictions: Outputs, confidence: float) -> Candidates:
        """The boxes with a score above `confidence`."""
        boxes, scores, *masks = predictions
        image, row = (scores.amax(dim=2) > confidence).nonzero(as_tuple=True)
        found = scores[image, row]
        # The scores hold objectness already.
        values = [torch.ones_like(found[:, :1]), found, *(part[image, row] for part in masks[:1])]
        return Candidates(
            images=len(boxes),
            image_size=self.size,
            image=image,
            boxes=boxes[image, row],
            values=torch.cat(values, 1),
            num_classes=self.num_classes,
            prototypes=masks[1] if masks else None,
        )


class ExportedNetwork(nn.Module):
    """Runs a file of another runtime where a `DetectionNetwork` is expected to detect.

    It cannot be trained, folded or looked into.
    """

    def __init__(self, file: Path, description: Description, session: Session) -> None:
        super().__init__()
        self.file, self.description, self._session = file, description, session
        self.head = ExportedHead(description)
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
        whole = [np.concatenate(part) for part in zip(*parts, strict=True)]
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
