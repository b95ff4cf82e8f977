"""Labelled images in every form, the batches made of them, and what is said of wrong ones."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import yolor_gp
from tests.classification.labelled import COLOURS, picture, write_cifar, write_folders, write_mnist
from yolor_gp.classification.augment import applied, seeded, validation_transform
from yolor_gp.classification.batches import BatchMaker, ClassBatch, TrainBatches, ValBatches
from yolor_gp.classification.open_data import ClassificationData, open_data
from yolor_gp.classification.train import natural_size
from yolor_gp.config.classification_config import ClassAugmentConfig
from yolor_gp.errors import UserError

EVERYTHING = ClassAugmentConfig(rand_operations=2, jitter=0.2, erase=0.5, mixup=0.4, cutmix=1.0)


@pytest.fixture
def data(tmp_path: Path) -> ClassificationData:
    return open_data(write_folders(tmp_path / "data"))


def test_folders_are_classes(data: ClassificationData) -> None:
    assert data.train.names == data.val.names == tuple(COLOURS)
    assert (len(data.train), len(data.val)) == (24, 12)
    assert data.train.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    np.testing.assert_array_equal(data.train.read(17), picture(COLOURS["red"], 1))
    assert natural_size(data.train) == 32


def write_listed(root: Path, part: str, table: str, text: str) -> None:
    folder = root / part
    (folder / "some").mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(folder / f"some/{number}.png"), np.full((4, 4, 3), number, np.uint8))
    (folder / table).write_text(text)


def test_a_table_names_pictures_and_classes(tmp_path: Path) -> None:
    rows = ["file_name,caption,label", "some/2.png,x,10", 'some/0.png,"a, b",9', "some/1.png,,10"]
    write_listed(tmp_path, "train", "metadata.csv", "\n".join(rows))
    write_listed(tmp_path, "test", "metadata.jsonl", '\n{"file_name": "some/1.png", "label": 9}\n')
    data = open_data(tmp_path)
    assert data.train.names == data.val.names == ("9", "10")
    assert data.train.labels.tolist() == [1, 0, 1] and data.val.labels.tolist() == [0]
    assert data.train.read(0).max() == 2 and data.val.read(0).max() == 1
    before = data.fingerprint["train"]
    (tmp_path / "train/metadata.csv").write_text("\n".join(rows).replace("1.png,,10", "1.png,,9"))
    assert open_data(tmp_path).fingerprint["train"] != before


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [("metadata.csv", "file,label\n", ":1: expected columns 'file_name' and 'label'"),
     ("metadata.csv", "file_name,label\nsome/0.png\n", ":2: no 'label'"),
     ("metadata.csv", "file_name,label\n,a\n../x.png,a", "no 'file_name'\n.*outside the folder"),
     ("metadata.csv", "file_name,label\nsome/0.png,a\nsome/1.png,a", "at least two classes"),
     ("metadata.csv", "file_name,label\n" + "x" * 200000, "not a table"),
     ("metadata.jsonl", '{"file_name": "some/9.png", "label": 0}', ":1: no such file: some/9.png"),
     ("metadata.jsonl", '{"file_name": "some/1.png", "label": [0]}', ":1: no 'label'"),
     ("metadata.jsonl", "[1]", ":1: expected a JSON object on each line")],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_said(
    tmp_path: Path, table: str, text: str, message: str
) -> None:
    write_listed(tmp_path, "train", table, text)
    (tmp_path / "val").mkdir()
    with pytest.raises(UserError, match=message):
        open_data(tmp_path)


def test_a_class_that_training_does_not_know(tmp_path: Path) -> None:
    known = "file_name,label\nsome/0.png,a\nsome/1.png,b"
    write_listed(tmp_path, "train", "metadata.csv", known)
    write_listed(tmp_path, "val", "metadata.csv", known.replace(",b", ",c"))
    with pytest.raises(UserError, match=r"csv:3: the training part has no class 'c'"):
        open_data(tmp_path)


def test_cifar_as_torchvision_leaves_it(tmp_path: Path) -> None:
    rows = write_cifar(tmp_path)
    data = open_data(tmp_path)
    assert (len(data.train), len(data.val)) == (20, 4)
    assert data.train.names[3] == "cat" and data.train.labels.tolist()[:4] == [0, 1, 2, 3]
    expected = rows[2].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(data.train.read(2), expected)
    assert len(open_data(tmp_path / "cifar-10-batches-py").train) == 20


def test_cifar_as_python_2_wrote_it(tmp_path: Path) -> None:
    """The published files are of that time: text and bytes are one, numpy's names are older."""
    write_cifar(tmp_path, count=2)
    rows = np.arange(2 * 3072).astype(np.uint8).reshape(2, 3072)
    batch = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R("
        b"K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(rows.tobytes()).to_bytes(4, "little") + rows.tobytes()
        + b"tbU\x06labels](K\x07K\x02eu."
    )  # fmt: skip
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(batch)
    val = open_data(tmp_path).val
    assert val.labels.tolist() == [7, 2]
    np.testing.assert_array_equal(val.read(1).transpose(2, 0, 1).reshape(-1), rows[1])


def test_mnist_as_torchvision_leaves_it(tmp_path: Path) -> None:
    pixels = write_mnist(tmp_path)
    data = open_data(tmp_path)
    assert data.train.names == tuple("0123456789") and data.train.labels.tolist() == [*range(5)]
    np.testing.assert_array_equal(data.train.read(3)[..., 1], pixels[3])
    assert natural_size(data.train) == 32


