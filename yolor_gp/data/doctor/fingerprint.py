"""What a report depends on, as one short key."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.labels.coco_json import content_digest
from yolor_gp.data.labels.formats import read_registered
from yolor_gp.data.labels.yolo_txt import find_images, label_path
from yolor_gp.errors import UserError


def coco_fingerprint(file: Path, folder: Path) -> str:
    """Of a COCO JSON's content, and of the sizes and times of all files in its image folder."""
    files = (Path(parent) / name for parent, _, names in os.walk(folder) for name in names)
    try:
        content = content_digest(file)
    except UserError as problem:
        content = str(problem)
    return _digest([f"{file}\n{folder}\n{content}"], sorted(files))


def yolo_fingerprint(sources: Sequence[Path], names: Sequence[str]) -> str:
    """Of the class names, of every label file's content, and of the images' sizes and times."""
    try:
        images = find_images(sources)
    except UserError as problem:
        return _digest([str(problem)], ())
    labels = (_content(label_path(image)) for image in images)
    return _digest([repr(tuple(names)), *labels], images)


def table_fingerprint(config: DataConfig, split: Split) -> str:
    """Of the labels as a plugin reads them, and of the images' sizes and times."""
    try:
        table, content = read_registered(config, split)
    except UserError as problem:
        return _digest([str(problem)], ())
    return _digest([content], (Path(table.path(index)) for index in range(len(table))))


def combined(parts: Iterable[str]) -> str:
    """One key of several."""
    return _digest(parts, ())[:32]


def _digest(texts: Iterable[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text}\n".encode())
    for file in files:
        digest.update(f"{file}\0{_state(file)}\n".encode())
    return digest.hexdigest()


def _content(file: Path) -> str:
    try:
        return f"{file}\0{hashlib.sha256(file.read_bytes()).hexdigest()}"
    except OSError:
        return f"{file}\0absent"


def _state(file: Path) -> str:
    try:
        status = file.stat()
    except OSError:
        return "absent"
    return f"{status.st_size}.{status.st_mtime_ns}"
