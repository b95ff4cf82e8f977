"""Folders as labelling tools export them: read as they are, without a data YAML."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import yolor_gp
from tests.data.data_sets import NAMES, Painted
from yolor_gp.commands.main import main
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.data_folder import keys_of_folder
from yolor_gp.data.datasets import open_dataset
from yolor_gp.errors import UserError

PARTS = {"train": 5, "val": 3}
"""Images of each part; every one shows four objects."""

Export = Callable[[Path, Path], None]
"""Fills a folder from that of a data set: FORM/train, FORM/val as `convert_dataset.py` writes."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """coco/, yolo/, voc/, labelme/: the same eight pictures, divided alike."""
    root = tmp_path_factory.mktemp("written")
    painted = Painted(root / "painted", sum(PARTS.values()))
    data = root / "data.yaml"
    data.write_text(f"path: painted\ntrain: images\nannotations: {{train: {painted.file.name}}}\n")
    for form in ("coco", "yolo", "voc", "labelme"):
        flags = ["--to", form, "--out", str(root / form), "--split", "5/3"]
        assert main(["convert-dataset", str(data), *flags]) == 0
    return root


def copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


def roboflow_coco(root: Path, out: Path) -> None:
    for part, name in (("train", "train"), ("val", "valid")):
        copy(root / "coco/images" / part, out / name)
        labels = root / f"coco/annotations/instances_{part}.json"
        shutil.copy(labels, out / name / "_annotations.coco.json")


def coco_itself(root: Path, out: Path) -> None:
    (out / "annotations").mkdir(parents=True)
    for part in PARTS:
        copy(root / "coco/images" / part, out / f"{part}2017")
        for kind in ("instances", "captions"):
            target = out / f"annotations/{kind}_{part}2017.json"
            shutil.copy(root / f"coco/annotations/instances_{part}.json", target)


def cvat(root: Path, out: Path) -> None:
    (out / "annotations").mkdir(parents=True)
    for part, name in (("train", "Train"), ("val", "Validation")):
        copy(root / "coco/images" / part, out / "images" / name)
        shutil.copy(
            root / f"coco/annotations/instances_{part}.json",
            out / f"annotations/instances_{name}.json",
        )


def label_studio(root: Path, out: Path) -> None:
    copy(root / "coco/images/train", out / "images")
    content = json.loads((root / "coco/annotations/instances_train.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"images/{image['file_name']}"
    (out / "result.json").write_text(json.dumps(content))


def fiftyone(root: Path, out: Path) -> None:
    copy(root / "coco/images/train", out / "data")
    shutil.copy(root / "coco/annotations/instances_train.json", out / "labels.json")


def label_studio_yolo(root: Path, out: Path) -> None:
    for kind in ("images", "labels"):
        copy(root / "yolo" / kind / "train", out / kind)
    (out / "classes.txt").write_text("\n".join(NAMES))
    (out / "notes.json").write_text('{"categories": [{"id": 0, "name": "bar"}], "info": {}}')


def parted_yolo(root: Path, out: Path) -> None:
    for kind in ("images", "labels"):
        copy(root / "yolo" / kind, out / kind)
    (out / "classes.txt").write_text("\ufeff" + "\r\n".join(NAMES) + "\r\n")


def yolo_by_part(root: Path, out: Path) -> None:
    for part, name in (("train", "train"), ("val", "valid")):
        for kind in ("images", "labels"):
            copy(root / "yolo" / kind / part, out / name / kind)
    (out / "classes.txt").write_text("\n".join(NAMES))


def cvat_yolo(root: Path, out: Path) -> None:
    for kind in ("images", "labels"):
        copy(root / "yolo" / kind / "train", out / "obj_train_data")
    (out / "obj.names").write_text("\n".join(NAMES))
    (out / "obj.data").write_text("classes = 4\nnames = data/obj.names\n")


def labelimg_yolo(root: Path, out: Path) -> None:
    for kind in ("images", "labels"):
        copy(root / "yolo" / kind / "train", out)
    (out / "classes.txt").write_text("\n".join(NAMES))


def with_yaml(root: Path, out: Path) -> None:
    copy(root / "yolo", out)


def voc(root: Path, out: Path) -> None:
    copy(root / "voc/train", out)


def voc_by_part(root: Path, out: Path) -> None:
    copy(root / "voc/train", out / "train")
    copy(root / "voc/val", out / "valid")


def roboflow_voc(root: Path, out: Path) -> None:
    for part, name in (("train", "train"), ("val", "valid")):
        for kind in ("Annotations", "JPEGImages"):
            copy(root / "voc" / part / kind, out / name)


def labelme(root: Path, out: Path) -> None:
    copy(root / "labelme/train", out)


def labelme_by_part(root: Path, out: Path) -> None:
    copy(root / "labelme/train", out / "train")
    copy(root / "labelme/val", out / "val")


BOTH = (roboflow_coco, coco_itself, cvat, parted_yolo, yolo_by_part, with_yaml, voc_by_part,
        roboflow_voc, labelme_by_part)  # fmt: skip
ONE = (label_studio, fiftyone, label_studio_yolo, cvat_yolo, labelimg_yolo, voc, labelme)


@pytest.mark.parametrize("export", [*BOTH, *ONE], ids=lambda export: export.__name__)
def test_an_export_is_read_as_it_is(written: Path, tmp_path: Path, export: Export) -> None:
    out = tmp_path / "my-test-export"
    export(written, out)
    config = load_data_config(out)
    parts = PARTS if export in BOTH else {"train": PARTS["train"]}
    for part, count in parts.items():
        dataset = open_dataset(config, part, image_size=64)  # type: ignore[arg-type]
        assert len(dataset) == count
        assert sorted(dataset.names) == sorted(NAMES)
        assert [len(dataset.instances(index)) for index in range(count)] == [4] * count
    assert not yolor_gp.check_dataset(out, use_cache=False).errors or export in ONE
    if export in ONE:
        with pytest.raises(UserError, match=r"'val' is missing; divide it: .* --split 80/20"):
            config.images("val")


def test_an_export_trains(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "export"
    roboflow_coco(written, out)
    words = ["--img", "64", "--epochs", "1", "--batch-size", "4", "--workers", "0"]
    model = Path(__file__).parents[1] / "tiny.yaml"
    where = ["--project", str(tmp_path), "--name", "run"]
    assert main(["train", "--cfg", str(model), "--data", str(out), *words, *where]) == 0
    words = ["--data", str(out), "--img", "64", "--workers", "0"]
    assert main(["val", "--weights", str(tmp_path / "run"), *words]) == 0


def test_one_part_is_divided_as_the_answer_says(written: Path, tmp_path: Path) -> None:
    label_studio(written, tmp_path / "export")
    words = ["--to", "coco", "--out", str(tmp_path / "new"), "--split", "80/20"]
    assert main(["convert-dataset", str(tmp_path / "export"), *words]) == 0
    config = load_data_config(tmp_path / "new")
    assert [len(open_dataset(config, part, image_size=64)) for part in ("train", "val")] == [4, 1]


def test_captions_and_pictures_of_the_same_name(tmp_path: Path) -> None:
    """Of several JSON files those of objects; each part's pictures, though all are called 0.png."""
    (tmp_path / "annotations").mkdir()
    for name in ("Train", "Validation"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "0.png").touch()
        for kind in ("captions", "instances", "person_keypoints"):
            file = tmp_path / "annotations" / f"{kind}_{name}.json"
            file.write_text(json.dumps({"images": [{"file_name": "0.png"}]}))
    assert keys_of_folder(tmp_path) == {
        "train": "images/Train",
        "val": "images/Validation",
        "annotations": {
            "train": "annotations/instances_Train.json",
            "val": "annotations/instances_Validation.json",
        },
    }


