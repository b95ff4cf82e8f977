"""Several networks as one, which finds what any of them finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolor_gp.errors import UserError
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.candidates import Candidates


class EnsembleHead(nn.Module):
    """The candidates of all members, to go through one non-maximum suppression."""

    def __init__(self, members: Sequence[DetectionNetwork], has_masks: bool) -> None:
        super().__init__()
        self.num_classes = members[0].num_classes
        self.has_masks = has_masks
        self._members = tuple(members)

    def candidates(self, predictions: Sequence[Any], confidence: float) -> Candidates:
        """The boxes of all members with a score above `confidence`.

        Each has coefficients for the prototypes of all members, 0 but for those of its own.
        """
        found = [
            member.head.candidates(prediction, confidence)
            for member, prediction in zip(self._members, predictions, strict=True)
        ]
        scores = 1 + self.num_classes
        if self.has_masks:
            prototypes = torch.cat(
                [part.prototypes for part in found if part.prototypes is not None], 1
            )
            values, before = [], 0
            for part in found:
                own = part.values[:, scores:]
                after = prototypes.shape[1] - before - own.shape[1]
                values.append(torch.cat((part.values[:, :scores], F.pad(own, (before, after))), 1))
                before += own.shape[1]
        else:
            prototypes, values = None, [part.values[:, :scores] for part in found]
        return Candidates(
            images=found[0].images,
            image_size=found[0].image_size,
            image=torch.cat([part.image for part in found]),
            boxes=torch.cat([part.boxes for part in found]),
            values=torch.cat(values),
            num_classes=self.num_classes,
            prototypes=prototypes,
        )


class Ensemble(nn.Module):
    """Runs several networks where one `DetectionNetwork` is expected to detect.

    It draws masks where all members do. It cannot be trained, saved or looked into.

    Raises:
        UserError: When the members have different numbers of classes.
    """

    def __init__(self, members: Sequence[DetectionNetwork], sources: Sequence[str]) -> None:
        super().__init__()
        if not members:
            raise UserError("no weights are given; name at least one file")
        self.source = ", ".join(sources)
        for member, source in zip(members, sources, strict=True):
            if member.num_classes != members[0].num_classes:
                raise UserError(
                    f"{source}: {member.num_classes} classes, but {sources[0]} has"
                    f" {members[0].num_classes}; networks work together on the same classes"
                )
        self.members = nn.ModuleList(members)
        self.names = members[0].names
        self.has_masks = all(member.has_masks for member in members)
        self.max_stride = math.lcm(*(member.max_stride for member in members))
        self.head = EnsembleHead(members, self.has_masks)

    @property
    def num_classes(self) -> int:
        """C."""
        return self.head.num_classes

    @property
    def spec(self) -> NoReturn:
        """Several networks have no one model file.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.source}: are several networks; load one of them")

    def forward(self, images: Tensor) -> list[Any]:
        """f32[B, 3, H, W] in 0..1 -> the predictions of each member."""
        return [member(images) for member in self.members]
