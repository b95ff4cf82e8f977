"""Darknet's configurations and weights: what they give, what they fill, what is refused."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import yolor_gp
from tests.interop.darknet_files import CFG, HEADER, numbers_of, random_network, write_darknet
from yolor_gp.commands.main import main
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.detection.networks import load_network, transfer
from yolor_gp.errors import UserError
from yolor_gp.interop.darknet_cfg import parse_darknet_cfg, read_darknet_cfg
from yolor_gp.interop.darknet_weights import read_darknet_weights
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork
from yolor_gp.models.summary import summarize
from yolor_gp.ops.anchor_decode import decode_level
from yolor_gp.ops.boxes import xyxy_to_cxcywh
from yolor_gp.structures.predictions import LevelPrediction
from yolor_gp.weights import read_weights

NARROWED = ["yolov3-spp_w0125", "yolov4-csp-swish_w0125", "yolov7_w0125"]


def rows_of(level: LevelPrediction, side: int) -> torch.Tensor:
    """[cells * A, 5 + C] as Darknet's reader gives them: relative boxes, scores above 0.2."""
    decoded = decode_level(level.logits, level.anchors, level.stride, level.coding)
    objectness = level.logits[..., 4:5].sigmoid()
    scores = level.logits[..., 5:].sigmoid() * objectness
    scores = torch.where(scores < 0.2, 0.0, scores)
    rows = torch.cat((xyxy_to_cxcywh(decoded) / side, objectness, scores), dim=-1)
    return rows[0].permute(1, 2, 0, 3).flatten(0, 2)


@pytest.mark.coco
@pytest.mark.parametrize("fold", [False, True], ids=["as is", "folded"])
@pytest.mark.parametrize("name", NARROWED)
def test_outputs_equal_those_of_darknet_s_reader(shared: Path, name: str, fold: bool) -> None:
    file = shared / f"darknet/{name}.weights"
    order = read_darknet_cfg(file.with_suffix(".cfg")).yolo_order
    network = load_network(file)
    if fold:
        network = fuse(network)
    with np.load(file.with_suffix(".npz")) as archive:
        recorded = {key: torch.from_numpy(archive[key]) for key in archive}
    with torch.no_grad():
        raw = network(recorded["x"])
    for kind in ("conv", "rows"):
        keys = sorted((key for key in recorded if key.startswith(kind)), key=lambda k: int(k[5:]))
        for key, place in zip(keys, order, strict=True):
            level = raw.levels[place]
            if kind == "rows":
                found = rows_of(level, recorded["x"].shape[3])
            else:
                found = level.logits.permute(0, 1, 4, 2, 3).flatten(1, 2)
            torch.testing.assert_close(found, recorded[key], rtol=0, atol=1e-4)


@pytest.mark.coco
@pytest.mark.parametrize(
    ("name", "side", "gflops", "convolutions"),
    # As their authors state them, in multiply-adds times two.
    [
        ("darknet53", 256, 18.57, 53),
        ("yolov3-spp", 608, 141.45, 76),
        ("yolov3-tiny-prn", 416, 3.467, 13),
        ("yolov4-csp-swish", 640, 120.2, 115),
        ("yolov4-csp-x-swish", 640, 222.0, 137),
        ("yolov7", 640, 104.7, 92),
        ("yolov7-tiny", 416, 5.8, 58),
        ("yolo-fastest-1.1", 320, 0.252, 84),
    ],
)
def test_published_networks_cost_what_is_stated(
    shared: Path, name: str, side: int, gflops: float, convolutions: int
) -> None:
    model = read_darknet_cfg(shared / f"darknet/{name}.cfg")
    assert len(model.convolutions) == convolutions
    assert summarize(model.spec, side).gflops_conv == pytest.approx(gflops, rel=0.005)


