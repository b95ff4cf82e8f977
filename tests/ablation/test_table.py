"""Tables as files, their folders, and what is laid out of finished runs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest

from yolor_gp.ablation.board import Board, board_lines
from yolor_gp.ablation.claims import CLAIM
from yolor_gp.ablation.correlations import over_rows, over_runs
from yolor_gp.ablation.figures import table_figures
from yolor_gp.ablation.folder import AblationFolder, Plan, Proxy, Status, make_folder, open_folder
from yolor_gp.ablation.hparams import write_hparams
from yolor_gp.ablation.page import page
from yolor_gp.ablation.progress import Progress, progress, summary
from yolor_gp.ablation.report import _printed_difference, csv_table, latex_table, write_report
from yolor_gp.ablation.subjects import Detectors
from yolor_gp.ablation.table_file import chosen_rows, load_table
from yolor_gp.analysis.paths.published import PUBLISHED_ROWS
from yolor_gp.commands.ablation import main
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.errors import UserError

DETECTORS = Detectors()
TINY = Path(__file__).resolve().parents[1] / "tiny.yaml"
TABLE = f"""\
title: "Two tiny networks"
base: "first one"
hyp: demo
img: 64
batch_size: 8
seeds: [0, 1]
rows:
  - {{name: "first one", cfg: {TINY}, printed: {{box_ap: 51.0, mask_ap: 41.1}}}}
  - {{name: "second & last", cfg: {TINY}}}
