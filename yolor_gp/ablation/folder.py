"""The shared folder of a table: what is to be done, and what each run has come to.

FOLDER/ablation.json              the table, the data and, of a proxy, how rows were narrowed
FOLDER/models/ROW.yaml            the model files of a proxy
FOLDER/ROW/seed-0/run/            the run folder, as train.py leaves it
FOLDER/ROW/seed-0/evaluation.json its figures by the table's protocol: the run is finished
"""

from __future__ import annotations

import csv
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from yolor_gp.ablation.claims import silence
from yolor_gp.ablation.table_file import AblationTable, Row
from yolor_gp.config.validate import Settings
from yolor_gp.errors import UserError
from yolor_gp.files import write_text

PLAN = "ablation.json"
Status = Literal["waiting", "running", "stopped", "finished"]


class Proxy(Settings):
    """How the rows of a table were narrowed to fit a small machine."""

    width: float = Field(gt=0, description="width multiple of every model")
    depth: float = Field(gt=0, description="depth multiple of every model")
    seconds: float = Field(0, ge=0, description="what all runs together were given; 0: not said")


class Plan(Settings):
    """Everything that decides the figures; written once, by whoever comes first."""

    table: AblationTable
    data: str
    epochs: int | None = Field(None, ge=1, description="None: the recipe's")
    proxy: Proxy | None = None
    flags: tuple[str, ...] = Field((), description="more words for train.py, of every row")


@dataclass(frozen=True)
class Job:
    """One row with one seed."""

    row: Row
    seed: int
    folder: Path

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / "run"

    @property
    def evaluation(self) -> Path:
        """The figures; that they are there says that the job is done."""
        return self.folder / "evaluation.json"

    @property
    def predictions(self) -> Path:
        """The detections behind the figures, which a proxy keeps."""
        return self.folder / "predictions.json"

    def status(self, stale: float) -> Status:
        """What is going on, by the files alone."""
        if self.evaluation.is_file():
            return "finished"
        quiet = silence(self.folder) if self.folder.is_dir() else None
        if quiet is not None and quiet < stale:
            return "running"
        return "stopped" if self.run.is_dir() else "waiting"

    def figures(self) -> dict[str, Any] | None:
        """What `val.py` found, None before; see `EvalResult.to_json`.

        Raises:
            UserError: When the file is there and cannot be read.
        """
        try:
            content = json.loads(self.evaluation.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.evaluation}: cannot be read ({error}); remove it, and it is made again"
            ) from None
        assert isinstance(content, dict)
        return content

    def history(self) -> list[dict[str, float]]:
        """A row an epoch, of the run's metrics.csv; [] before the first."""
        try:
            with (self.run / "metrics.csv").open(encoding="utf-8", newline="") as text:
                return [
                    {name: float(value) if value else float("nan") for name, value in row.items()}
                    for row in csv.DictReader(text)
                ]
        except (OSError, ValueError):
            return []


@dataclass(frozen=True)
class AblationFolder:
    """A shared folder and its plan."""

    path: Path
    plan: Plan

    def jobs(self, rows: Sequence[Row] = (), seeds: Sequence[int] = ()) -> list[Job]:
        """Every row of the first seed, then of the next: a table is complete as early as can be."""
        return [
            Job(row, seed, self.path / row.key / f"seed-{seed}")
            for seed in (seeds or self.plan.table.seeds)
            for row in (rows or self.plan.table.rows)
        ]

    def model(self, row: Row) -> str:
        """The model file of a row: its own, or that of the proxy."""
        if self.plan.proxy is None:
            return row.cfg
        return str(self.path / "models" / f"{row.key}.yaml")


def open_folder(path: Path) -> AblationFolder:
    """The folder as it was planned.

    Raises:
        UserError: When nothing was planned there.
    """
    try:
        text = (path / PLAN).read_text(encoding="utf-8")
        return AblationFolder(path, Plan.model_validate_json(text))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: no folder of a table ({PLAN}: {reason})") from None


def make_folder(path: Path, plan: Plan) -> AblationFolder:
    """Write the plan, or find it written; of several that come at once, one writes.

    Raises:
        UserError: When the folder is that of another plan, or cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        draft = path / f".plan-{uuid.uuid4().hex}"
        draft.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
        try:
            os.link(draft, path / PLAN)  # atomic, and fails where there is one
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another") from None
    found = open_folder(path)
    if found.plan != plan:
        given, there = plan.model_dump(), found.plan.model_dump()
        differing = ", ".join(key for key in given if given[key] != there[key])
        raise UserError(
            f"{path}: belongs to another plan (other: {differing}); give the same words again, or"
            " another --project"
        )
    for row in plan.table.rows:
        if plan.proxy is not None:
            _write_model(path / "models" / f"{row.key}.yaml", row, plan.proxy)
    return found


def _write_model(file: Path, row: Row, proxy: Proxy) -> None:
    cfg = Path(row.cfg)
    base = str(cfg.resolve()) if cfg.is_file() else row.cfg
    text = f"extends: {base}\nwidth_multiple: {proxy.width:g}\ndepth_multiple: {proxy.depth:g}\n"
    if not file.is_file():
        write_text(file, text)