@pytest.mark.coco
@pytest.mark.parametrize(
    ("cfg", "model", "taken", "same"),
    [
        pytest.param("yolov4-csp-swish", "yolor-csp", "112 of 112", True, marks=pytest.mark.slow),
        ("yolov7", "yolor-elan", "89 of 89", True),
        pytest.param("yolov3-spp", "yolor-v3", "73 of 73", False, marks=pytest.mark.slow),
        pytest.param("yolov3-spp", "yolor-prn", "73 of 73", False, marks=pytest.mark.slow),
    ],
)
def test_published_networks_fill_ours(
    shared: Path, tmp_path: Path, cfg: str, model: str, taken: str, same: bool
) -> None:
    there = read_darknet_cfg(shared / f"darknet/{cfg}.cfg")
    source = random_network(there)
    weights = tmp_path / f"{cfg}.weights"
    weights.write_bytes(HEADER + numbers_of(there, source).tobytes())
    (tmp_path / f"{cfg}.cfg").write_bytes((shared / f"darknet/{cfg}.cfg").read_bytes())
    read = read_weights(weights)
    assert len(read.names) == 80 and read.names[0] == "person"
    network = build_network(load_model_spec(model), names=read.names)
    assert isinstance(network, DetectionNetwork) and network.has_masks
    report = transfer(network, read)
    assert taken in report.summary and "3 of 3 levels" in report.summary, report.summary
    assert ("another activation" in report.summary) != same
    if not same:
        return
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected, found = source(image), network.eval()(image)
    for own, other in zip(found.levels, expected.levels, strict=True):
        torch.testing.assert_close(own.logits[..., :85], other.logits, rtol=1e-4, atol=1e-4)


ALIKE = """
nc: 3
anchors: [[4,5, 7,9, 12,14], [12,14, 20,30, 33,40]]
backbone:
  - {block: Conv, out_channels: 6, kernel: 3, stride: 2, activation: leaky_relu}
  - {block: Conv, out_channels: 12, kernel: 3, stride: 2, name: stem}
  - {block: Conv, out_channels: 6, name: enter}
  - {block: Conv, out_channels: 6, kernel: 3, groups: 2, activation: mish}
  - {block: Add, from: [-1, enter], activation: leaky_relu, name: inner}
  - {block: Conv, out_channels: 6, from: stem, name: bypass}
  # The other way round than in the .cfg.
  - {block: Concat, from: [bypass, inner], name: joined}
  - {block: MaxPool, kernel: 2, stride: 2, padding: 0}
  - {block: MaxPool, kernel: 2, stride: 1, padding: 0, after: 1, name: coarse}
head:
  - {block: Upsample, from: coarse}
  - {block: Concat, from: [inner, -1], name: fine}
  - {block: AnchorHead, from: [fine, coarse], num_classes: nc, anchors: anchors, masks: 0,
     scale_xy: [1.0, 1.05], exponential: true}
"""


def test_a_network_wired_alike_is_filled_whatever_its_order(tmp_path: Path) -> None:
    weights = write_darknet(tmp_path, CFG.replace("groups=2\ngroup_id=1\n", ""))
    (tmp_path / "own.yaml").write_text(ALIKE)
    network = build_network(load_model_spec(tmp_path / "own.yaml"))
    source = load_network(weights)
    assert isinstance(network, DetectionNetwork)
    report = transfer(network, read_weights(weights))
    assert report.summary.startswith(
        "5 of 5 convolutions along the wiring, 2 of 2 levels of the head ("
    ), report.summary
    assert "layers.2 <- layers.3" in str(report)  # enter and bypass are told apart by what follows
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        levels = zip(network.eval()(image).levels, source(image).levels, strict=True)
        for own, other in levels:
            torch.testing.assert_close(own.logits, other.logits, rtol=1e-4, atol=1e-5)
            assert own.coding == other.coding


def test_a_small_network_goes_there_and_back(tmp_path: Path) -> None:
    weights = write_darknet(tmp_path)
    model = read_darknet_cfg(tmp_path / "small.cfg")
    network, written = load_network(weights), random_network(model)
    assert network.names == ("cell", "platelet", "other cell") and model.image_size == (64, 64)
    assert [level.exponential for level in network.anchor_head.codings] == [True, True]
    for name, value in written.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert model.yolo_order == (1, 0)
    assert network.strides == (4, 8)


def test_a_window_of_two_reaches_to_the_right_and_down() -> None:
    text = (
        CFG.split("[convolutional]")[0]
        + """
[maxpool]
size=2
stride=1
[convolutional]
filters=8
size=1
activation=linear
[yolo]
anchors=4,5
classes=3
"""
    )
    network = build_network(parse_darknet_cfg(text, "pool.cfg").spec)
    image = torch.rand(1, 3, 64, 64)
    found = network.layers[0](image)
    padded = torch.nn.functional.pad(image, (0, 1, 0, 1), value=-1.0)
    expected = torch.nn.functional.max_pool2d(padded, 2, 1)
    assert torch.equal(found, expected)


