from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from yolor_gp.commands import main as main_module
from yolor_gp.commands.main import main
from yolor_gp.commands.program import exit_code, run
from yolor_gp.engine.runs import new_run_folder
from yolor_gp.errors import UserError
from yolor_gp.flags.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.flags.names import COMMANDS, as_called

ROOT = Path(__file__).resolve().parents[2]


def test_user_errors_are_lines_on_stderr_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: Sequence[str] | None) -> int:
        raise UserError("a.yaml:1: first", "a.yaml:2: second")

    assert exit_code(command) == 2
    assert capsys.readouterr().err == "a.yaml:1: first\na.yaml:2: second\n"


def test_an_interrupt_exits_130() -> None:
    def command(arguments: Sequence[str] | None) -> int:
        raise KeyboardInterrupt

    assert exit_code(command) == 130


def test_faults_of_the_program_keep_their_traceback() -> None:
    def command(arguments: Sequence[str] | None) -> int:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        exit_code(command)


def test_run_leaves_with_the_exit_code() -> None:
    with pytest.raises(SystemExit) as leaving:
        run(lambda arguments: 7)
    assert leaving.value.code == 7


def parser() -> Arguments:
    parser = Arguments("detect.py")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--batch-size", type=whole_number(1), default=1)
    parser.add_argument("--iou", type=fraction, default=0.5)
    parser.add_argument("--precision", type=one_of("float32", "bfloat16"), default="float32")
    return parser


def test_known_flags_are_parsed() -> None:
    options = parser().parse(["--weights=w.pt", "--batch-size", "4", "--iou", "0.25"])
    assert (options.weights, options.batch_size, options.iou) == ("w.pt", 4, 0.25)


def test_help_tells_defaults_where_there_are_some() -> None:
    flags = parser()
    flags.add_argument("--out", help="to write")
    flags.add_argument("--hidden", action="store_true", help="draw nothing")
    flags.add_argument("--most", type=whole_number(0), default=0, help="shown")
    text = " ".join(flags.format_help().split())
    assert "to write --hidden draw nothing --most MOST shown (default: 0)" in text


def test_every_unknown_flag_is_named_before_anything_else() -> None:
    with pytest.raises(UserError) as raised:
        parser().parse(["--wieghts", "w.pt", "--batchsize=4"])
    assert raised.value.problems == (
        "detect.py: unknown flag '--wieghts'; did you mean '--weights'?; see detect.py --help",
        "detect.py: unknown flag '--batchsize'; did you mean '--batch-size'?; see detect.py --help",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--weights"),
        (["--weights", "w", "--weight", "w"], "did you mean '--weights'"),
        (["--weights", "w", "--batch-size", "0"], "whole number of at least 1, found '0'"),
        (["--weights", "w", "--batch-size", "two"], "whole number of at least 1, found 'two'"),
        (["--weights", "w", "--iou", "1.5"], "from 0 to 1, found '1.5'"),
        (["--weights", "w", "--iou", "nan"], "from 0 to 1, found 'nan'"),
        (["--weights", "w", "--precision", "bfloat"], "did you mean 'bfloat16'"),
        (["--weights", "w", "stray"], "stray"),
    ],
)
def test_bad_command_lines(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parser().parse(words)


def test_negative_numbers_are_not_flags() -> None:
    with pytest.raises(UserError, match="found '-1'"):
        parser().parse(["--weights", "w", "--batch-size", "-1"])


def test_unknown_commands_get_a_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "unknown command 'trian'; did you mean 'train'?" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in COMMANDS)


def test_every_command_module_is_dispatched() -> None:
    folder = Path(main_module.__file__).parent
    commands = {
        file.stem.replace("_", "-")
        for file in folder.glob("*.py")
        if "\ndef main(" in file.read_text() and file.stem != "main"
    }
    assert commands <= set(COMMANDS)


@pytest.mark.parametrize(("words", "code"), [(["train", "--epohcs", "3"], 2), (["--help"], 0)])
def test_what_is_said_of_flags_needs_no_torch(words: list[str], code: int) -> None:
    program = f"""
import sys
from yolor_gp.commands.main import main
assert main({words}) == {code}
assert not {{"torch", "cv2", "numpy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=ROOT)


def test_run_folders_are_never_reused(tmp_path: Path) -> None:
    folders = [new_run_folder(tmp_path / "runs", "exp") for _ in range(3)]
    assert [folder.name for folder in folders] == ["exp", "exp2", "exp3"]


def test_a_file_in_the_place_of_the_project_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match="runs"):
        new_run_folder(tmp_path / "runs", "exp")


def test_a_command_is_named_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for called, expected in (
        ("scripts/check_dataset.py", "check_dataset.py: unknown flag '--x'; see check_dataset.py"),
        ("bin/yolor-gp", "yolor-gp check-dataset: unknown flag '--x'; see yolor-gp check-dataset"),
    ):
        monkeypatch.setattr("sys.argv", [called])
        assert main(["check-dataset", "--x"]) == 2
        assert capsys.readouterr().err == f"{expected} --help\n"
    assert main(["train", "--evolve"]) == 2  # by another name, still known
    assert capsys.readouterr().err.startswith("yolor-gp train: --evolve: ")
    with pytest.raises(SystemExit, match="2"):
        main(["classify"])
    assert "usage: yolor-gp classify {train" in capsys.readouterr().out
    assert main(["classify", "train", "--x"]) == 2
    assert "see yolor-gp classify train --help" in capsys.readouterr().err


def test_commands_in_sentences_are_named_as_they_are_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "see summarize_model.py --list, python train.py, scripts/report.py or my/val.py"
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert as_called(text) == text
    monkeypatch.setattr("sys.argv", ["bin/yolor-gp"])
    assert as_called(text) == (
        "see yolor-gp summarize-model --list, yolor-gp train, yolor-gp report or my/val.py"
    )
    assert as_called("scripts/benchmark.py") == "scripts/benchmark.py"  # not installed
    with pytest.raises(SystemExit):
        main(["detect", "--help"])
    assert "what yolor-gp val --store-thresholds stored" in " ".join(
        capsys.readouterr().out.split()
    )
    assert main(["summarize-model", "no-such-model"]) == 2
    assert "yolor-gp summarize-model --list" in capsys.readouterr().err
    assert main(["detect", "--visualize"]) == 2
    assert "use yolor-gp gradient-paths to see" in capsys.readouterr().err
