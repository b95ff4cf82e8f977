"""From what an exported graph gives to candidates: of every box, or of those that are kept."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolor_gp.structures.candidates import Candidates

Outputs = tuple[Tensor, ...]

_SMALLEST = 1e-6
"""A mask's probability: nearer to 0 and 1 its logit is not followed."""


class ExportedHead(nn.Module):
    """Candidates of a graph that gives every box.

    Attributes:
        size: (height, width) of the input that the predictions are of.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.size = (0, 0)

    def candidates(self, predictions: Outputs, confidence: float) -> Candidates:
        """The boxes with a score above `confidence`."""
        boxes, scores, *masks = predictions
        image, row = (scores.amax(dim=2) > confidence).nonzero(as_tuple=True)
        found = scores[image, row]
        # The scores hold objectness already.
        values = [torch.ones_like(found[:, :1]), found, *(part[image, row] for part in masks[:1])]
        return self._candidates(image, boxes[image, row], values, masks[1:], len(boxes))

    def _candidates(
        self,
        image: Tensor,
        boxes: Tensor,
        values: list[Tensor],
        prototypes: list[Tensor],
        images: int,
    ) -> Candidates:
        return Candidates(
            images=images,
            image_size=self.size,
            image=image,
            boxes=boxes,
            values=torch.cat(values, 1),
            num_classes=self.num_classes,
            prototypes=prototypes[0] if prototypes else None,
        )


class SuppressedHead(ExportedHead):
    """Candidates of a graph that has chosen already (`export.suppression`)."""

    def candidates(self, predictions: Outputs, confidence: float) -> Candidates:
        """Those it kept, as far as their score is above `confidence`.

        Each mask is a prototype of its own.
        """
        counts, boxes, scores, labels, *masks = predictions
        most = scores.shape[1]
        rows = torch.arange(most, device=counts.device)
        image, row = ((rows < counts[:, None]) & (scores > confidence)).nonzero(as_tuple=True)
        values = [
            scores[image, row][:, None],
            F.one_hot(labels[image, row], self.num_classes).float(),
        ]
        if masks:
            values.append(F.one_hot(row, most).float())
        logits = [torch.logit(part, eps=_SMALLEST) for part in masks]
        return self._candidates(image, boxes[image, row], values, logits, len(boxes))
