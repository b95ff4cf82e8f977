"""Cross entropy of predicted masks inside their objects' boxes [YOLACT] [YOLOv5].

The loss of one positive is a sum over the cells of its object's box, and all positives of an object
share that box. So prototypes are gathered once per object, only inside the box, and multiplied with
the coefficients of all its positives at once: nothing as large as positives x H/4 x W/4 exists.
The gradient is as cheap as the loss while the logits are at hand, so both are computed together,
a bounded piece at a time, and nothing but the gradient is kept for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from yolor_gp.structures.batch import Targets
from yolor_gp.structures.tensors import to_device

_PIECE = {"cpu": 1 << 16, "cuda": 1 << 25}
"""Logits held at a time: what fits a core's cache, or keeps a GPU busy (128 MB)."""


def mask_loss(
    coefficients: Tensor,
    prototypes: Tensor,
    index_map: Tensor,
    targets: Targets,
    target: Tensor,
    weight: Tensor,
    image_size: tuple[int, int],
) -> Tensor:
    """The weighted sum over P positives of their mask losses, a float32 scalar.

    coefficients: [P, K]; prototypes: [B, K, h, w]; index_map: [B, r h, r w], see `Targets`;
    target: i64[P], the object of each positive; weight: f32[P]; image_size: (height, width) in
    pixels of the images that `targets.boxes` lie in.
    A positive's loss is the cross entropy of coefficients @ prototypes against the object's mask,
    kept inside the box, averaged over all h * w cells and divided by the box's relative area. With
    r > 1 the mask of a cell is the share of its r * r points that the object covers.
    Float32 also under autocast; an empty P gives 0 with zero gradients. The shapes of the pieces
    depend on the boxes, so this waits for the device on which `targets`, `target` and `weight` are;
    best they are on the host.
    """
    device = prototypes.device
    height, width = prototypes.shape[2:]
    limit = _PIECE.get(device.type, 1 << 22)
    plan = _plan((height, width), targets, target, weight, image_size, limit).to(device)
    flat = prototypes.float().permute(0, 2, 3, 1).flatten(0, 2)
    points = _points_of_cells(index_map, height, width)
    total: Tensor = _MaskLoss.apply(coefficients.float(), flat, points, plan)
    return total


def _points_of_cells(index_map: Tensor, height: int, width: int) -> Tensor:
    """[B, r h, r w] -> [B h w, r r]: the points of every cell."""
    images, side = len(index_map), index_map.shape[1] // height
    cells = index_map.view(images, height, side, width, side).transpose(2, 3)
    return cells.reshape(-1, side * side)


@dataclass(frozen=True)
class _Plan:
    """Objects with positives, smallest box first, and their positives, grouped by object.

    first_cell: i64[T], box's first cell in the flattened maps; width, area: i64[T] in cells;
    stride: cells per row of the map; instance: i64[T], value in the index map;
    start, count: each object's slice of `order`, which lists positives; weight: f32[P].
    """

    first_cell: Tensor
    width: Tensor
    area: Tensor
    stride: int
    instance: Tensor
    start: Tensor
    count: Tensor
    order: Tensor
    weight: Tensor
    pieces: list[tuple[int, int, int, int]]

    def to(self, device: torch.device) -> _Plan:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
        sent: dict[str, Any] = {name: to_device(value, device) for name, value in tensors.items()}
        return replace(self, **sent)