def test_among_many_files_that_which_says_annotations(written: Path, tmp_path: Path) -> None:
    """Thousands may lie there, one a picture: they are not all looked into."""
    roboflow_coco(written, tmp_path)
    for number in range(9):
        labels = tmp_path / "train" / "_annotations.coco.json"
        shutil.copy(labels, tmp_path / "train" / f"{number}.json")
    assert keys_of_folder(tmp_path)["annotations"]["train"] == "train/_annotations.coco.json"


def test_what_cannot_be_told(written: Path, tmp_path: Path) -> None:
    def answer() -> str:
        with pytest.raises(UserError) as caught:
            load_data_config(tmp_path)
        return str(caught.value).replace(f"{tmp_path}", "HERE")

    assert answer().startswith("HERE: no data YAML lies there, nor labels as COCO JSON")
    copy(written / "yolo/images", tmp_path / "images")
    copy(written / "yolo/labels", tmp_path / "labels")
    assert answer().startswith("HERE: YOLO labels without the names of their classes")
    (tmp_path / "classes.txt").write_text("bar\nbar\n")
    assert answer() == ("HERE/classes.txt:2: the class name 'bar' is given twice")
    (tmp_path / "classes.txt").write_text("bar\n\nring\n")
    assert answer().startswith("HERE/classes.txt:2: an empty line; labels count lines")
    (tmp_path / "classes.txt").write_text("\n")
    assert answer() == "HERE/classes.txt: is empty; expected a name a line"
    for name in ("a.json", "b.json"):
        shutil.copy(written / "coco/annotations/instances_train.json", tmp_path / name)
    assert answer() == (
        "HERE: a.json and b.json are both of part 'train'; name one of them in a data.yaml"
    )


