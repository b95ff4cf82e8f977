from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from yolor_gp.commands.check_dataset import main
from yolor_gp.config.data_config import DataConfig, load_data_config
from yolor_gp.data.doctor import Report, examine
from yolor_gp.errors import UserError

Content = dict[str, Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(seed: int, height: int = 48, width: int = 64) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def coco(root: Path) -> Callable[..., DataConfig]:
    """A sound data set of four training and two validation images, and a way to spoil it."""
    for split, seeds in (("train", range(4)), ("val", range(4, 6))):
        (root / split).mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            picture(seed).save(root / split / f"{seed}.png")
        write_json(root, split, sound(seeds))
    (root / "data.yaml").write_text(
        "train: train\nval: val\nannotations: {train: train.json, val: val.json}\n"
    )

    def config(spoil: Callable[[Content], None] | None = None) -> DataConfig:
        if spoil is not None:
            content = sound(range(4))
            spoil(content)
            write_json(root, "train", content)
        return load_data_config(root / "data.yaml")

    return config


def sound(seeds: range) -> Content:
    images = [
        {"id": seed + 1, "file_name": f"{seed}.png", "height": 48, "width": 64} for seed in seeds
    ]
    square = [5, 5, 25, 5, 25, 15, 5, 15]
    annotations = [
        {
            "id": 10 * seed + label + 1, "image_id": seed + 1, "category_id": 3 + label,
            "bbox": [5, 5, 20, 10], "area": 200, "iscrowd": 0, "segmentation": [square],
        }
        for seed in seeds
        for label in range(2)
    ]  # fmt: skip
    categories = [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_json(root: Path, split: str, content: Content) -> None:
    (root / f"{split}.json").write_text(json.dumps(content))


def kinds(report: Report) -> set[tuple[str, str]]:
    return {(finding.severity, finding.kind) for finding in report.findings}


def only(report: Report, severity: str, kind: str, *words: str) -> None:
    """The report holds this kind of finding, nothing else, and its text has these words."""
    assert kinds(report) == {(severity, kind)}, report.lines()
    text = "\n".join(str(finding) for finding in report.findings)
    assert all(word in text for word in words), text


def test_a_sound_set_has_no_findings_and_is_counted(tmp_path: Path) -> None:
    report = examine(coco(tmp_path)())
    assert report.findings == ()
    train = report.splits["train"]
    assert (train.images, train.objects, train.empty_images) == (4, 8, 0)
    assert train.class_counts == {"cat": 4, "dog": 4}
    assert train.object_sizes == {14: 8} and train.image_sizes == {"64x48": 4}
    report.raise_errors()


def annotation(**changes: Any) -> Callable[[Content], None]:
    """Change the first annotation."""
    return lambda content: content["annotations"][0].update(changes)


def image(**changes: Any) -> Callable[[Content], None]:
    """Change the first image."""
    return lambda content: content["images"][0].update(changes)


LABEL_PROBLEMS: list[tuple[Callable[[Content], None], str, str, str]] = [
    (annotation(bbox=[5, 5, 0, 10]), "warning", "empty box", "annotation 1 (0.png)"),
    (annotation(bbox=[70, 5, 9, 9]), "warning", "box outside", "outside of 64x48"),
    (annotation(bbox=[50, 5, 30, 9]), "warning", "box partly outside", "clipped"),
    (annotation(bbox=[float("nan"), 5, 9, 9]), "error", "not a number", "nan"),
    (annotation(bbox=[5, 5, 9]), "error", "malformed box", "[x, y, w, h]"),
    (annotation(category_id=9), "error", "class out of range", "category_id 9"),
    (annotation(image_id=77), "error", "annotation without image", "image_id 77"),
    (annotation(id=2), "warning", "duplicate id", "annotation 2"),
    (annotation(id="x"), "warning", "malformed annotation id", "number annotations from 1"),
    (annotation(segmentation=[[1, 1, 9, 9]]), "warning", "polygon under three points", "has 2"),
    (annotation(segmentation=[[1, 1, 9, 9, 5]]), "error", "malformed polygon", "x, y pairs"),
    (annotation(segmentation=[[1, 1, 9, 9, 5, "a"]]), "error", "malformed polygon", "numbers"),
    (annotation(segmentation=[[1, 1, 9, float("nan"), 5, 5]]), "error", "not a number", "NaN"),
    (annotation(segmentation=[[1, 1, 90, 9, 5, 5]]), "warning", "polygon outside", "leaves"),
    (
        annotation(segmentation={"size": [48, 64], "counts": [1, 2, 3]}),
        "error", "broken RLE", "do not add up",
    ),
    (
        annotation(segmentation={"size": [48, 64], "counts": "~~"}),
        "error", "broken RLE", "damaged",
    ),
    (annotation(segmentation={"size": [4, 6], "counts": [24]}), "error", "broken RLE", "size"),
    (
        annotation(segmentation={"size": [48, 64], "counts": [48 * 64]}),
        "warning", "empty mask", "no pixel",
    ),
    (annotation(segmentation=7), "error", "malformed segmentation", "int"),
    (image(id=2), "error", "duplicate id", "1.png an id of its own"),
    (image(height=0), "error", "malformed image entry", "(0, 64)"),
    (image(height=50), "error", "size differs from labels", "64x48"),
    (image(file_name="none.png"), "error", "image missing", "none.png"),
    (lambda content: content["categories"].append({"id": 3, "name": "x"}), "error",
     "duplicate id", "already is 'cat'"),
    (lambda content: content["categories"].append({"id": 5, "name": "x"}), "warning",
     "class without objects", "1 of 3: x"),
    (lambda content: content["annotations"].append(content["annotations"][0] | {"id": 99}),
     "warning", "repeated object", "2 times"),
    (lambda content: content["annotations"].clear(), "error", "no objects", "not one object"),
    (lambda content: content.pop("images"), "error", "labels unreadable", "'images'"),
    (lambda content: content.update(images=[], annotations=[]), "error", "empty set", "images"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "severity", "kind", "words"), LABEL_PROBLEMS)
def test_every_problem_of_a_coco_file_is_found(
    tmp_path: Path, spoil: Callable[[Content], None], severity: str, kind: str, words: str
) -> None:
    report = examine(coco(tmp_path)(spoil))
    found = {finding.kind: finding for finding in report.findings}
    assert kind in found, report.lines()
    assert found[kind].severity == severity
    assert any(words in str(finding) for finding in report.findings if finding.kind == kind)
    assert all(finding.remedy for finding in report.findings)


def save_spoiled(path: Path, how: str) -> None:
    """Overwrite the image at `path` by one that is wrong in one way."""
    sound = picture(0)
    if how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("this is no image")
    elif how == "truncated":
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif how == "missing":
        path.unlink()
    elif how == "jpeg":
        sound.save(path, "JPEG", quality=95)
    elif how == "alpha":
        sound.convert("RGBA").save(path)
    elif how == "gray":
        sound.convert("L").save(path)
    elif how == "sixteen":
        Image.fromarray(np.asarray(sound.convert("L"), np.uint16) * 256).save(path)
    elif how == "float":
        Image.fromarray(np.asarray(sound.convert("L"), np.float32)).save(path, "TIFF")
    elif how == "exif":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture(0).save(path, exif=exif)
    elif how == "tiny":
        picture(0, 4, 4).save(path)
    else:
        raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "severity", "kind"),
    [
        ("empty", "error", "image unreadable"),
        ("text", "error", "image unreadable"),
        ("truncated", "error", "image truncated"),
        ("missing", "error", "image missing"),
        ("jpeg", "warning", "wrong suffix"),
        ("alpha", "warning", "alpha channel"),
        ("gray", "warning", "grayscale"),
        ("sixteen", "warning", "more than 8 bits"),
        ("float", "error", "image unreadable"),
        ("exif", "warning", "EXIF rotation"),
        ("tiny", "error", "size differs from labels"),
    ],
)
def test_every_problem_of_an_image_is_found(
    tmp_path: Path, how: str, severity: str, kind: str
) -> None:
    config = coco(tmp_path)()
    save_spoiled(tmp_path / "train" / "0.png", how)
    report = examine(config)
    assert (severity, kind) in kinds(report), report.lines()
    assert all("train/0.png" in finding.where for finding in report.findings)
    if severity == "error":
        with pytest.raises(UserError, match=r"train/0\.png"):
            report.raise_errors()