def test_a_classifier_and_a_partial_file(tmp_path: Path) -> None:
    text = (
        CFG.split("[route]")[0]
        + """
[avgpool]
[convolutional]
filters=5
size=1
activation=linear
[softmax]
groups=1
"""
    )
    weights = write_darknet(tmp_path, text, "classes")
    (tmp_path / "classes.names").unlink()
    model = read_darknet_cfg(tmp_path / "classes.cfg")
    assert isinstance(build_network(model.spec), ClassifierNetwork)
    assert read_darknet_weights(weights).is_whole
    whole = weights.read_bytes()
    last = 4 * (5 + 5 * 6)
    partial = tmp_path / "classes.conv.3"
    partial.write_bytes(whole[:-last])
    read = read_darknet_weights(partial)
    assert (read.found, read.seen) == (3, 32013312)
    (tmp_path / "own.yaml").write_text(ALIKE)
    network = build_network(load_model_spec(tmp_path / "own.yaml"))
    assert isinstance(network, DetectionNetwork)
    report = transfer(network, read_weights(partial))
    assert report.summary.startswith("3 of 3 convolutions along the wiring; 2 of 5 here start")
    with pytest.raises(UserError, match=r"classes.conv.3: holds 3 of the 4 convolutions"):
        load_network(partial)


@pytest.mark.parametrize("version", [(0, 1), (0, 2), (1, 0)])
def test_both_headers(tmp_path: Path, version: tuple[int, int]) -> None:
    weights = write_darknet(tmp_path)
    numbers = weights.read_bytes()[len(HEADER) :]
    long = version != (0, 1)
    weights.write_bytes(struct.pack("<3iQ" if long else "<3iI", *version, 0, 77) + numbers)
    assert read_darknet_weights(weights).seen == 77


def damaged(weights: Path, change: str) -> None:
    content = bytearray(weights.read_bytes())
    if change == "short":
        content = content[:-100]
    elif change == "cut inside a number":
        content = content[:-3]
    elif change == "long":
        content += bytes(400)
    elif change == "nan":
        content[len(HEADER) + 4 * 13 : len(HEADER) + 4 * 14] = struct.pack("<f", float("nan"))
    elif change == "empty":
        content = bytearray()
    elif change == "text":
        content = bytearray(b"<html>not found</html>" * 20)
    weights.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("short", r"ends in section 16 \(convolution 7 of 7, .*small.cfg:\d+\): expected 240"
                  " numbers for it, found 215; it is cut off, or of another .cfg"),
        ("cut inside a number", "found 239"),
        ("long", "holds 100 numbers more than"),
        ("nan", r"section 0 has numbers that are not finite \(running mean\)"),
        ("empty", "0 bytes are no Darknet weights"),
        ("text", "no Darknet weights"),
    ],
)  # fmt: skip
def test_damaged_weights_are_refused(tmp_path: Path, change: str, expected: str) -> None:
    weights = write_darknet(tmp_path)
    damaged(weights, change)
    with pytest.raises(UserError, match=expected):
        read_weights(weights)


def test_weights_without_their_cfg(tmp_path: Path) -> None:
    weights = write_darknet(tmp_path)
    (tmp_path / "small.cfg").rename(tmp_path / "other.cfg")
    with pytest.raises(UserError, match=r"expected .*small.cfg, or name it with --cfg"):
        read_weights(weights)
    assert read_weights(weights, tmp_path / "other.cfg").spec.num_classes == 3
    (tmp_path / "other.names").write_text("a\nb\n")
    with pytest.raises(UserError, match=r"other.names: 2 class names, but .* has 3 classes"):
        read_weights(weights, tmp_path / "other.cfg")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[net]", "[convolutional]", "begins with"),
        (
            "[dropout]",
            "[dropuot]",
            r"cfg:49: \[dropuot\]: is not supported; did you mean 'dropo",
        ),
        ("filters=6", "filters=six", ":10: .*'filters' must be a whole number from 1 to 65536"),
        ("filters=6", "filtres=6", ":10: .*'filtres' is not supported; did you mean 'filters'"),
        ("activation=mish", "activation=mihs", "unknown activation 'mihs'; did you mean 'mish'"),
        ("from=-3", "from=-30", "gives -30, but 7 sections come before"),
        ("from=-3", "from=99", "gives 99"),
        ("layers=-1,-6", "layers=", "gives no numbers"),
        ("layers=-1,-6", "layers=-1,-8", "joins maps of different sizes"),
        ("layers=-3\n", "layers=-2\n", r"reads section 11 \(\[convolutional\], line 67\)"),
        ("filters=24", "filters=25", "25 filters before a .yolo. of 3 anchors and 3 classes"),
        ("classes=3", "classes=4", "every .yolo. must have the same classes; another one has 3"),
        ("mask=2,3,4", "mask=2,3,9", "'mask' picks anchor 9 of 5"),
        ("anchors=4,5, 7", "anchors=4,x, 7", "'anchors' must be pairs of sizes"),
        ("scale_x_y=1.05", "scale_x_y=nan", "'scale_x_y' must be a number from 1.0 to 4.0"),
        ("scale_x_y=1.05", "new_coords=1", "activation must be logistic"),
        ("groups=2\nfilters=6", "groups=4\nfilters=6", r"does not fit inputs of .* 6x16x16|groups"),
        ("channels=3", "channels=1", "expected 3 channels"),
        ("size=2\nstride=2", "size=2\nstride=2\npadding=0", "only the usual padding"),
        ("[net]", "[net", "expected .kind of section."),
        ("width=64", "width", "expected 'word=value'"),
    ],
)
def test_a_wrong_cfg_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in CFG
    file = tmp_path / "wrong.cfg"
    file.write_text(CFG.replace(old, new, 1))
    with pytest.raises(UserError, match=expected) as caught:
        build_network(read_darknet_cfg(file).spec)
    assert "wrong.cfg" in str(caught.value)


