"""Ours and the peers in turns; a row for each peer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks.contender import Contender, ContenderError
from benchmarks.settings import Settings
from benchmarks.timing import Figures, Timed, turns
from benchmarks.work import Row, Work, ratio_of

OURS = "yolor_gp"
DISAGREE = "RESULTS DIFFER"

Say = Callable[[str], None]


def hold(work: Work, settings: Settings, repeats: int | None, say: Say) -> list[Row]:
    """Measure one work; a contender that cannot run leaves its reason in the note."""
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        failures: dict[str, str] = {}
        for name, setup in {OURS: work.ours, **work.peers}.items():
            is_own = name == OURS or work.peer_arguments is None
            arguments = work.arguments if is_own else work.peer_arguments
            assert arguments is not None
            try:
                contender = stack.enter_context(Contender(setup, settings, **arguments))
                if work.warm:  # caches, threads, lazily built kernels
                    contender.run()
                contenders[name] = contender
            except ContenderError as error:
                failures[name] = "not installed" if error.missing else str(error)
                say(f"  {name}: {failures[name]}")
        runs = _take_turns(work, contenders, repeats or work.repeats, failures)
        for name, values in runs.items():
            say(f"  {name}: " + " ".join(f"{run.value * work.scale:.4g}" for run in values))
        if settings.profile is not None:
            for name in runs:
                contenders[name].profile(settings.profile, f"{work.name}.{name}")
    return _rows(work, runs, failures)


def _take_turns(
    work: Work, contenders: dict[str, Contender], repeats: int, failures: dict[str, str]
) -> dict[str, list[Timed]]:
    """Runs by contender; who fails is out, and named in `failures`."""
    names = list(contenders)
    runs: dict[str, list[Timed]] = {name: [] for name in names}
    for order in turns(len(names), repeats):
        for name in (names[index] for index in order if names[index] in runs):
            time.sleep(work.settle)
            try:
                runs[name].append(contenders[name].run())
            except ContenderError as error:
                failures[name] = str(error)
                del runs[name]
    return runs


def _rows(work: Work, runs: dict[str, list[Timed]], failures: dict[str, str]) -> list[Row]:
    figures = {name: _figures(work, values) for name, values in runs.items()}
    ours = figures.get(OURS)
    own_note = failures.get(OURS, "")
    if ours is not None and work.check is not None:
        own_note = work.check(runs[OURS][-1].result)
    peers = [name for name in work.peers if name in figures]
    missing = "; ".join(f"{name}: {failures[name]}" for name in work.peers if name in failures)
    if ours is None or not peers:
        note = "; ".join(text for text in (own_note, missing) if text)
        return [_row(work, ours, None, None, note)]
    rows = []
    for name in peers:
        notes = [own_note]
        if work.agree is not None:
            notes.append(_agreement(work.agree, runs[OURS][-1].result, runs[name][-1].result))
        if name == peers[-1]:
            notes.append(missing)
        row = _row(work, ours, figures[name], name, "; ".join(filter(None, notes)))
        rows.append(replace(row, processor_ratio=_processor_ratio(work, runs[OURS], runs[name])))
    return rows


def _processor_ratio(work: Work, mine: list[Timed], theirs: list[Timed]) -> float | None:
    ours, peer = ([run.processor for run in runs if run.processor] for runs in (mine, theirs))
    if not ours or not peer:
        return None
    # A rate grows as the seconds shrink.
    medians = Figures.of(ours).median, Figures.of(peer).median
    return ratio_of(work, *(medians[::-1] if work.rate else medians))


def _agreement(agree: Callable[[Any, Any], str], mine: Any, theirs: Any) -> str:
    try:
        return agree(mine, theirs)
    except AssertionError as error:
        return f"{DISAGREE}: {error}"


def _figures(work: Work, values: list[Timed]) -> Figures:
    return Figures.of([run.value * work.scale for run in values])


def _row(
    work: Work, ours: Figures | None, peer: Figures | None, peer_name: str | None, note: str
) -> Row:
    ratio = None if ours is None or peer is None else ratio_of(work, ours.median, peer.median)
    target = work.target
    if target is not None and peer_name is not None and target.peers is not None:
        target = target if peer_name in target.peers else None
    return Row(
        work=work.name,
        title=work.title,
        ours=None if ours is None else ours.median,
        peer=None if peer is None else peer.median,
        peer_name=peer_name,
        ratio=ratio,
        target=None if target is None else str(target),
        met=None if ratio is None or target is None else target.met(ratio),
        unit=work.unit,
        ours_range=None if ours is None else (ours.low, ours.high),
        peer_range=None if peer is None else (peer.low, peer.high),
        note=note,
    )