def test_cmyk(tmp_path: Path) -> None:
    def rename(content: Content) -> None:
        content["images"][0]["file_name"] = "0.jpg"

    config = coco(tmp_path)(rename)
    (tmp_path / "train" / "0.png").unlink()
    picture(0).convert("CMYK").save(tmp_path / "train" / "0.jpg")
    only(examine(config), "warning", "CMYK", "0.jpg")


def test_huge_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yolor_gp.data.doctor.image_files._HUGE", 64 * 48 - 1)
    report = examine(coco(tmp_path)())
    only(report, "warning", "image of huge size", "64x48")
    assert len(report.findings) == 6


def test_a_missing_folder_is_one_finding(tmp_path: Path) -> None:
    config = coco(tmp_path)()
    (tmp_path / "train").rename(tmp_path / "elsewhere")
    only(examine(config), "error", "image missing", "no such folder of images")


def test_images_that_no_one_lists(tmp_path: Path) -> None:
    config = coco(tmp_path)()
    picture(9).save(tmp_path / "train" / "extra.png")
    only(examine(config), "warning", "images without labels", "extra.png")


def test_the_same_pixels_twice(tmp_path: Path) -> None:
    config = coco(tmp_path)()
    picture(1).save(tmp_path / "train" / "0.png", compress_level=0)
    only(examine(config), "warning", "duplicate image", "0.png", "same pixels as 1.png")


