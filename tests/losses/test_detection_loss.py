from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.golden import plain_detector as plain
from tests.losses.loss_cases import CASES, Case, golden_case, random_case
from yolor_gp.config.train_config import LossConfig
from yolor_gp.errors import UserError
from yolor_gp.losses.detection_loss import DetectionLoss
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LossParts, RawPredictions

PARTS = ("box", "mask", "objectness", "classification")


def loss_of(case: Case) -> LossParts:
    criterion = DetectionLoss(
        case.config, num_classes=case.raw.num_classes, image_size=case.image_size
    )
    return criterion(case.raw, case.targets)


@pytest.mark.coco
@pytest.mark.parametrize("name", CASES)
def test_equals_the_golden_loss_and_gradients(shared: Path, name: str) -> None:
    case = golden_case(shared, name)
    parts = loss_of(case)
    parts.total.backward()
    assert parts.total.item() == pytest.approx(float(case.golden["loss"]), rel=1e-5)
    for part, expected in zip(PARTS, case.golden["items_box_seg_obj_cls"], strict=True):
        assert getattr(parts, part).item() == pytest.approx(expected, rel=1e-5, abs=1e-7)
    for index, leaf in enumerate(case.leaves[:3]):
        expected = torch.tensor(case.golden[f"grad_p{index}"])
        assert leaf.grad is not None
        largest = float(expected.abs().max())
        torch.testing.assert_close(leaf.grad, expected, rtol=1e-3, atol=1e-5 * largest)
    gradient = case.leaves[3].grad
    assert gradient is not None
    assert gradient.abs().sum().item() == pytest.approx(
        float(case.golden["grad_proto_abs_sum"]), rel=1e-4
    )


def shard(case: Case, begin: int, end: int) -> Case:
    """Images begin..end of a case, sharing its tensors."""
    targets = case.targets
    mine = (targets.image_index >= begin) & (targets.image_index < end)
    assert targets.index_map is not None and case.raw.prototypes is not None
    levels = tuple(replace(level, logits=level.logits[begin:end]) for level in case.raw.levels)
    raw = RawPredictions(levels, case.raw.prototypes[begin:end], case.raw.num_classes)
    part = Targets(
        targets.image_index[mine] - begin,
        targets.boxes[mine],
        targets.labels[mine],
        targets.index_map[begin:end],
    )
    return replace(case, raw=raw, targets=part)


@pytest.mark.parametrize("objects", [(3, 1, 0, 6), (4, 2, 0, 0), (0, 0, 0, 0)])
def test_the_mean_over_two_processes_is_one_process_with_all_images(
    objects: tuple[int, ...],
) -> None:
    case = random_case(objects)
    whole = loss_of(case)
    expected = torch.autograd.grad(whole.total, case.leaves)

    shards = [shard(case, 0, 2), shard(case, 2, 4)]
    counts: list[Tensor] = []

    def note(mine: Tensor) -> Tensor:
        counts.append(mine)
        return mine

    def reduced(_: Tensor) -> Tensor:
        return counts[0] + counts[1]

    totals, parts = [], []
    for reduce_counts in (note, reduced):
        results = [
            DetectionLoss(
                case.config,
                num_classes=3,
                image_size=96,
                reduce_counts=reduce_counts,
                world_size=2,
            )(one.raw, one.targets)
            for one in shards
        ]
        totals, parts = [result.total for result in results], results
    mean = torch.stack(totals).mean()
    torch.testing.assert_close(mean, whole.total)
    for found, gradient in zip(torch.autograd.grad(mean, case.leaves), expected, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)
    for name in PARTS:
        found = torch.stack([getattr(part, name) for part in parts]).mean()
        torch.testing.assert_close(found, getattr(whole, name))


@pytest.mark.parametrize("with_map", [True, False])
def test_without_objects_every_output_still_takes_part(with_map: bool) -> None:
    case = random_case((0, 0))
    if not with_map:
        case = replace(case, targets=replace(case.targets, index_map=None))
    parts = loss_of(case)
    gradients = torch.autograd.grad(parts.total, case.leaves)
    assert parts.box == parts.mask == parts.classification == 0 < parts.objectness
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[0][..., 4].any() and not gradients[0][..., 5:].any()
    assert not gradients[-1].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_predictions_are_only_rounded_once(dtype: torch.dtype) -> None:
    case = random_case((3, 2))
    assert case.raw.prototypes is not None

    def rounded(tensor: Tensor, back: bool) -> Tensor:
        half = tensor.detach().to(dtype)
        return (half.float() if back else half).requires_grad_()

    results = []
    for back in (True, False):
        levels = tuple(
            replace(level, logits=rounded(level.logits, back)) for level in case.raw.levels
        )
        raw = replace(case.raw, levels=levels, prototypes=rounded(case.raw.prototypes, back))
        one = replace(case, raw=raw)
        with torch.autocast("cpu", torch.bfloat16, enabled=not back):
            parts = loss_of(one)
        assert parts.total.dtype == torch.float32
        results.append((parts, torch.autograd.grad(parts.total, one.leaves)))
    torch.testing.assert_close(results[1][0].total, results[0][0].total)
    for half, full in zip(results[1][1], results[0][1], strict=True):
        torch.testing.assert_close(half, full.to(dtype))