def test_only_user_errors_whatever_the_bytes(tmp_path: Path) -> None:
    weights = write_darknet(tmp_path)
    cfg, good = tmp_path / "small.cfg", weights.read_bytes()
    chance = random.Random(0)
    words = ["[yolo]", "[route]", "layers=-1", "=", "999999999999", "-1", "groups=3", "nan", "\0"]
    refused = 0
    for _ in range(80):
        lines = CFG.splitlines()
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(lines))
            kind = chance.random()
            if kind < 0.3:
                del lines[place]
            elif kind < 0.6:
                lines.insert(place, chance.choice(words))
            else:
                lines[place] = lines[place].replace(chance.choice("=123afs"), chance.choice(words))
        content = bytearray(good)
        if chance.random() < 0.5:
            del content[chance.randrange(len(content)) :]
        cfg.write_text("\n".join(lines))
        weights.write_bytes(bytes(content))
        try:
            load_network(weights)
        except UserError as error:
            refused += 1
            assert len(str(error).splitlines()) <= 30
    assert refused > 50


def test_the_programs_take_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_darknet(tmp_path / "weights")
    data = tmp_path / "data.yaml"
    data.write_text(
        f"path: {tmp_path}/shapes\nshapes: {{train: 4, val: 2, size: 64, max_objects: 2}}\n"
    )
    common = ["--weights", str(weights), "--img", "64", "--device", "cpu"]
    assert main(["train", *common, "--data", str(data), "--epochs", "1", "--batch-size", "2",
                 "--workers", "0", "--project", str(tmp_path), "--name", "run"]) == 0  # fmt: skip
    assert "30 of 34 tensors, 4 in part (kept boxes, objectness and 0 of 7 classes" in caplog.text
    assert main(["val", "--weights", str(tmp_path / "run"), "--data", str(data), "--img", "64",
                 "--workers", "0", "--device", "cpu"]) == 0  # fmt: skip
    images = sorted((tmp_path / "shapes/images/val").glob("*"))
    rows = tmp_path / "rows.json"
    assert main(["detect", *common, "--source", str(images[0]), "--confidence", "0.3",
                 "--project", str(tmp_path), "--save-json", str(rows)]) == 0  # fmt: skip
    assert all(row["category_id"] in (1, 2, 3) for row in json.loads(rows.read_text()))
    imported = tmp_path / "imported.safetensors"
    assert main(["import-weights", str(weights), str(imported)]) == 0
    own, other = load_network(weights), load_network(imported)
    assert other.names == own.names
    assert all(
        torch.equal(a, b)
        for a, b in zip(own.state_dict().values(), other.state_dict().values(), strict=True)
    )
    other_cfg = (tmp_path / "weights/small.cfg").rename(tmp_path / "weights/elsewhere.cfg")
    capsys.readouterr()
    check = ["import-weights", "--check", str(weights)]
    assert main([*check, "--cfg", str(other_cfg)]) == 0
    assert "whole; 34 tensors" in capsys.readouterr().out
    assert main(check) == 2
    assert yolor_gp.load(weights, cfg=other_cfg).network.num_classes == 3
