"""The harness: medians, ratios, turns, rows and reports; no time is asserted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import catalogue
from benchmarks.command import main
from benchmarks.contender import Contender, ContenderError
from benchmarks.contest import DISAGREE, hold
from benchmarks.growth.ranks import efficiency, exchange_seconds
from benchmarks.report import number, to_json, to_markdown
from benchmarks.settings import Settings
from benchmarks.timing import Figures, Run, Timed, timed, turns
from benchmarks.work import Row, Target, Work, ratio_of
from yolor_gp.errors import UserError

HERE = "tests.benchmark.contenders"


def quiet(_: str) -> None:
    pass


def a_work(**changes: Any) -> Work:
    values: dict[str, Any] = {
        "name": "sleep", "title": "sleeping", "ours": f"{HERE}:fast",
        "peers": {"slow": f"{HERE}:slow"}, "unit": "s", "target": Target("at least", 2),
        "repeats": 3,
    }  # fmt: skip
    return Work(**values | changes)


def test_figures_are_median_and_extremes() -> None:
    assert Figures.of([3.0, 1.0, 100.0]) == Figures(3.0, 1.0, 100.0)
    assert Figures.of([1.0, 2.0]).median == 1.5
    with pytest.raises(ValueError, match="no runs"):
        Figures.of([])


def test_turns_let_everyone_go_first() -> None:
    order = turns(3, 6)
    assert [first for first, *_ in order] == [0, 1, 2, 0, 1, 2]
    assert all(sorted(one) == [0, 1, 2] for one in order)
    assert turns(0, 3) == []


@pytest.mark.parametrize(
    ("kind", "rate", "ours", "peer", "ratio"),
    [
        ("at least", False, 2.0, 8.0, 4.0),  # seconds: four times as fast
        ("at least", True, 8.0, 2.0, 4.0),  # images a second
        ("at most", False, 2.0, 8.0, 0.25),  # a quarter of the time
        ("at most", True, 8.0, 2.0, 0.25),
    ],
)
def test_ratios(kind: Any, rate: bool, ours: float, peer: float, ratio: float) -> None:
    assert ratio_of(a_work(target=Target(kind, 1), rate=rate), ours, peer) == ratio


def test_without_a_target_the_ratio_is_a_share_of_time_or_of_the_rate() -> None:
    assert ratio_of(a_work(target=None), 2.0, 8.0) == 0.25
    assert ratio_of(a_work(target=None, rate=True), 8.0, 2.0) == 4.0


def test_targets_are_met_on_the_right_side() -> None:
    assert Target("at least", 2).met(2.0) and not Target("at least", 2).met(1.99)
    assert Target("at most", 0.5).met(0.5) and not Target("at most", 0.5).met(0.51)
    assert str(Target("at least", 2.5)) == ">= 2.5x"


def test_the_clock_leaves_out_the_preparation() -> None:
    seen = []
    run = timed(lambda value: seen.append(value) or value, prepare=lambda: "ready")
    assert run().result == "ready" and seen == ["ready"]


def test_a_contest_gives_a_row_for_each_peer(tmp_path: Path) -> None:
    work = a_work(peers={"slow": f"{HERE}:slow", "slower": f"{HERE}:slower"})
    rows = hold(work, Settings(scratch=tmp_path), None, quiet)
    assert [row.peer_name for row in rows] == ["slow", "slower"]
    assert [(row.ours, row.peer, row.ratio) for row in rows] == [(1, 3, 3), (1, 6, 6)]
    assert all(row.met and row.target == ">= 2x" for row in rows)
    assert [row.processor_ratio for row in rows] == [4, None]


def test_a_target_may_hold_for_one_peer_only(tmp_path: Path) -> None:
    peers = {"slow": f"{HERE}:slow", "slower": f"{HERE}:slower"}
    work = a_work(peers=peers, target=Target("at least", 4, peers=("slower",)))
    rows = hold(work, Settings(scratch=tmp_path), None, quiet)
    assert [(row.target, row.met) for row in rows] == [(None, None), (">= 4x", True)]


def test_an_absent_peer_leaves_null(tmp_path: Path) -> None:
    work = a_work(peers={"yolov5": f"{HERE}:absent"})
    (row,) = hold(work, Settings(scratch=tmp_path), None, quiet)
    assert (row.ours, row.peer, row.peer_name, row.ratio, row.met) == (1, None, None, None, None)
    assert "yolov5: not installed" in row.note


def test_a_peer_that_fails_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    work = a_work(peers={"broken": f"{HERE}:broken", "slow": f"{HERE}:slow"})
    (row,) = hold(work, Settings(scratch=tmp_path), None, quiet)
    assert row.peer_name == "slow" and "broken: ValueError: no such thing" in row.note


def test_results_that_differ_are_said_so(tmp_path: Path) -> None:
    def never(mine: Any, theirs: Any) -> str:
        raise AssertionError("1 is not 3")

    (row,) = hold(a_work(agree=never), Settings(scratch=tmp_path), None, quiet)
    assert row.note == f"{DISAGREE}: 1 is not 3"


def test_a_contender_lives_in_its_own_process(tmp_path: Path) -> None:
    settings = Settings(scratch=tmp_path)
    with (
        Contender(f"{HERE}:process_id", settings) as one,
        Contender(f"{HERE}:process_id", settings) as other,
    ):
        first, second, again = one.run(), other.run(), one.run()
    assert first.result == again.result != second.result


def test_a_contender_that_dies_is_an_error(tmp_path: Path) -> None:
    with (
        Contender(f"{HERE}:dying", Settings(scratch=tmp_path)) as one,
        pytest.raises(ContenderError, match="its process ended"),
    ):
        one.run()


ROW = Row("nms", "NMS", 2.0, 8.0, "yolov5", 4.0, ">= 2x", True, "ms", (1.5, 3.0), (7.0, 9.0), 5.0)


def test_json_has_the_promised_keys() -> None:
    data = json.loads(to_json([ROW], {"cpu": "2 cores"}))
    assert data["machine"] == {"cpu": "2 cores"}
    promised = {"work", "ours", "peer", "peer_name", "ratio", "target", "met"}
    assert promised <= set(data["rows"][0])


def test_markdown_is_a_table_with_notes() -> None:
    absent = Row("x", "X", 1.0, None, None, None, None, None, "ms", (1.0, 1.0), note="none here")
    text = to_markdown([ROW, absent], {"cpu": "2 cores"})
    assert (
        "| NMS | 2.00 ms (1.50-3.00) | 8.00 ms (7.00-9.00) | yolov5 | 4.00x | >= 2x | yes | 5.00x |"
        in text
    )
    assert "| X | 1.00 ms (1.00-1.00) | - | - | - | - | - | - |" in text
    assert "- X (no peer): none here" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.234, "1.23"),
        (99.94, "99.9"),
        (123.4, "123"),
        (1e6, "1,000,000"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_works_have_names_of_their_own_and_setups_that_exist() -> None:
    names = [(work.name, device) for work in catalogue.WORKS for device in work.devices]
    assert len(names) == len(set(names))
    for work in catalogue.WORKS:
        for setup in (work.ours, *work.peers.values()):
            module, function = setup.split(":")
            assert callable(getattr(sys.modules[module], function)), setup


def test_works_are_selected_by_the_beginning_of_their_name() -> None:
    assert {work.name for work in catalogue.select(["nms"], "cpu")} == {"nms"}
    assert all("cuda" in work.devices for work in catalogue.select([], "cuda:1"))
    assert catalogue.select(["train-"], "cpu") == []


def test_a_ring_sends_nearly_twice_the_volume() -> None:
    assert exchange_seconds(2, 1e6, 4e6) == pytest.approx(1.0)
    assert exchange_seconds(8, 1e6, 4e6) == pytest.approx(1.75)
    assert efficiency(2, 1.0, 1e6, 4e6) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "mms"], "did you mean 'nms'"),
        (["--images", "somewhere"], "give both"),
        (["--images", "nowhere", "--annotations", "nothing.json"], "nowhere: --images"),
        (["--growth", "--only", "nms"], "nothing of that name"),
    ],
)
def test_bad_input(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        main(arguments)


def test_the_list_names_every_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(work.name in printed for work in catalogue.WORKS) and "annotations" in printed


def test_a_run_is_a_value_and_a_result() -> None:
    run: Run = lambda: Timed(1.0, "result")  # noqa: E731
    assert run() == Timed(1.0, "result")