def test_a_numeric_derivative_agrees() -> None:
    # Without objectness, whose targets follow the boxes but are constants in the derivative; the
    # factor of CIoU held constant is small here.
    case = replace(random_case((2, 1)), config=LossConfig(objectness=0.0))
    gradients = torch.autograd.grad(loss_of(case).total, case.leaves)
    # Uphill, where the change is largest, as float32 differences are coarse.
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    steps = [gradient / norm * 0.1 for gradient in gradients]
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            for leaf, step in zip(case.leaves, steps, strict=True):
                leaf += sign * step
            values.append(loss_of(case).total.item())
            for leaf, step in zip(case.leaves, steps, strict=True):
                leaf -= sign * step
    expected = sum(float((g * s).sum()) for g, s in zip(gradients, steps, strict=True))
    assert (values[0] - values[1]) / 2 == pytest.approx(expected, rel=2e-2)


def plain_parts(case: Case) -> dict[str, Tensor]:
    """The parts by their plain definition, with every gain 1."""
    targets, prototypes = case.targets, case.raw.prototypes
    assert prototypes is not None and targets.index_map is not None
    return plain.loss(
        [level.logits.double() for level in case.raw.levels],
        torch.stack([level.anchors for level in case.raw.levels]).double(),
        [level.stride for level in case.raw.levels],
        prototypes.double(),
        targets.image_index.tolist(),
        targets.boxes.double(),
        targets.labels.tolist(),
        targets.index_map,
        plain.Gains(1.0, 1.0, 1.0),
    )


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize(("image_size", "by_size"), [(96, False), (96, True), (320, True)])
def test_gains_scale_with_classes_levels_and_size(
    classes: int, levels: int, image_size: int, by_size: bool
) -> None:
    case = random_case((2, 1), classes=classes)
    case = replace(case, raw=replace(case.raw, levels=case.raw.levels[:levels]))
    config = LossConfig(
        box=0.11, objectness=0.6, classification=0.4, objectness_scales_with_size=by_size
    )
    found = loss_of(replace(case, config=config, image_size=image_size))
    size = (image_size / 640) ** 2 if by_size else 1.0
    gains = {"box": 0.11, "mask": 0.11, "objectness": 0.6 * size}
    gains["classification"] = 0.4 * classes / 80
    expected = plain_parts(case)
    for part, gain in gains.items():
        one = expected[part].item() * gain * 3 / levels
        assert one > 0
        assert getattr(found, part).item() == pytest.approx(one, rel=1e-5), part


def test_classes_weigh_what_is_said() -> None:
    case = random_case((2, 1, 3), classes=3)
    once = loss_of(case).classification.item()
    double = loss_of(replace(case, config=LossConfig(class_weights=(2.0, 2.0, 2.0))))
    assert double.classification.item() == pytest.approx(2 * once)
    parts = [
        loss_of(replace(case, config=LossConfig(class_weights=weights))).classification.item()
        for weights in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    ]
    assert sum(parts) == pytest.approx(once) and max(parts) < once
    with pytest.raises(UserError, match=r"class_weights: expected 3 numbers.*got 2"):
        loss_of(replace(case, config=LossConfig(class_weights=(1.0, 2.0))))


def test_where_objects_share_an_anchor_the_last_counts() -> None:
    case = random_case((1,))
    both = [0, 0]
    boxes = case.targets.boxes[both] + torch.tensor([[0.0] * 4, [2.0, 2.0, 2.0, 2.0]])
    objectness = []
    for order in ([0, 1], [1, 0]):
        targets = replace(
            case.targets,
            image_index=torch.zeros(2, dtype=torch.int64),
            boxes=boxes[order],
            labels=case.targets.labels[both],
        )
        objectness.append(loss_of(replace(case, targets=targets)).objectness.item())
        last = replace(
            targets,
            **{name: getattr(targets, name)[1:] for name in ("image_index", "boxes", "labels")},
        )
        assert objectness[-1] == pytest.approx(
            loss_of(replace(case, targets=last)).objectness.item(), rel=1e-3
        )
    assert objectness[0] != objectness[1]


def test_what_does_not_fit_is_said() -> None:
    case = random_case((1,))
    with pytest.raises(ValueError, match="expected 4 classes"):
        DetectionLoss(case.config, num_classes=4, image_size=96)(case.raw, case.targets)
    small = replace(case.targets, index_map=torch.zeros(1, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"index_map: expected whole multiples of \[16, 24\]"):
        loss_of(replace(case, targets=small))
