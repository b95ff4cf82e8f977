from __future__ import annotations

from pathlib import Path

import pytest

from yolor_gp.commands.train import main as train_main
from yolor_gp.commands.train import requested
from yolor_gp.commands.val import main as val_main
from yolor_gp.errors import UserError


def test_only_what_was_given_is_kept() -> None:
    parsed = requested(["--img", "320", "--batch-size", "auto", "--cache"])
    assert parsed.given == {"image_size": (320, 320), "batch_size": 0, "cache": "ram"}
    assert (parsed.overrides, parsed.resume, parsed.project) == ((), None, Path("runs/train"))


def test_epochs_and_patience_are_the_recipes() -> None:
    parsed = requested(
        [
            "--set",
            "ema.decay=0.9",
            "loss.box=1",
            "--epochs",
            "3",
            "--patience",
            "2",
            "--set",
            "a.b=c",
        ]
    )
    assert parsed.overrides == (
        "ema.decay=0.9", "loss.box=1", "a.b=c", "schedule.epochs=3", "schedule.patience=2",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "resume"),
    [(["--resume"], ""), (["--resume", "runs/train/exp"], "runs/train/exp"), ([], None)],
)
def test_resume(arguments: list[str], resume: str | None) -> None:
    assert requested(arguments).resume == resume


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epoch", "3"], "unknown flag '--epoch'; did you mean '--epochs'"),
        (["--batch-size", "many"], "--batch-size: expected a whole number"),
        (["--precision", "bf16"], "unknown word 'bf16'"),
        (["--timeout", "-1"], "expected a number of seconds above 0"),
        (["--hyp", "finetun"], "did you mean 'finetune'"),
        (["--seed", "99999999999"], "--seed 99999999999: "),
        (["--device", "tpu"], "--device tpu: expected auto, cpu, cuda"),
        (["--resume", "nowhere"], "nowhere: no such checkpoint"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        train_main(arguments)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_neither_model_nor_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither --cfg nor --weights is given"):
        train_main(["--project", str(tmp_path)])
    with pytest.raises(UserError, match="--img 100: must be a multiple of 32; use 96 or 128"):
        train_main(["--project", str(tmp_path), "--cfg", "yolor-csp", "--img", "100"])
    assert list(tmp_path.iterdir()) == []  # no run folder is left behind


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--weights"),
        (["--weights", "absent.pt"], "absent.pt: no such weights"),
        (["--weights", "a.pt", "--backend", "coco"], "unknown word 'coco'"),
        (["--weights", "a.pt", "--iou", "2"], "expected a number from 0 to 1"),
        (["--weight", "a.pt"], "did you mean '--weights'"),
    ],
)
def test_val_says_what_is_wrong(arguments: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        val_main(arguments)
    assert words in str(caught.value)