def _plan(
    map_size: tuple[int, int],
    targets: Targets,
    target: Tensor,
    weight: Tensor,
    image_size: tuple[int, int],
    limit: int,
) -> _Plan:
    (rows, columns), device = map_size, target.device
    cells = torch.tensor((columns, rows) * 2, dtype=torch.float32, device=device)
    pixels = torch.tensor((image_size[1], image_size[0]) * 2, dtype=torch.float32, device=device)
    relative = targets.boxes / pixels
    # A cell belongs to the box when its index lies in [left, right): so the end rounds up, too.
    window = (relative * cells).ceil().clamp(min=0).minimum(cells).long()
    size = (window[:, 2:] - window[:, :2]).clamp(min=0)
    area = size[:, 0] * size[:, 1]
    count = torch.bincount(target, minlength=len(targets))
    # A box too small to hold a cell may begin behind the last one; it is read, and weighs nothing.
    corner = window[:, :2].minimum(cells[:2].long() - 1)
    first = (targets.image_index * rows + corner[:, 1]) * columns + corner[:, 0]
    own = torch.searchsorted(targets.image_index, targets.image_index)
    instance = torch.arange(len(targets), device=target.device) - own + 1

    by_area = area.argsort()
    start = count.cumsum(0) - count
    sides = relative[:, 2:] - relative[:, :2]
    scale = (sides[:, 0] * sides[:, 1])[target] * (rows * columns)
    areas, counts = torch.stack((area[by_area], count[by_area])).tolist()
    return _Plan(
        first_cell=first[by_area],
        width=size[by_area, 0],
        area=area[by_area],
        stride=columns,
        instance=instance[by_area],
        start=start[by_area],
        count=count[by_area],
        order=target.argsort(stable=True),
        weight=weight / scale,
        pieces=_pieces(areas, counts, limit),
    )


def _pieces(areas: list[int], counts: list[int], limit: int) -> list[tuple[int, int, int, int]]:
    """(first, last, most cells, most positives) of runs of objects that fit `limit` logits."""
    pieces = []
    begin, most_area, most_count = 0, 0, 0
    for index, (area, count) in enumerate(zip(areas, counts, strict=True)):
        wider, taller = max(most_area, area), max(most_count, count)
        if index > begin and (index + 1 - begin) * wider * taller > limit:
            pieces.append((begin, index, most_area, most_count))
            begin, wider, taller = index, area, count
        most_area, most_count = wider, taller
    pieces.append((begin, len(areas), most_area, most_count))
    return [piece for piece in pieces if piece[2] * piece[3] > 0]


class _MaskLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, prototypes: Tensor, points: Tensor, plan: _Plan
    ) -> Tensor:
        total = coefficients.new_zeros(())
        coefficient_gradient = torch.zeros_like(coefficients)
        prototype_gradient = torch.zeros_like(prototypes)
        for first, last, cells, positives in plan.pieces:
            objects = slice(first, last)
            position = torch.arange(cells, device=coefficients.device)
            width = plan.width[objects, None].clamp(min=1)
            inside = position < plan.area[objects, None]
            cell = plan.first_cell[objects, None] + torch.where(
                inside, position // width * plan.stride + position % width, 0
            )
            slot = torch.arange(positives, device=coefficients.device)
            taken = slot < plan.count[objects, None]
            positive = plan.order[torch.where(taken, plan.start[objects, None] + slot, 0)]
            weight = torch.where(taken, plan.weight[positive], 0)

            local = prototypes[cell]
            chosen = coefficients[positive]
            shape = (last - first, positives, cells)
            # The out= forms stay in float32 under autocast.
            logits = torch.bmm(chosen, local.mT, out=chosen.new_empty(shape))
            covered = points[cell] == plan.instance[objects, None, None]
            truth = covered.float().mean(-1)[:, None].expand(shape)
            share = weight[:, :, None] * inside[:, None]
            loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
            total += (loss * share).sum()
            slope = logits.sigmoid_().sub_(truth).mul_(share)
            gradient = torch.bmm(slope, local, out=torch.empty_like(chosen))
            coefficient_gradient.index_add_(0, positive.flatten(), gradient.flatten(0, 1))
            gradient = torch.bmm(slope.mT, chosen, out=torch.empty_like(local))
            prototype_gradient.index_add_(0, cell.flatten(), gradient.flatten(0, 1))
        ctx.save_for_backward(coefficient_gradient, prototype_gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        coefficient_gradient, prototype_gradient = ctx.saved_tensors
        return coefficient_gradient * upstream[0], prototype_gradient * upstream[0], None, None