"""


def written(folder: Path, text: str = TABLE) -> Path:
    file = folder / "two.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> AblationFolder:
    return make_folder(tmp_path / "two", Plan(table=load_table(written(tmp_path)), data="shapes"))


def finish(folder: AblationFolder, row: int, seed: int, ap: float) -> None:
    wanted = folder.plan.table.rows[row]
    job = next(job for job in folder.jobs() if job.row == wanted and job.seed == seed)
    job.run.mkdir(parents=True)
    (job.run / "metrics.csv").write_text(
        f"epoch,train/total,val/box AP\n1,3.0,\n2,{2 - row},{ap}\n3,{1.5 - row},{ap}\n"
    )
    figures = {"AP": ap, "AP75": ap / 2}
    job.evaluation.write_text(json.dumps({"bbox": figures, "segm": figures}))


@pytest.mark.parametrize("name", [file.stem for file in shipped_files("ablation")])
def test_shipped_tables_are_the_papers(name: str) -> None:
    table = load_table(name)
    printed = {row.name: row for row in PUBLISHED_ROWS}
    hyp, size = ("imagenet", 256) if name == "table2" else ("yolor-640", 640)
    assert table.seeds == (0, 1, 2) and table.hyp == hyp and table.img == size
    assert (table.validation.confidence, table.validation.iou) == (0.001, 0.65)
    for row in table.rows:
        if row.cfg in printed:
            found = (row.printed.box_ap, row.printed.mask_ap)
            assert found == (printed[row.cfg].box_ap, printed[row.cfg].mask_ap)
            assert load_model_spec(row.cfg).printed["table"] == int(name[-1])
    if name != "table8":
        rows = {row.cfg for row in table.rows}
        shipped = {p.name for p in PUBLISHED_ROWS if p.name.startswith(f"{name}-")}
        assert shipped <= rows


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("img: 64", "img: 70", "two.yaml:8: row 'first one': --img 70: must be a multiple of 16"),
        ('base: "first one"', "base: third", "two.yaml:2: base 'third' is no row; rows: 'first"),
        ("second & last", "First One", "two.yaml:9: two rows are called 'first-one'"),
        ("hyp: demo", "hypp: demo", "two.yaml:3: unknown key 'hypp'; did you mean 'hyp'"),
        (str(TINY), "yolor-nothing", "two.yaml:8: row 'first one': yolor-nothing: no such file"),
        ("box_ap: 51.0", "box_ap: 510", "two.yaml:8: 'rows.0.printed.box_ap'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        load_table(written(tmp_path, TABLE.replace(old, new, 1)))
    assert any(message in problem for problem in caught.value.problems), caught.value.problems


def test_rows_are_chosen_by_name_or_key(folder: AblationFolder) -> None:
    table = folder.plan.table
    assert chosen_rows(table, ("second-last",)) == chosen_rows(table, ("second & last",))
    assert [job.seed for job in folder.jobs()] == [0, 0, 1, 1]
    with pytest.raises(UserError, match="no row 'third'"):
        chosen_rows(table, ("third",))


def test_a_folder_belongs_to_one_plan(folder: AblationFolder) -> None:
    assert make_folder(folder.path, folder.plan) == folder == open_folder(folder.path)
    other = folder.plan.model_copy(update={"epochs": 3})
    with pytest.raises(UserError, match=r"belongs to another plan \(other: epochs\)"):
        make_folder(folder.path, other)
    with pytest.raises(UserError, match="no folder of a table"):
        open_folder(folder.path.parent)


def test_a_proxy_writes_narrowed_models(tmp_path: Path) -> None:
    text = TABLE.replace(str(TINY), "yolor-csp", 1)
    plan = Plan(table=load_table(written(tmp_path, text)), data="shapes",
                proxy=Proxy(width=0.25, depth=0.33))  # fmt: skip
    folder = make_folder(tmp_path / "proxy", plan)
    spec = load_model_spec(folder.model(plan.table.rows[0]))
    assert (spec.width_multiple, spec.depth_multiple) == (0.25, 0.33)
    given = load_model_spec("yolor-csp").layers
    assert [layer.block for layer in spec.layers] == [layer.block for layer in given]


def test_the_state_of_a_run_is_read_off_its_files(folder: AblationFolder) -> None:
    first, second, third, fourth = folder.jobs()
    finish(folder, 0, 0, 0.5)
    second.run.mkdir(parents=True)
    (second.folder / CLAIM).write_text("{}")
    (second.run / "metrics.csv").write_text("epoch,val/box AP\n1,0.25\n2,\n")
    third.run.mkdir(parents=True)
    (third.folder / CLAIM).write_text("{}")
    os.utime(third.folder / CLAIM, (0, 0))
    states = [job.status(60) for job in (first, second, third, fourth)]
    assert states == ["finished", "running", "stopped", "waiting"]
    runs = progress(folder, 60)
    assert [run.found.get("box AP") for run in runs] == [50, 25, None, None]
    assert summary(runs) == "1 finished, 1 running, 1 stopped, 1 waiting"
    text = page(folder, runs)
    assert 'http-equiv="refresh"' in text and "second &amp; last" in text and ">50.0<" in text


def test_what_the_paper_prints_stands_beside_a_difference(tmp_path: Path) -> None:
    first, second = load_table("table3").rows[:2]
    assert _printed_difference(second, first, "box_ap") == " The paper prints -2.2."
    unprinted = load_table(written(tmp_path)).rows[1]
    assert _printed_difference(unprinted, first, "box_ap") == ""


def run_now(row: str, status: Status, done: int = 0) -> Progress:
    left, found = (61.0, {"box AP": 12.34}) if status == "running" else (None, {})
    return Progress(row, 0, status, done, 4, left, found)


def test_the_board_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run_now("a", "waiting"), run_now("long one", "running", 2)]
    monkeypatch.setattr("shutil.get_terminal_size", lambda: (80, 24))
    terminal = io.StringIO()
    board = Board(terminal, "Table")
    board.draw(runs)
    terminal.write("a line of the log\n")
    board.draw([runs[0], run_now("long one", "finished", 4)])
    screen = shown(terminal.getvalue())
    assert screen[0] == "a line of the log" and screen[2] == "Table: 1 finished, 1 waiting"
    assert screen[3].split() == ["a", "seed", "0", "waiting", "[", "]", "0/4"]
    assert screen[4].startswith("long one  seed 0  finished  [####################]")
    assert len(screen) == 5
    line = board_lines("Table", runs, 20)[2]
    assert "[##########          ]" in line and line.endswith("2/4    0:01:01  box AP 12.3")


def test_a_low_terminal_shows_what_runs() -> None:
    runs = [run_now(str(k), "waiting") for k in range(9)] + [run_now("busy", "running", 1)]
    lines = board_lines("Table", runs, 5)
    assert len(lines) == 5 and lines[1].startswith("busy") and lines[-1] == "and 7 more"


def shown(text: str) -> list[str]:
    """The lines of a terminal that was written to."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[J|\x1b\[\d+F|\n|[^\x1b\n]+", text):
        if part == "\x1b[J":
            lines[row:] = [""]
        elif part.endswith("F"):
            row -= int(part[2:-1])
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = part + lines[row][len(part) :]
    return [line.rstrip() for line in lines[:-1]]