def test_leakage_is_found_by_content(tmp_path: Path) -> None:
    config = coco(tmp_path)()
    picture(2).save(tmp_path / "val" / "5.png", compress_level=0)
    only(examine(config), "warning", "train/val leakage", "val/5.png", "train/2.png")


def test_validating_on_the_training_images_is_one_warning(tmp_path: Path) -> None:
    coco(tmp_path)()
    yaml = "train: train\nval: train\nannotations: {train: train.json, val: train.json}\n"
    (tmp_path / "data.yaml").write_text(yaml)
    report = examine(load_data_config(tmp_path / "data.yaml"))
    only(report, "warning", "train/val leakage", "the same images")
    assert len(report.findings) == 1


def test_several_problems_are_reported_at_once(tmp_path: Path) -> None:
    def spoil(content: Content) -> None:
        content["annotations"][0]["category_id"] = 9
        content["annotations"][1]["bbox"] = [0, 0, 0, 0]
        content["annotations"][2]["segmentation"] = {"size": [48, 64], "counts": "~"}

    report = examine(coco(tmp_path)(spoil))
    assert kinds(report) == {
        ("error", "class out of range"), ("warning", "empty box"), ("error", "broken RLE"),
    }  # fmt: skip
    assert len(report.errors) == 2 and len(report.warnings) == 1
    assert report.lines()[-1] == "2 errors, 1 warnings"


