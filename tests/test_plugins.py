"""The doors: every example of docs/extending.md is a file outside the package, run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.random import default_rng
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp import UserError, plugins
from yolor_gp.config.registry import Registry
from yolor_gp.config.train_config import LossConfig, ValidationConfig
from yolor_gp.data.augment import transforms
from yolor_gp.data.augment.transforms import Transforms, register_transform
from yolor_gp.data.labels import formats
from yolor_gp.data.labels.instances import Instances, no_instances
from yolor_gp.detection.postprocess import postprocess
from yolor_gp.engine import loggers
from yolor_gp.losses import box_loss
from yolor_gp.losses.box_loss import find_box_iou, register_box_iou
from yolor_gp.models import builder  # noqa: F401  (built-in blocks are entered before any test)
from yolor_gp.models.blocks import registry
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.plugins import load_plugins, loaded_plugins
from yolor_gp.structures.batch import Targets

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples" / "plugins"
REGISTRIES: list[Registry[Any]] = [
    registry._blocks, box_loss._measures, transforms._makers, loggers._openers, formats._readers,
]  # fmt: skip


@pytest.fixture(autouse=True)
def fresh_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    keep_what_is_registered(monkeypatch)


def keep_what_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for entered in REGISTRIES:
        monkeypatch.setattr(entered, "parts", dict(entered.parts))
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of a few pictures."""
    file = tmp_path_factory.mktemp("plugins") / "few.yaml"
    file.write_text(
        f"path: {file.parent / 'few'}\n"
        "shapes: {train: 8, val: 4, size: 64, max_objects: 3, seed: 3}\n"
    )
    return file


def train(model: str | Path, data: Path, folder: Path, **flags: object) -> yolor_gp.TrainedRun:
    """One epoch."""
    words = {"hyp": "demo", "img": 64, "batch_size": 4, "epochs": 1, "workers": 0} | flags
    return yolor_gp.load(model, device="cpu").train(data, project=folder, **words)  # type: ignore[arg-type]


def example(name: str) -> str:
    return str(EXAMPLES / f"{name}.py")


