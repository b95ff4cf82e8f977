"""A data format: a CSV with a line per box, as spreadsheets and older tools export it.

A data YAML:

    format: csv_boxes
    train: train.csv            # file,width,height,class,xmin,ymin,xmax,ymax; pixels
    val: val.csv                # pictures lie relative to the CSV
    names: [apple, pear]
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.labels.annotation_table import AnnotationTable, TableBuilder
from yolor_gp.data.labels.formats import register_data_format
from yolor_gp.errors import UserError

COLUMNS = {"file", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"}


@register_data_format("csv_boxes")
def read_csv_boxes(config: DataConfig, split: Split) -> AnnotationTable:
    """Every picture that has a line; one without objects has a line with an empty class."""
    builder = TableBuilder(config.names, range(len(config.names)))
    number = 0
    for file in config.images(split):
        for path, rows in _by_picture(file).items():
            number += 1
            for line, row in rows:
                if row["class"]:
                    builder.add_object(*_object(row, config, f"{file}:{line}"))
            size = (int(rows[0][1]["height"]), int(rows[0][1]["width"]))
            builder.end_image(number, size, str(path))
    return builder.build()


def _by_picture(file: Path) -> dict[Path, list[tuple[int, dict[str, str]]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    reader = csv.DictReader(text.splitlines())
    missing = COLUMNS - set(reader.fieldnames or ())
    if missing:
        raise UserError(f"{file}:1: columns missing: {', '.join(sorted(missing))}")
    pictures: dict[Path, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for row in reader:
        pictures[file.parent / row["file"]].append((reader.line_num, row))
    return pictures


def _object(
    row: dict[str, str], config: DataConfig, where: str
) -> tuple[int, tuple[float, float, float, float]]:
    if row["class"] not in config.names:
        raise UserError(f"{where}: class '{row['class']}' is not one of {', '.join(config.names)}")
    try:
        left, top, right, bottom = (float(row[key]) for key in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError:
        raise UserError(f"{where}: expected four numbers, found {row}") from None
    return config.names.index(row["class"]), (left, top, right, bottom)