def test_every_folder_of_a_part_counts(written: Path, tmp_path: Path) -> None:
    voc_by_part(written, tmp_path / "voc")
    (tmp_path / "voc" / "valid").rename(tmp_path / "voc" / "train-more")
    assert keys_of_folder(tmp_path / "voc") == {"format": "voc", "train": ["train", "train-more"]}
    yolo_by_part(written, tmp_path / "yolo")
    (tmp_path / "yolo" / "valid").rename(tmp_path / "yolo" / "train-more")
    config = load_data_config(tmp_path / "yolo")
    assert len(open_dataset(config, "train", image_size=64)) == sum(PARTS.values())


def test_labels_in_two_places_are_not_chosen_between(written: Path, tmp_path: Path) -> None:
    voc_by_part(written, tmp_path)
    copy(written / "voc/val/Annotations", tmp_path)
    with pytest.raises(UserError, match="labels lie here and in train; name the folders"):
        keys_of_folder(tmp_path)


def test_labels_that_would_not_be_found_are_no_data_set(written: Path, tmp_path: Path) -> None:
    """Pictures in `train`, labels in `train/labels`: read as YOLO, nothing would have objects."""
    copy(written / "yolo/images/train", tmp_path / "train")
    copy(written / "yolo/labels/train", tmp_path / "train" / "labels")
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    assert keys_of_folder(tmp_path) == {}


def test_a_folder_of_classes_is_none_of_detection(tmp_path: Path) -> None:
    for part in ("train", "val"):
        (tmp_path / part / "cat").mkdir(parents=True)
        (tmp_path / part / "labels.txt").write_text("cat")
    assert keys_of_folder(tmp_path) == {}
    (tmp_path / "a.json").write_text("")
    assert keys_of_folder(tmp_path) == {}


def test_what_cannot_be_read(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_bytes(b'{"images": [{"file_name": "\\x"}]}')
    assert keys_of_folder(tmp_path)["annotations"] == {"train": "a.json"}  # its reader will tell
    roboflow_coco(written, tmp_path)

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        keys_of_folder(tmp_path)


def test_a_shipped_name_is_meant_before_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    assert load_data_config("shapes").form == "shapes"
    with pytest.raises(UserError, match="no data YAML lies there"):
        load_data_config("./shapes")