def test_a_block_trains_and_is_named_in_the_weights(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(TINY).read_text()
    line = "- {block: SqueezeExcite, ratio: 2, from: p4, name: weighed}\n"
    text = text.replace("head:\n", f"{line}head:\n").replace("[p3, p4]", "[p3, weighed]")
    model = tmp_path / "squeezed.yaml"
    model.write_text(text)
    with pytest.raises(UserError, match="unknown block 'SqueezeExcite'"):
        train(model, few, tmp_path)
    with monkeypatch.context() as loaded:
        keep_what_is_registered(loaded)
        load_plugins([example("squeeze")])
        best = train(model, few, tmp_path).best
        assert yolor_gp.load(best, device="cpu").val(few, img=64).bbox["AR100"] >= 0
    with pytest.raises(UserError, match=f"was made with --plugins {example('squeeze')}"):
        yolor_gp.load(best, device="cpu")


@pytest.fixture
def without_anchors(tmp_path: Path) -> Path:
    """The tiny model with the head of the example."""
    text = Path(TINY).read_text()
    body = text[: text.index("head:\n")]
    lines = [line for line in body.splitlines() if not line.startswith(("anchors", "- ["))]
    head = "head:\n- {block: AnchorFreeHead, num_classes: nc, from: [p3, p4]}\n"
    file = tmp_path / "free.yaml"
    file.write_text("\n".join(lines) + "\n" + head)
    return file


def test_a_head_goes_the_whole_way(few: Path, tmp_path: Path, without_anchors: Path) -> None:
    """Built, trained, resumed weights read, evaluated, folded, and its gradient paths counted."""
    load_plugins([example("anchor_free")])
    run = train(without_anchors, few, tmp_path, epochs=2)
    assert run.history[-1]["train/objectness"] > 0
    model = yolor_gp.load(run.best, device="cpu")
    image = np.zeros((64, 64, 3), np.uint8)
    before = model(image, img=64, confidence=0.001)
    model.val(few, img=64)
    assert model.gradient_paths().stages
    after = model.fuse()(image, img=64, confidence=0.001)
    np.testing.assert_allclose(after.scores[:20], before.scores[:20], rtol=1e-3, atol=1e-6)


def test_a_head_learns(without_anchors: Path) -> None:
    """One picture by heart: what it decodes is what it was taught."""
    load_plugins([example("anchor_free")])
    torch.manual_seed(0)
    network = yolor_gp.load(without_anchors, device="cpu").network.train()
    criterion = network.head.criterion(
        LossConfig(), image_size=ImageSize.of(64), reduce_counts=None, world_size=1
    )
    images = torch.zeros(1, 3, 64, 64)
    images[0, :, 8:24, 32:56], images[0, 0, 44:60, 4:24] = 1.0, 0.5
    boxes = torch.tensor([[32.0, 8, 56, 24], [4, 44, 24, 60]])
    targets = Targets(torch.zeros(2, dtype=torch.int64), boxes, torch.tensor([0, 1]), None)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    for _ in range(300):
        optimizer.zero_grad()
        criterion(network(images), targets).total.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        found = postprocess(
            network.head.candidates(network(images), 0.3), ValidationConfig(confidence=0.3)
        )[0]
    best = [int((found.labels == label).nonzero()[0]) for label in (0, 1)]  # best first
    torch.testing.assert_close(found.boxes[best], boxes, rtol=0, atol=1.0)
    boxes, scores = network.head.decoded(network.forward_levels(images))
    place = scores[0, :, 0].argmax()
    torch.testing.assert_close(boxes[0, place], found.boxes[best[0]], rtol=0, atol=1e-4)


def test_a_measure_trains(few: Path, tmp_path: Path) -> None:
    load_plugins([example("square_iou")])
    other = train(TINY, few, tmp_path, set={"loss.box_iou": "square_iou"})
    usual = train(TINY, few, tmp_path)
    assert other.history[0]["train/box"] > usual.history[0]["train/box"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_transform_trains(few: Path, tmp_path: Path, workers: int) -> None:
    """Worker processes import it too."""
    load_plugins([example("quarter_turn")])
    words = {"augment.transforms": "[{QuarterTurn: {probability: 1.0}}]", "augment.mosaic": 0}
    turned = train(TINY, few, tmp_path, set=words, workers=workers)
    usual = train(TINY, few, tmp_path, set={"augment.mosaic": 0})
    assert turned.history[0]["train/box"] != usual.history[0]["train/box"]


def test_a_quarter_turn_takes_labels_along() -> None:
    load_plugins([example("quarter_turn")])
    image = np.zeros((40, 40, 3), np.uint8)
    image[4:10, 20:32] = 255
    box = np.array([[20, 4, 32, 10]], np.float32)
    outline = box[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    one = np.ones(1, np.int64)
    instances = Instances(box, one, outline, 4 * one, one, np.zeros(1, np.bool_))
    turn = Transforms([{"QuarterTurn": {"probability": 1}}])
    seen = set()
    for seed in range(12):
        picture, moved = turn(default_rng(seed), image, instances)
        left, top, right, bottom = moved.boxes[0].astype(int).tolist()
        seen.add((left, top, right, bottom))
        assert picture[top:bottom, left:right].all()
        assert picture.sum() == image.sum()
        assert (moved.outline_boxes() == moved.boxes).all()
    assert len(seen) == 3


def test_transforms_are_checked() -> None:
    load_plugins([example("quarter_turn")])
    for entry, message in (
        ({"QuaterTurn": {}}, r"transforms\[0\]: unknown transform .*; did you mean 'QuarterTurn'"),
        ({"QuarterTurn": {"propability": 1}}, "has no argument 'propability'; did you mean"),
        ({"QuarterTurn": {"probability": 2}}, "refuses its arguments: probability 2 is not in"),
    ):
        with pytest.raises(UserError, match=message):
            Transforms([entry])

    @register_transform("Halve")
    class Halve:
        def __call__(self, generator: object, image: np.ndarray, instances: Instances) -> object:
            return image[::2, ::2], instances

    with pytest.raises(UserError, match=r"Halve turned .* size and type must stay"):
        Transforms([{"Halve": {}}])(default_rng(0), np.zeros((8, 8, 3), np.uint8), no_instances())


def test_a_transform_of_a_notebook_needs_no_workers(few: Path, tmp_path: Path) -> None:
    load_plugins([example("quarter_turn")])
    transforms._makers.parts["QuarterTurn"] = type(
        "QuarterTurn",
        (transforms._makers.parts["QuarterTurn"],),  # type: ignore[arg-type]
        {"__module__": "__main__"},
    )
    words = {"augment.transforms": "[{QuarterTurn: {}}]"}
    with pytest.raises(UserError, match=r"defined in a notebook .* or use --workers 0"):
        train(TINY, few, tmp_path, set=words, workers=2)
    train(TINY, few, tmp_path, set=words)


def test_a_logger_is_told(few: Path, tmp_path: Path) -> None:
    load_plugins([example("json_lines")])
    run = train(TINY, few, tmp_path, log=["json_lines"], epochs=2)
    assert len((run.folder / "epochs.jsonl").read_text().splitlines()) == 2


def test_plugins_that_fail_are_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('no such\\nluck')\n")
    for name, message in (
        ("no_such_module_here", "cannot be imported"),
        (str(tmp_path / "none.py"), "no such file"),
        (str(tmp_path / "broken.py"), r"cannot be imported \(no such luck\)"),
    ):
        with pytest.raises(UserError, match=message):
            yolor_gp.load_plugins([name])
        assert name not in loaded_plugins()


def test_a_module_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting_plugin.py").write_text("import sys\nsys.counted_plugins = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["counting_plugin", "counting_plugin"])
    assert loaded_plugins().count("counting_plugin") == 1


def test_measures_are_those_of_torchvision() -> None:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(200, 2, generator=generator) * 20
    sides = torch.rand(200, 2, generator=generator) * 20 + 1
    first = torch.cat((corner, corner + sides), dim=1)
    second = first.roll(1, 0).clone().requires_grad_()
    for name, theirs in (
        ("giou", generalized_box_iou_loss),
        ("diou", distance_box_iou_loss),
        ("ciou", complete_box_iou_loss),
    ):
        ours = 1 - find_box_iou(name)(second, first)
        expected = theirs(second, first)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
        gradients = [torch.autograd.grad(loss.sum(), second)[0] for loss in (ours, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_measures_are_known_by_name() -> None:
    with pytest.raises(UserError, match="unknown measure 'cuou'; did you mean 'ciou'"):
        find_box_iou("cuou")
    with pytest.raises(ValueError, match="registered twice"):
        register_box_iou("ciou")(find_box_iou("iou"))
    with pytest.raises(UserError, match="unknown measure"):
        yolor_gp.load(TINY, device="cpu").train("shapes", img=64, set={"loss.box_iou": "cuou"})


def test_the_page_shows_the_examples() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for file in EXAMPLES.glob("*.py"):
        assert f"examples/plugins/{file.name}" in page


HEAD = "file,width,height,class,xmin,ymin,xmax,ymax\n"


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    """Two pictures a part, labelled in a CSV; an apple is bright, a pear is dark."""
    for part in ("train", "val"):
        lines = HEAD
        for number in range(2):
            picture = np.full((60, 80, 3), 128, np.uint8)
            picture[10:30, 20:50] = 250
            cv2.imwrite(str(tmp_path / f"{part}{number}.png"), picture)
            lines += f"{part}{number}.png,80,60,apple,20,10,50,30\n"
        (tmp_path / f"{part}.csv").write_text(lines)
    file = tmp_path / "fruit.yaml"
    file.write_text("format: csv_boxes\ntrain: train.csv\nval: val.csv\nnames: [apple, pear]\n")
    return file


def test_a_data_format_is_examined_and_trains(fruit: Path) -> None:
    with pytest.raises(UserError, match=r"fruit\.yaml: unknown format 'csv_boxes'"):
        train(TINY, fruit, fruit.parent)
    load_plugins([example("csv_boxes")])
    report = yolor_gp.check_dataset(fruit)
    assert report.splits["train"].objects == 2
    assert not report.errors
    run = train(TINY, fruit, fruit.parent, batch_size=2)
    assert yolor_gp.load(run.best, device="cpu").val(fruit, img=64).bbox["AR100"] >= 0


def test_problems_of_a_data_format_are_told(fruit: Path) -> None:
    load_plugins([example("csv_boxes")])
    labels = fruit.parent / "train.csv"
    labels.write_text(f"{HEAD}train0.png,80,60,aple,20,10,50,30\n")
    with pytest.raises(UserError, match=r"train\.csv:2: class 'aple' is not one of apple, pear"):
        train(TINY, fruit, fruit.parent)
    labels.write_text(f"{HEAD}train0.png,80,60,apple,20,10,120,30\ntrain1.png,80,60,,,,,\n")
    kinds = {finding.kind for finding in yolor_gp.check_dataset(fruit).warnings}
    assert "box partly outside" in kinds
