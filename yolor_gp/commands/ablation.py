"""`ablation.py`: a table of the papers, trained, validated and laid out."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from yolor_gp.ablation.board import Board
from yolor_gp.ablation.figures import table_figures
from yolor_gp.ablation.folder import AblationFolder, Plan, Proxy, make_folder, open_folder
from yolor_gp.ablation.hparams import write_hparams
from yolor_gp.ablation.page import write_page
from yolor_gp.ablation.progress import progress, summary
from yolor_gp.ablation.proxy import epochs_for
from yolor_gp.ablation.report import write_report
from yolor_gp.ablation.runner import Runner
from yolor_gp.ablation.subjects import subject_of
from yolor_gp.ablation.table_file import AblationTable, chosen_rows, load_table
from yolor_gp.engine.requests import seconds_of
from yolor_gp.errors import UserError
from yolor_gp.flags.ablation import parser

_log = logging.getLogger(__name__)
_PAGE_SECONDS = 15.0
_BOARD_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not trained, and lay the table out; 1 when a run failed."""
    options = parser().parse(arguments)
    if options.report:
        folder, code = open_folder(Path(options.report)), 0
    else:
        folder = _planned(options)
        code = _work(folder, options)
    write_hparams(folder)
    for file in write_report(folder, table_figures(folder)):
        print(f"wrote {file}")
    runs = progress(folder, options.stale)
    print(f"wrote {write_page(folder, runs)}")
    print(f"{folder.plan.table.title}: {summary(runs)}")
    return code


def _work(folder: AblationFolder, options: argparse.Namespace) -> int:
    rows = chosen_rows(folder.plan.table, tuple(options.rows or ()))
    board = Board(sys.stdout, folder.plan.table.title) if sys.stdout.isatty() else None
    runner = Runner(
        folder,
        folder.jobs(rows, options.seeds or ()),
        processes=options.nproc_per_node,
        device=options.device,
        workers=options.workers,
        stale=options.stale,
        waits=not options.no_wait,
        look=_live(folder, options.stale, board),
    )
    code = runner.work()
    if board is not None:
        board.close()
    return code


def _planned(options: argparse.Namespace) -> AblationFolder:
    """The folder of this table, with its plan: written now, or by whoever came before.

    Raises:
        UserError: When the table or the data are not named or wrong, or flags do not go together.
    """
    if not options.table or not options.data:
        raise UserError("ablation.py: name a table and --data, or --report FOLDER; see --help")
    given = {name: getattr(options, name) for name in ("hyp", "img", "batch_size")}
    table = load_table(options.table)
    table = table.model_copy(update={name: v for name, v in given.items() if v is not None})
    chosen_rows(table, tuple(options.rows or ()))
    _check_seeds(options.seeds, table)
    plan = _plan(table, options)
    subject_of(plan).check(plan)
    path = Path(options.project) / (options.name or Path(options.table).stem)
    if plan.proxy is None or options.epochs is not None:
        return make_folder(path, plan)
    return _sized(path, plan, options)


def _plan(table: AblationTable, options: argparse.Namespace) -> Plan:
    data = str(Path(options.data).resolve()) if Path(options.data).exists() else options.data
    plan = Plan(table=table, data=data, epochs=options.epochs)
    if not options.proxy:
        if options.time:
            raise UserError("--time: sizes a proxy; add --proxy, or say --epochs")
        return plan
    subject = subject_of(plan)
    seconds = seconds_of(options.time) if options.time else 0.0
    proxy = Proxy(width=options.width, depth=options.depth, seconds=seconds)
    if not options.hyp:
        table = table.model_copy(update={"hyp": subject.small_recipe})
    return plan.model_copy(update={"table": table, "proxy": proxy, "flags": subject.small_flags})


def _sized(path: Path, plan: Plan, options: argparse.Namespace) -> AblationFolder:
    """A proxy's folder; its epochs are measured by whoever comes first.

    Raises:
        UserError: When neither a time nor a number of epochs is given.
    """
    if (path / "ablation.json").is_file():
        known = open_folder(path).plan.epochs
        return make_folder(path, plan.model_copy(update={"epochs": known}))
    if not options.time:
        raise UserError("--proxy: say how long with --time 2h, or --epochs N")
    assert plan.proxy is not None
    draft = make_folder(path.with_name(f".{path.name}-measured"), plan)
    epochs = epochs_for(draft, plan.proxy.seconds, options.device)
    _log.info("%d epochs of %d rows with %d seeds fit into %s", epochs, len(plan.table.rows),
              len(plan.table.seeds), options.time)  # fmt: skip
    return make_folder(path, plan.model_copy(update={"epochs": epochs}))


def _check_seeds(seeds: Sequence[int] | None, table: AblationTable) -> None:
    unknown = [seed for seed in seeds or () if seed not in table.seeds]
    if unknown:
        known = ", ".join(map(str, table.seeds))
        raise UserError(f"--seeds {unknown[0]}: {table.title} has the seeds {known}")


def _live(folder: AblationFolder, stale: float, board: Board | None) -> Callable[[], None]:
    """Keep the page true, and in a terminal the board."""
    drawn = written = -_PAGE_SECONDS

    def look() -> None:
        nonlocal drawn, written
        now = time.monotonic()
        if now - drawn < (_PAGE_SECONDS if board is None else _BOARD_SECONDS):
            return
        drawn, runs = now, progress(folder, stale)
        if board is not None:
            board.draw(runs)
        if now - written >= _PAGE_SECONDS:
            written = now
            write_page(folder, runs)
            write_hparams(folder)

    return look
