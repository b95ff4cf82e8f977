"""A table as a file (`cfg/ablation/*.yaml`): its rows, how they are trained, what is printed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field

from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.validate import Settings, validate
from yolor_gp.config.yaml_source import load_yaml
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.models.builder import check_model


class Printed(Settings):
    """What the paper prints of a row, in percent; FLOPs and parameters stand in the model file."""

    box_ap: float | None = Field(None, ge=0, le=100)
    box_ap75: float | None = Field(None, ge=0, le=100)
    mask_ap: float | None = Field(None, ge=0, le=100)
    mask_ap75: float | None = Field(None, ge=0, le=100)
    top1: float | None = Field(None, ge=0, le=100)
    top5: float | None = Field(None, ge=0, le=100)


class Row(Settings):
    """One network of the table."""

    name: str = Field(min_length=1)
    cfg: str = Field(description="model file, or shipped name")
    printed: Printed = Printed()

    @property
    def key(self) -> str:
        """The row's name as the name of a folder."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-") or "row"


class Protocol(Settings):
    """How every row of detectors is validated, with pycocotools' figures."""

    confidence: float = Field(0.001, ge=0, le=1)
    iou: float = Field(0.65, gt=0, le=1)
    max_detections: int = Field(300, ge=1)


class AblationTable(Settings):
    """A whole table: all rows by one recipe, one protocol and the same seeds."""

    title: str
    source: str = Field("", description="where it is printed")
    task: Literal["detection", "classification"] = Field("detection", description="of all rows")
    base: str = Field(description="the row that the others are compared with")
    hyp: str = "yolor-640"
    img: int = Field(640, ge=32)
    batch_size: int = Field(64, ge=1)
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    validation: Protocol = Protocol()
    rows: tuple[Row, ...] = Field(min_length=1)

    def row(self, key: str) -> Row:
        """The row of that name or key.

        Raises:
            KeyError: When there is none.
        """
        return {name: row for row in self.rows for name in (row.key, row.name)}[key]


def load_table(name_or_path: str | Path) -> AblationTable:
    """Read a table and check every model file it names, before anything is trained.

    Raises:
        UserError: With one line per problem, naming file and line.
    """
    file = find_shipped("ablation", name_or_path)
    node = load_yaml(file)
    table = validate(node, AblationTable)
    rows = node.value["rows"]
    keys = Counter(row.key for row in table.rows)
    problems = [
        f"{rows.value[index].location}: two rows are called '{row.key}'; names must differ"
        for index, row in enumerate(table.rows)
        if keys[row.key] > 1
    ]
    if table.base not in [row.name for row in table.rows]:
        names = ", ".join(f"'{row.name}'" for row in table.rows)
        problems.append(
            f"{node.value['base'].location}: base '{table.base}' is no row; rows: {names}"
        )
    for index, row in enumerate(table.rows):
        try:
            spec = load_model_spec(row.cfg)
            check_model(spec, table.img if table.task == "detection" else None)
        except UserError as error:
            location = rows.value[index].location
            problems += [f"{location}: row '{row.name}': {problem}" for problem in error.problems]
    raise_problems(problems)
    return table


def chosen_rows(table: AblationTable, wanted: tuple[str, ...]) -> tuple[Row, ...]:
    """The rows of these names, all where none is named.

    Raises:
        UserError: When a name is of no row.
    """
    if not wanted:
        return table.rows
    unknown = [
        name for name in wanted if name not in {n for r in table.rows for n in (r.key, r.name)}
    ]
    known = ", ".join(row.key for row in table.rows)
    raise_problems(f"--rows: no row '{name}' in {table.title} (rows: {known})" for name in unknown)
    return tuple(dict.fromkeys(table.row(name) for name in wanted))
