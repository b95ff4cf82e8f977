"""Large pictures cut into slices: what they show, what their labels say, and who is told."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import yolor_gp
from tests.data.data_sets import COLOURS, Painted
from yolor_gp.config.data_config import DataConfig, load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.doctor import examine
from yolor_gp.data.labels.instances import Instances
from yolor_gp.data.labels.polygons import paint
from yolor_gp.data.slices import seen_in
from yolor_gp.errors import UserError
from yolor_gp.ops.windows import windows
from yolor_gp.structures.sample import Polygons

TINY = Path(__file__).resolve().parents[1] / "tiny.yaml"


def config_of(painted: Painted, slices: str) -> DataConfig:
    file = painted.root / "data.yaml"
    file.write_text(
        "train: images\nval: images\nannotations: {train: labels.json, val: labels.json}\n"
        + (f"slice: {slices}\n" if slices else "")
    )
    return load_data_config(file)


def opened(painted: Painted, slices: str, split: str = "train") -> DetectionDataset:
    return open_dataset(config_of(painted, slices), split, image_size=64)  # type: ignore[arg-type]


def dense(mask: Polygons | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if isinstance(mask, np.ndarray):
        return mask > 0
    canvas = np.zeros(size, np.uint8)
    paint(canvas, mask, 1, even_odd=False)
    return canvas > 0


def test_labels_of_slices_are_where_the_pixels_are(painted: Painted) -> None:
    whole, slices = opened(painted, ""), opened(painted, "{size: 48, overlap: 0.3}")
    assert len(slices) > 3 * len(whole) and slices.has_masks
    seen = cut = 0
    for index in range(len(slices)):
        sample = slices.load(index)
        assert sample.image.shape[:2] == slices.original_size(index)
        for box, label, mask in zip(sample.boxes, sample.labels, sample.masks, strict=True):
            drawn = dense(mask, sample.image.shape[:2])
            coloured = np.abs(sample.image.astype(int) - COLOURS[label]).max(axis=2) < 60
            assert (drawn & coloured).sum() >= 0.8 * min(drawn.sum(), coloured.sum())
            rows, columns = np.nonzero(coloured)
            tight = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert np.abs(box - tight).max() <= 1.5
            seen, cut = seen + 1, cut + int(drawn.sum() < 0.9 * coloured.size and box.min() < 1)
    assert seen > len(whole.table.labels) and cut > 5


def test_the_whole_picture_comes_first_unless_it_shall_not(painted: Painted) -> None:
    whole = opened(painted, "")
    with_it, without = (
        opened(painted, f"{{size: 48, whole: {word}}}") for word in ("true", "false")
    )
    assert len(with_it) == len(without) + len(whole)
    assert with_it.original_size(0) == whole.original_size(0)
    assert np.array_equal(with_it.read_original(0), whole.read_original(0))
    names = [with_it.image_name(k) for k in range(len(with_it))]
    assert names[0] == "00" and len(set(names)) == len(names) and names[1].startswith("00-")


def test_pictures_that_fit_stay_whole(painted: Painted) -> None:
    assert len(opened(painted, "{size: 200, whole: false}")) == len(opened(painted, ""))


def square(left: float, top: float, right: float, bottom: float, *, outline: bool) -> Instances:
    box = np.array([[left, top, right, bottom]], np.float32)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    count = np.array([1], np.int64)
    return Instances(
        box, np.array([5]), corners[: 4 * outline], 4 * count[: 1 * outline], count * outline,
        np.array([False]),
    )  # fmt: skip


@pytest.mark.parametrize("outline", [True, False])
def test_slivers_go_and_what_fills_a_window_stays(outline: bool) -> None:
    window = (100, 0, 200, 100)
    assert len(seen_in(square(0, 0, 109, 50, outline=outline), window)) == 0  # 9 of 109
    kept = seen_in(square(0, 0, 120, 50, outline=outline), window)  # 20 of 120
    assert kept.boxes.tolist() == [[0, 0, 20, 50]] and kept.labels.tolist() == [5]
    assert len(seen_in(square(-5000, 0, 5000, 100, outline=outline), window)) == 1
    assert len(seen_in(square(0, 0, 90, 50, outline=outline), window)) == 0


def test_empty_slices_are_thinned_always_alike(painted: Painted) -> None:
    def empty(dataset: DetectionDataset) -> int:
        return sum(not len(dataset.instances(k)) for k in range(len(dataset)))

    words = "{{size: 32, empty: {}}}"
    everything, half, none = (opened(painted, words.format(share)) for share in (1.0, 0.5, 0))
    assert empty(none) == 0 < empty(everything)
    assert empty(half) == round(empty(everything) / 2)
    again = opened(painted, words.format(0.5))
    assert again.fingerprint == half.fingerprint != everything.fingerprint
    assert np.array_equal(again.table.points, half.table.points)
    assert [again.image_name(k) for k in range(9)] == [half.image_name(k) for k in range(9)]


def test_validation_is_cut_only_when_it_shall_be(painted: Painted) -> None:
    whole = opened(painted, "{size: 48}", "val")
    assert len(whole) == len(opened(painted, ""))
    cut = opened(painted, "{size: 48, val: true, empty: 0}", "val")
    truth = cut.ground_truth().load()
    assert len(truth["images"]) == len(cut) > len(whole)
    assert len(truth["annotations"]) == len(cut.table.labels)


def test_a_worker_process_reads_the_same(painted: Painted) -> None:
    dataset = opened(painted, "{size: 48}")
    expected = dataset.read_original(3)
    copy = pickle.loads(pickle.dumps(dataset))
    copy.join_workers(1, None)
    assert np.array_equal(copy.read_original(3), expected)


def test_the_doctor_counts_and_warns(painted: Painted) -> None:
    report = examine(config_of(painted, "{size: 48, overlap: 0.1, whole: false}"))
    count = len(opened(painted, "{size: 48, overlap: 0.1, whole: false}"))
    assert report.splits["train"].slices == count and not report.splits["val"].slices
    assert f"cut into {count} images" in report.lines()[0]
    torn = [finding for finding in report.findings if finding.kind == "objects torn"]
    assert len(torn) == 1 and "raise 'overlap' or 'size'" in str(torn[0])
    large = examine(config_of(painted, "{size: 300}"))
    assert "nothing to slice" in [finding.kind for finding in large.findings]


def test_windows_cover_and_overlap() -> None:
    assert windows((100, 100), (100, 100), 0.2) == []
    found = windows((250, 100), (100, 100), 0.2)
    assert [(top, bottom) for _, top, _, bottom in found] == [(0, 100), (75, 175), (150, 250)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{size: 8}", "greater than or equal to 32"),
        ("{size: 64, overlap: 1}", "less than or equal to 0.9"),
        ("{siez: 64}", "siez"),
    ],
)
def test_what_cannot_be_meant(painted: Painted, words: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config_of(painted, words)


@pytest.mark.slow
def test_a_resumed_run_on_slices_is_the_same(tmp_path: Path) -> None:
    config = config_of(Painted(tmp_path / "painted", count=2), "{size: 64, empty: 0.5}")
    flags = {"epochs": 2, "img": 64, "batch_size": 8, "workers": 0, "project": str(tmp_path)}
    torch.manual_seed(0)
    run = yolor_gp.load(TINY, device="cpu").train(config.file, name="whole", **flags)  # type: ignore[arg-type]
    other = tmp_path / "torn"
    shutil.copytree(run.folder, other)
    (other / "weights" / "last.previous.pt").replace(other / "weights" / "last.pt")
    resumed = yolor_gp.resume(other)
    first, second = (yolor_gp.load(one.folder / "weights" / "last.pt") for one in (run, resumed))
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name])
