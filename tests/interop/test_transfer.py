"""Fine-tuning: what fits is copied, rows of known classes are kept, the rest is reported."""

from __future__ import annotations

import pytest
import torch

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.interop.transfer import transfer
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork

CONV = "head.levels.0.conv.weight"
BIAS = "head.levels.0.conv.bias"
MULTIPLIER = "head.levels.0.implicit_multiply.value"


def _network(
    names: tuple[str, ...], head: str = "ISegment, [nc, anchors, 4, 8]", width: int = 8
) -> DetectionNetwork:
    text = f"""
nc: {len(names)}
anchors: [[10,13, 16,30]]
backbone:
  - [-1, 1, Conv, [{width}, 3, 2]]
head:
  - [-1, 1, {head}]
"""
    network = build_network(ModelSpec.from_text(text, "small.yaml"), names=names)
    assert isinstance(network, DetectionNetwork)
    return network


SOURCE_NAMES = ("cat", "dog", "cow")


@pytest.fixture
def source() -> DetectionNetwork:
    torch.manual_seed(0)
    return _network(SOURCE_NAMES)


def _rows(network: DetectionNetwork, name: str) -> torch.Tensor:
    tensor = network.state_dict()[name]
    return tensor.flatten().reshape(2, network.head.outputs_per_anchor, -1)


def test_the_same_classes_are_copied_whole(source: DetectionNetwork) -> None:
    target = _network(SOURCE_NAMES)
    report = transfer(source.state_dict(), target, SOURCE_NAMES)
    assert not report.partly and not report.left_out and not report.fresh
    assert all(torch.equal(a, b) for a, b in zip(
        source.state_dict().values(), target.state_dict().values(), strict=True
    ))  # fmt: skip


@pytest.mark.parametrize("name", [CONV, BIAS, MULTIPLIER])
def test_other_classes_keep_boxes_masks_and_known_classes(
    source: DetectionNetwork, name: str
) -> None:
    torch.manual_seed(1)
    target = _network(("horse", "cow", "cat", "ant"))
    before = _rows(target, name).clone()
    report = transfer(source.state_dict(), target, SOURCE_NAMES)
    assert set(report.partly) == {CONV, BIAS, MULTIPLIER}
    assert "2 of 4 classes" in report.partly[name] and "mask coefficients" in str(report)
    given, found = _rows(source, name), _rows(target, name)
    assert torch.equal(found[:, :5], given[:, :5])
    assert torch.equal(found[:, -4:], given[:, -4:])
    assert torch.equal(found[:, 6], given[:, 7])  # cow
    assert torch.equal(found[:, 7], given[:, 5])  # cat
    assert torch.equal(found[:, [5, 8]], before[:, [5, 8]])  # horse and ant start fresh


def test_the_same_classes_in_another_order_are_matched_by_name(source: DetectionNetwork) -> None:
    target = _network(("dog", "cat", "cow"))
    transfer(source.state_dict(), target, SOURCE_NAMES)
    assert torch.equal(_rows(target, CONV)[:, 5], _rows(source, CONV)[:, 6])


def test_as_many_unknown_classes_are_copied_whole(source: DetectionNetwork) -> None:
    target = _network(("a", "b", "c"))
    transfer(source.state_dict(), target, SOURCE_NAMES)
    assert torch.equal(_rows(target, CONV), _rows(source, CONV))


def test_without_names_a_decoder_of_another_size_is_left_out(source: DetectionNetwork) -> None:
    report = transfer(source.state_dict(), _network(("a",)))
    assert set(report.left_out) == {CONV, BIAS, MULTIPLIER}
    assert "left out, its shape is [24, 8, 1, 1], the network's [20, 8, 1, 1]" in str(report)


def test_boxes_go_to_a_network_with_masks() -> None:
    source = _network(("cat", "dog"), "IDetect, [nc, anchors]")
    target = _network(("dog",))
    report = transfer(source.state_dict(), target, ("cat", "dog"))
    assert torch.equal(_rows(target, CONV)[:, :5], _rows(source, CONV)[:, :5])
    assert torch.equal(_rows(target, CONV)[:, 5], _rows(source, CONV)[:, 6])
    assert any("mask_head" in name for name in report.fresh)
    assert "mask coefficients" not in report.partly[CONV]


def test_another_width_leaves_everything_out(source: DetectionNetwork) -> None:
    report = transfer({CONV: source.state_dict()[CONV]}, _network(("a",), width=16), SOURCE_NAMES)
    assert not report.copied and not report.partly and set(report.left_out) == {CONV}


def test_the_summary_is_one_line(source: DetectionNetwork) -> None:
    report = transfer(source.state_dict(), _network(("cow",)), SOURCE_NAMES)
    total = len(source.state_dict())
    assert report.summary.startswith(f"{total - 3} of {total} tensors, 3 in part (kept boxes")
    assert "1 of 1 classes" in report.summary


def test_what_the_network_has_not_is_reported(source: DetectionNetwork) -> None:
    extra = {**source.state_dict(), "other": torch.ones(1)}
    report = transfer(extra, _network(SOURCE_NAMES))
    assert report.left_out == {"other": "the network has no such tensor"}