def test_tensorboard_shows_what_came_of_each_row(folder: AblationFolder) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    finish(folder, 0, 0, 0.5)
    write_hparams(folder)
    write_hparams(folder)
    first, second = folder.jobs()[:2]
    (file,) = first.run.glob("*.hparams")
    assert not second.run.is_dir()
    events = EventAccumulator(str(file)).Reload()
    assert events.Scalars("table/box AP")[0].value == 0.5
    plugin = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"first one" in plugin


def test_the_table_of_finished_runs(folder: AblationFolder) -> None:
    for seed, ap in ((0, 0.5), (1, 0.52)):
        finish(folder, 0, seed, ap)
    finish(folder, 1, 0, 0.4)
    rows = table_figures(folder)
    first, second = rows
    assert first.found["box_ap"].mean == pytest.approx(51) and first.found["box_ap"].count == 2
    assert first.found["box_ap"].deviation == pytest.approx(2**0.5)
    # By half time, which is the second epoch of three, all came to 2.0, the first row just so.
    # The second row passes it in the middle of its second epoch.
    assert (first.epochs_to_loss, second.epochs_to_loss) == (2.0, 1.5)
    written = {file.name for file in write_report(folder, rows)}
    assert written == {"report.md", "table.csv", "table.tex", "against-flops.png"}
    text = (folder.path / "report.md").read_text()
    assert "| first one | 0.00 |  | 0.01 |  | 51.0 ± 1.4 | 51 | 25.5 ± 0.7 |" in text
    assert "[seed 1](first-one/seed-1/run/provenance.json)" in text and "proxy" not in text
    table = list(csv.DictReader(csv_table(DETECTORS, rows).splitlines()))
    assert (table[1]["box_ap"], table[1]["box_ap_deviation"], table[1]["seeds"]) == (
        "40.0",
        "",
        "1",
    )
    assert r"second \& last & 0.00 G & 0.01 M & 40.0" in latex_table(folder, rows)
    assert over_rows(rows, "box_ap") == []  # two rows
    (epochs,) = over_runs(rows, "box_ap")  # three runs: the one of .4 comes to the loss first
    assert epochs.name == "epochs to the loss" and epochs.count == 3
    assert epochs.value == pytest.approx(0.866, abs=1e-3)
    assert "box AP over 3 runs, rows and seeds alike (p in brackets; as if" in text


def test_a_report_from_a_folder_alone(
    folder: AblationFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(folder, 0, 0, 0.5)
    assert main(["--report", str(folder.path)]) == 0
    assert "Two tiny networks: 1 finished, 3 waiting" in capsys.readouterr().out


def test_an_evaluation_cut_short_is_named(folder: AblationFolder) -> None:
    finish(folder, 0, 0, 0.5)
    folder.jobs()[0].evaluation.write_text("{")
    with pytest.raises(UserError, match=r"evaluation\.json: cannot be read"):
        table_figures(folder)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a table and --data"),
        (["TABLE", "--data", "shapes", "--rows", "third"], "--rows: no row 'third'"),
        (["TABLE", "--data", "shapes", "--seeds", "7"], "has the seeds 0, 1"),
        (["TABLE", "--data", "shapes", "--time", "2h"], "add --proxy, or say --epochs"),
        (["TABLE", "--data", "shapes", "--proxy"], "say how long with --time 2h, or --epochs N"),
        (["TABLE", "--data", "coco"], "instances_train2017.json: cannot be read (No such file"),
        (["table10", "--data", "shapes"], "did you mean 'table"),
    ],
)
def test_bad_words_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    shapes = tmp_path / "data" / "few.yaml"
    shapes.write_text("path: few\nshapes: {train: 2, val: 2, size: 64}\n")
    names = {"TABLE": str(written(tmp_path)), "shapes": str(shapes)}
    with pytest.raises(UserError) as caught:
        main([names.get(word, word) for word in words])
    assert any(message in problem for problem in caught.value.problems), caught.value.problems
    assert not (tmp_path / "runs").exists()