def test_imagenette_is_called_by_its_words(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "imagenette2-160")
    for split in ("train", "val"):
        for name, wnid in zip(COLOURS, ("n01440764", "n03028079", "n03888257"), strict=True):
            (folder / split / name).rename(folder / split / wnid)
    assert open_data(tmp_path).val.names == ("tench", "church", "parachute")


def test_a_pickle_that_asks_for_more_is_refused(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    written = tmp_path / "never"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {written}",)

    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(UserError, match=r"test_batch: not a batch of CIFAR-10.*system"):
        open_data(tmp_path)
    assert not written.exists()


@pytest.mark.parametrize(
    "file", ["MNIST/raw/t10k-labels-idx1-ubyte", "MNIST/raw/train-images-idx3-ubyte.gz"]
)
def test_damaged_files_are_named(tmp_path: Path, file: str) -> None:
    write_mnist(tmp_path)
    (tmp_path / file).write_bytes(b"\0" * 40)
    with pytest.raises(UserError, match="not a file of MNIST"):
        open_data(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match="is missing"):
        open_data(tmp_path)


def test_what_is_no_data_set_is_answered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        open_data(tmp_path / "none")
    with pytest.raises(UserError, match="has no folder 'train'"):
        open_data(tmp_path)
    write_folders(tmp_path / "a")
    (tmp_path / "a" / "val" / "violet").mkdir()
    with pytest.raises(UserError, match="has not: violet"):
        open_data(tmp_path / "a")


def test_the_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    root = write_folders(tmp_path)
    (root / "train" / "grey").mkdir()
    copy = (root / "train" / "red" / "0.png").read_bytes()
    (root / "train" / "red" / "again.png").write_bytes(copy)
    (root / "val" / "blue" / "seen.png").write_bytes(copy)
    (root / "val" / "blue" / "broken.png").write_bytes(b"nothing")
    report = yolor_gp.check_dataset(root)
    kinds = {finding.kind for finding in report.findings}
    assert kinds == {
        "image unreadable", "duplicate image", "train/val leakage", "class without images",
    }  # fmt: skip
    assert [Path(finding.where).name for finding in report.errors] == ["broken.png"]
    assert report.splits["train"].class_counts == {"blue": 8, "green": 8, "grey": 0, "red": 9}


def made(
    data: ClassificationData, workers: int, start: int = 0, **changes: int
) -> list[ClassBatch]:
    settings: dict[str, Any] = {"batch_size": 4, **changes}
    maker = BatchMaker(data.train, EVERYTHING, 5, 16, **settings)
    batches = TrainBatches(maker, workers)
    try:
        return list(batches.epoch(3, start))
    finally:
        batches.close()


def same(one: ClassBatch, other: ClassBatch) -> bool:
    images = torch.equal(one.images, other.images)
    return images and torch.equal(one.targets, other.targets) and one.metas == other.metas


def test_batches_depend_on_seed_epoch_and_step_alone(data: ClassificationData) -> None:
    before = torch.get_rng_state()
    batches = made(data, 0)
    assert torch.equal(torch.get_rng_state(), before), "the network's numbers are its own"
    assert len(batches) == 6 and not same(batches[0], batches[1])
    assert all(map(same, batches, made(data, 0)))
    assert all(map(same, batches[4:], made(data, 0, start=4)))
    assert batches[0].images.dtype == torch.float32 and batches[0].targets.shape == (4, 3)
    assert torch.allclose(batches[0].targets.sum(1), torch.ones(4))


@pytest.mark.slow
def test_processes_make_the_same_batches(data: ClassificationData) -> None:
    assert all(map(same, made(data, 0), made(data, 2)))
    broken = Path(data.train.paths[5])
    broken.write_bytes(b"nothing")
    with pytest.raises(UserError, match=f"{broken.name}: not an image"):
        made(data, 2)


def test_every_image_is_shown_once(data: ClassificationData) -> None:
    shown = [meta.path for batch in made(data, 0) for meta in batch.metas]
    assert sorted(shown) == sorted(data.train.paths)
    halves = [made(data, 0, batch_size=2, rank=rank, world_size=2) for rank in range(2)]
    for whole, first, second in zip(made(data, 0), *halves, strict=True):
        assert whole.metas == first.metas + second.metas


def test_crops_without_mixing_stay_bytes(data: ClassificationData) -> None:
    for crop in ("resized", "padded", "none"):
        augment = ClassAugmentConfig.model_validate({"crop": crop})
        images, targets = BatchMaker(data.train, augment, 0, 20, 4).arrays(0, 0)
        assert images.shape == (4, 3, 20, 20) and images.dtype == np.uint8
        assert targets.dtype == np.int64


def test_validation_looks_at_the_middle(data: ClassificationData) -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 255
    assert applied(validation_transform(20, 1.0), pixels).min() > 200  # the edge is smoothed
    assert applied(validation_transform(80, 1.0), pixels).shape == (3, 80, 80)
    wide = applied(validation_transform(20, 0.5), pixels)
    assert wide.shape == (3, 20, 20) and wide.min() == 255
    shares = [ValBatches(data.val, 32, 1.0, batch_size=5, workers=1, rank=rank, world_size=2)
              for rank in range(2)]  # fmt: skip
    seen = [meta.path for share in shares for batch in share for meta in batch.metas]
    assert sorted(seen) == sorted(data.val.paths) and [len(share) for share in shares] == [2, 2]


def test_a_seed_leaves_the_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with seeded(7):
        one = torch.rand(1)
    with seeded(8):
        assert torch.rand(1) != one
    with seeded(7):
        assert torch.rand(1) == one
    assert torch.equal(torch.rand(2), expected)
