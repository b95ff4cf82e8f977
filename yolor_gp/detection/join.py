"""Detections of several views of a picture made into those of the picture, without seams.

What two views both show is found twice: non-maximum suppression drops the worse. An object that
the edge of a view cuts is found in pieces. A piece is dropped where another view has the object
whole; pieces of different views that agree in what both show are one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.views import View
from yolor_gp.ops.boxes import paired_iou
from yolor_gp.ops.nms import class_aware_nms
from yolor_gp.structures.detections import BoxMasks, Detections

_SAME_OBJECT = 0.5
"""IoU from which on two boxes, as far as both could be seen, are of one object."""


@dataclass(frozen=True)
class _Found:
    """N detections of several views.

    boxes: f32[N, 4] in pixels of the picture; scores: f32[N]; labels, kinds: i64[N], only those of
    a kind may be the same object; view, row: i64[N], where each comes from; windows: f32[N, 4] of
    these views; cut: bool[N].
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    kinds: Tensor
    view: Tensor
    row: Tensor
    windows: Tensor
    cut: Tensor

    @staticmethod
    def of(views: Sequence[View], found: Sequence[Detections], *, class_agnostic: bool) -> _Found:
        """All that was found."""
        boxes = [view.boxes(part) for view, part in zip(views, found, strict=True)]
        counts = torch.tensor([len(part) for part in found])
        view = torch.arange(len(views)).repeat_interleave(counts)
        labels = torch.cat([part.labels.cpu() for part in found])
        return _Found(
            torch.cat(boxes),
            torch.cat([part.scores.cpu() for part in found]),
            labels,
            torch.zeros_like(labels) if class_agnostic else labels,
            view,
            torch.cat([torch.arange(len(part)) for part in found]),
            torch.tensor([view.window for view in views], dtype=torch.float32)[view],
            torch.cat([view.is_cut(part) for view, part in zip(views, boxes, strict=True)]),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Tensor) -> _Found:
        return _Found(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def and_(self, others: _Found) -> _Found:
        """These, then the others."""
        names = self.__dataclass_fields__
        return _Found(*(torch.cat((getattr(self, n), getattr(others, n))) for n in names))

    def without_repeats(self, iou: float, among: Tensor) -> _Found:
        """The best of those that overlap by more than `iou` and have the same number in `among`."""
        # In float64, as many numbers move boxes far apart.
        keep = class_aware_nms(
            self.boxes.double(),
            self.scores.double(),
            among,
            iou_threshold=iou,
            max_detections=len(self),
        )
        return self[keep]


def join(
    views: Sequence[View],
    found: Sequence[Detections],
    config: ValidationConfig,
    *,
    class_agnostic: bool = False,
) -> Detections:
    """The detections of a picture, in its pixels, from those of its views in their own frames."""
    if len(views) == 1:
        return views[0].detections(found[0], config.mask_threshold)
    all_found = _Found.of(views, found, class_agnostic=class_agnostic)
    whole, pieces = all_found[~all_found.cut], all_found[all_found.cut]
    whole = whole.without_repeats(config.nms_iou, whole.kinds)
    # The same part may have been seen mirrored, or larger.
    window = torch.unique(pieces.windows, dim=0, return_inverse=True)[1]
    pieces = pieces.without_repeats(config.nms_iou, pieces.kinds * len(views) + window)
    pieces = pieces[~_is_part_of_one(pieces, whole)]
    members = whole.and_(pieces)
    number = torch.cat((torch.arange(len(whole)), _object_of_each(pieces) + len(whole)))
    objects = _united(members, number)
    keep = class_aware_nms(
        objects.boxes,
        objects.scores,
        objects.kinds,
        iou_threshold=config.nms_iou,
        max_detections=config.max_detections,
    )
    masks = None
    if any(part.masks is not None for part in found):
        masks = _masks(views, found, members, [number == one for one in keep.tolist()], config)
    size = views[0].picture_size
    return Detections(size, objects.boxes[keep], objects.scores[keep], objects.labels[keep], masks)


def _is_part_of_one(pieces: _Found, whole: _Found) -> Tensor:
    """Which pieces are what their view shows of an object that another has whole: bool[N]."""
    piece, other = (pieces.kinds[:, None] == whole.kinds).nonzero(as_tuple=True)
    shown = _clipped(whole.boxes[other], pieces.windows[piece])
    same = paired_iou(pieces.boxes[piece], shown) > _SAME_OBJECT
    found = torch.zeros(len(pieces), dtype=torch.bool)
    found[piece[same]] = True
    return found


def _object_of_each(pieces: _Found) -> Tensor:
    """Numbers of objects, the same for pieces that belong together: i64[N]."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = (pieces.kinds[:, None] == pieces.kinds).triu(1).nonzero(as_tuple=True)
    one, other = pieces.windows[first], pieces.windows[second]
    seen_by_both = torch.cat(
        (torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])), dim=1
    )
    agreement = paired_iou(
        _clipped(pieces.boxes[first], seen_by_both), _clipped(pieces.boxes[second], seen_by_both)
    )
    same = ((agreement > _SAME_OBJECT) & (one != other).any(dim=1)).numpy()
    pairs = first.numpy()[same], second.numpy()[same]
    graph = coo_array((np.ones(len(pairs[0])), pairs), shape=(len(pieces), len(pieces)))
    return torch.from_numpy(connected_components(graph, directed=False)[1]).long()


def _clipped(boxes: Tensor, windows: Tensor) -> Tensor:
    """Boxes cut to windows: f32[N, 4], f32[N, 4] -> f32[N, 4]; inverted where they don't meet."""
    left, top, right, bottom = windows.unbind(1)
    x1, y1, x2, y2 = boxes.unbind(1)
    return torch.stack(
        (torch.maximum(x1, left), torch.maximum(y1, top),
         torch.minimum(x2, right), torch.minimum(y2, bottom)), dim=1,
    )  # fmt: skip


def _united(members: _Found, number: Tensor) -> _Found:
    """Each object from its members: the box around theirs, and the rest of the best of them."""
    count = len(torch.unique(number))
    order = members.scores.argsort(stable=True).numpy()
    best = np.zeros(count, np.int64)
    best[number.numpy()[order]] = order  # of several, the last stays
    united = members[torch.from_numpy(best)]
    corner = number[:, None].expand(-1, 2)
    low, high = members.boxes[:, :2], members.boxes[:, 2:]
    low = united.boxes[:, :2].scatter_reduce(0, corner, low, "amin")
    high = united.boxes[:, 2:].scatter_reduce(0, corner, high, "amax")
    return replace(united, boxes=torch.cat((low, high), dim=1))


def _masks(
    views: Sequence[View],
    found: Sequence[Detections],
    members: _Found,
    objects: Sequence[Tensor],
    config: ValidationConfig,
) -> BoxMasks:
    """The masks of objects, each given as bool[N], its members; nothing else is drawn."""
    wanted = torch.stack([torch.zeros_like(members.cut), *objects]).any(dim=0)
    drawn: dict[int, BoxMasks] = {}
    for index, view in enumerate(views):
        chosen = (wanted & (members.view == index)).nonzero()[:, 0]
        part = found[index].select(members.row[chosen].to(found[index].boxes.device))
        masks = view.detections(part, config.mask_threshold).masks
        assert isinstance(masks, BoxMasks)
        for place, member in enumerate(chosen.tolist()):
            drawn[member] = masks.select(torch.tensor([place]))
    size = views[0].picture_size
    parts = [[drawn[member] for member in one.nonzero()[:, 0].tolist()] for one in objects]
    return BoxMasks.together(
        size, [one[0] if len(one) == 1 else BoxMasks.together(size, one).union() for one in parts]
    )
