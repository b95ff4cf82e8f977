"""Pictures that a table names, as Hugging Face's image folders have it: file_name and label."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from yolor_gp.classification.labelled_images import LabelledImages, fingerprint_of
from yolor_gp.errors import UserError

_TABLES = ("metadata.csv", "metadata.jsonl")
_SHOWN = 20


def table_in(folder: Path) -> Path | None:
    """The table that lies in a folder of pictures, None where there is none."""
    return next((folder / name for name in _TABLES if (folder / name).is_file()), None)


def open_listed(table: Path, names: tuple[str, ...] | None = None) -> LabelledImages:
    """The pictures of a table, in its order.

    Args:
        table: `metadata.csv`, or `metadata.jsonl` with an object a line; `file_name` is relative to
            its folder, `label` a word or a number.
        names: Of the classes, by label; all labels in order, numbers by their size, when None.

    Raises:
        UserError: Naming the line of whatever is wrong.
    """
    paths: list[str] = []
    words: list[str] = []
    problems: list[str] = []
    for number, row in _rows(table):
        where = f"{table}:{number}"
        name, label = row.get("file_name"), row.get("label")
        if not isinstance(name, str) or not name:
            problems.append(f"{where}: no 'file_name'")
        elif isinstance(label, bool) or not isinstance(label, str | int) or label == "":
            problems.append(f"{where}: no 'label', a word or a number")
        elif names is not None and str(label) not in names:
            problems.append(f"{where}: the training part has no class '{label}'")
        elif (problem := _wrong_path(table.parent, name)) is not None:
            problems.append(f"{where}: {problem}")
        else:
            paths.append(str(table.parent / name))
            words.append(str(label))
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise UserError(*problems[:_SHOWN], *more)
    names = names or tuple(sorted(set(words), key=_in_order))
    if len(names) < 2:
        raise UserError(f"{table}: expected at least two classes, found {len(names)}")
    if not paths:
        raise UserError(f"{table}: names no pictures")
    labels = np.array([names.index(word) for word in words], np.int64)
    fingerprint = fingerprint_of(table.parent, paths, repr((names, words)))
    return LabelledImages(str(table), names, labels, tuple(paths), fingerprint)


def _rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows.

    Yields:
        What each line holds, by column.

    Raises:
        UserError: When the file is not what its ending says.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UserError(f"{table}: cannot be read as text ({error})") from None
    yield from (_csv_rows if table.suffix == ".csv" else _json_rows)(table, text)


def _csv_rows(table: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    try:
        if not {"file_name", "label"} <= set(reader.fieldnames or ()):
            raise UserError(f"{table}:1: expected columns 'file_name' and 'label'")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{table}:{reader.line_num}: not a table ({error})") from None


def _json_rows(table: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UserError(f"{table}:{number}: expected a JSON object on each line")
        yield number, found


def _wrong_path(folder: Path, name: str) -> str | None:
    file = Path(name)
    if file.is_absolute() or ".." in file.parts:
        return f"'{name}' lies outside the folder"
    return None if (folder / file).is_file() else f"no such file: {name}"


def _in_order(word: str) -> tuple[bool, int, str]:
    is_number = word.isascii() and word.isdigit()
    return not is_number, int(word) if is_number else 0, word