def yolo(root: Path) -> DataConfig:
    for split, seed in (("train", 0), ("val", 1)):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        picture(seed).save(root / "images" / split / f"{seed}.png")
        (root / "labels" / split / f"{seed}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    return load_data_config(root / "data.yaml")


def test_a_sound_yolo_set(tmp_path: Path) -> None:
    report = examine(yolo(tmp_path))
    assert report.findings == ()
    assert report.splits["train"].objects == 1


@pytest.mark.parametrize(
    ("text", "severity", "kind", "words"),
    [
        ("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n", "error", "class out of range", "0.txt:2"),
        ("0 0.5 nan 0.2 0.2\n", "error", "not a number", "0.txt:1"),
        ("0 0.5 x 0.2 0.2\n", "error", "not a number", "'x'"),
        ("0 0.5 0.5 0.2\n", "error", "wrong number of values", "found 4 values"),
        ("0 0.1 0.1 0.2 0.2 0.3\n", "error", "wrong number of values", "three points"),
        ("0 0.5 0.5 0 0.2\n", "error", "empty box", "positive width"),
        ("0 320 240 20 20\n", "error", "box outside", "divide pixels"),
        ("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n", "warning", "ignored label", "1 lines"),
        (b"\xff\xfe\x00", "error", "label file unreadable", "not a text file"),
    ],
)
def test_every_problem_of_a_label_file_is_found(
    tmp_path: Path, text: str | bytes, severity: str, kind: str, words: str
) -> None:
    config = yolo(tmp_path)
    file = tmp_path / "labels" / "train" / "0.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    report = examine(config)
    found = [str(finding) for finding in report.findings if finding.kind == kind]
    assert (severity, kind) in kinds(report), report.lines()
    assert any(words in line for line in found), found


def test_labels_without_image_and_folders_without_labels(tmp_path: Path) -> None:
    config = yolo(tmp_path)
    (tmp_path / "labels" / "train" / "9.txt").write_text("")
    (tmp_path / "labels" / "val" / "1.txt").unlink()
    (tmp_path / "labels" / "val").rmdir()
    assert kinds(examine(config)) == {
        ("warning", "labels without image"), ("warning", "no label folder"),
        ("warning", "no objects"),
    }  # fmt: skip


def test_a_yolo_set_without_images(tmp_path: Path) -> None:
    config = yolo(tmp_path)
    (tmp_path / "images" / "train" / "0.png").unlink()
    only(examine(config, splits=["train"]), "error", "no images", "no pictures found")


def test_a_report_is_read_again_until_something_changes(tmp_path: Path, own_cache: Path) -> None:
    config = coco(tmp_path)()
    seen: list[int] = []

    def examined() -> int:
        seen.clear()
        examine(config, progress=lambda done, total: seen.append(done))
        return len(seen)

    assert examined() == 6
    assert examined() == 0, "nothing has changed"
    picture(7).save(tmp_path / "train" / "0.png")
    assert examined() == 6, "an image has changed"
    content = sound(range(4))
    content["annotations"][0]["bbox"] = [5, 5, 20, 11]
    write_json(tmp_path, "train", content)
    assert examined() == 6, "the labels have changed"
    for file in (own_cache / "yolor_gp" / "doctor").iterdir():
        file.write_text("{damaged")
    assert examined() == 6, "a damaged report is not used"
    assert examined() == 0


def test_a_kept_report_is_the_same_report(tmp_path: Path) -> None:
    config = coco(tmp_path)(annotation(category_id=9))
    first, second = examine(config), examine(config)
    assert first == second
    assert Report.from_json(json.loads(json.dumps(first.to_json()))) == first


def test_only_the_process_that_is_told_to_writes(tmp_path: Path, own_cache: Path) -> None:
    examine(coco(tmp_path)(), write_cache=False)
    assert not (own_cache / "yolor_gp" / "doctor").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco(tmp_path)(annotation(category_id=9))
    words = [str(tmp_path / "data.yaml"), "--json", str(tmp_path / "r.json")]
    assert main([*words, "--picture", str(tmp_path / "h.png")]) == 1
    printed = capsys.readouterr().out
    assert "error: class out of range (1)" in printed and "1 errors" in printed
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["errors"] == 1 and content["splits"]["train"]["images"] == 4
    assert (tmp_path / "h-train.png").stat().st_size > 5000
    coco(tmp_path)()
    assert main([str(tmp_path / "data.yaml")]) == 0
