"""People of other projects find their flags; `python -m tests.flags.test_known_flags` writes
docs/migration.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from yolor_gp.commands.train import requested
from yolor_gp.errors import UserError
from yolor_gp.flags import detect, train, val
from yolor_gp.flags.arguments import Arguments
from yolor_gp.flags.known_flags import known_answer, same_flag

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migration.md"

YOLOV5 = {
    "train": """weights cfg data hyp epochs batch-size imgsz rect resume nosave noval noautoanchor
        noplots evolve evolve_population resume_evolve bucket cache image-weights device multi-scale
        single-cls optimizer sync-bn workers project name exist-ok quad cos-lr label-smoothing
        patience freeze save-period seed local_rank entity upload_dataset bbox_interval
        artifact_alias ndjson-console ndjson-file mask-ratio no-overlap""",
    "val": """data weights batch-size imgsz conf-thres iou-thres max-det task device workers
        single-cls augment verbose save-txt save-hybrid save-conf save-json project name exist-ok
        half dnn""",
    "detect": """weights source data imgsz conf-thres iou-thres max-det device view-img save-txt
        save-format save-csv save-conf save-crop nosave classes agnostic-nms augment visualize
        update project name exist-ok line-thickness hide-labels hide-conf half dnn vid-stride
        retina-masks""",
}
"""Names of the flags of YOLOv5's programs, segmentation included."""

ULTRALYTICS = {
    "train": """model data epochs time patience batch imgsz save save_period cache device workers
        project name exist_ok pretrained optimizer seed deterministic verbose single_cls classes
        rect multi_scale cos_lr close_mosaic resume amp fraction profile freeze lr0 lrf momentum
        weight_decay warmup_epochs warmup_momentum warmup_bias_lr box cls dfl pose kobj nbs
        overlap_mask mask_ratio dropout val plots compile hsv_h hsv_s hsv_v degrees translate scale
        shear perspective flipud fliplr bgr mosaic mixup cutmix copy_paste copy_paste_mode
        auto_augment erasing""",
    "val": """model data imgsz batch save_json conf iou max_det half device dnn plots classes rect
        split project name verbose save_txt save_conf workers augment agnostic_nms single_cls
        visualize""",
    "detect": """model source conf iou imgsz rect half device batch max_det vid_stride stream_buffer
        visualize augment agnostic_nms classes retina_masks embed project name stream verbose show
        save save_frames save_txt save_conf save_crop show_labels show_conf show_boxes
        line_width""",
}
"""Names of the arguments of Ultralytics' modes, without export."""

PARSERS = {
    "train": train.parser(), "val": val.parser(), "detect": detect.parser(),
}  # fmt: skip


def answer(program: str, name: str) -> tuple[str, str] | None:
    """("as" | "use", what to write or do), or None where nothing is known."""
    parser = PARSERS[program]
    flag = parser._in_our_words(f"--{name}")
    if flag in parser.known:
        return "as", flag
    told = known_answer(program, name)
    return None if told is None else ("use", told)


@pytest.mark.parametrize("program", list(PARSERS))
@pytest.mark.parametrize("project", [YOLOV5, ULTRALYTICS], ids=["yolov5", "ultralytics"])
def test_flags_are_taken_or_answered(program: str, project: dict[str, str]) -> None:
    names = project[program].split()
    unknown = [name for name in names if answer(program, name) is None]
    assert len(unknown) <= 0.05 * len(names), unknown


@pytest.mark.parametrize("program", list(PARSERS))
def test_what_is_told_exists(program: str) -> None:
    parser = PARSERS[program]
    for project in (YOLOV5, ULTRALYTICS):
        for name in project[program].split():
            kind, told = answer(program, name) or ("", "")
            if kind != "use":
                continue
            first = next((word for word in told.split() if word.startswith("--")), None)
            others = " ".join(other.prog for other in PARSERS.values() if other is not parser)
            if first is not None and not any(prog in told for prog in others.split()):
                assert first.rstrip(",:;)") in parser.known, (name, told)


@pytest.mark.parametrize(
    ("program", "flag", "words"),
    [
        ("train", "--evolve", "not built in"),
        ("train", "--half", "use --precision"),
        ("train", "--lr0", "--set optimizer.learning_rate"),
        ("detect", "--view-img", "no window"),
    ],
)
def test_no_wrong_hints(program: str, flag: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        PARSERS[program].parse([flag])
    assert "did you mean" not in str(caught.value)


def test_other_names_are_taken() -> None:
    words = ["--weights", "a.pt", "--source", "b", "--conf-thres=0.4", "--max_det", "5", "--nosave"]
    options = detect.parser().parse(words)
    assert (options.confidence, options.max_detections, options.no_images) == (0.4, 5, True)
    parsed = requested(["--imgsz", "64", "--batch", "4"])
    assert parsed.given == {"image_size": (64, 64), "batch_size": 4}


def test_arguments_with_an_equals_sign() -> None:
    parser = Arguments("x.py")
    parser.add_argument("--epochs")
    with pytest.raises(UserError, match="write --epochs 100"):
        parser.parse(["epochs=100"])


def test_every_other_name_leads_somewhere() -> None:
    known = {flag for parser in PARSERS.values() for flag in parser.known}
    for project in (YOLOV5, ULTRALYTICS):
        for names in project.values():
            for name in names.split():
                same = same_flag(name)
                assert same is None or same in known


def test_the_page_is_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"write it again: python {Path(__file__)}"


def page() -> str:
    """docs/migration.md."""
    lines = [
        "# Coming from YOLOv5 or Ultralytics",
        "",
        "Every flag of their train, val and detect programs (segmentation included) and what it is",
        "here. `tests/flags/test_known_flags.py` writes this page and keeps it.",
    ]
    for title, project in (("YOLOv5", YOLOV5), ("Ultralytics", ULTRALYTICS)):
        for program, names in project.items():
            lines += ["", f"## {title}: {program}", "", "| there | here |", "|---|---|"]
            for name in names.split():
                kind, told = answer(program, name) or ("", "no counterpart")
                here = f"`{told}`" if kind == "as" else told
                lines.append(f"| `{name}` | {here} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
