"""Everything a report shows of one run: what it was told, how it went, and what it finds now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from yolor_gp.config.data_config import Split, load_data_config
from yolor_gp.config.run_config import RunConfig, run_config_from_yaml
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.data.doctor import Report, examine
from yolor_gp.detection.networks import open_detector
from yolor_gp.detection.validate import Validation, validate
from yolor_gp.engine.checkpoints.resume import PROVENANCE_FILE
from yolor_gp.engine.precision import training_device
from yolor_gp.engine.runs import read_history
from yolor_gp.errors import UserError
from yolor_gp.evaluation.curves import Matches, match_boxes
from yolor_gp.models.summary import ModelSummary, summarize
from yolor_gp.ops.image_size import ImageSize

_DEFAULT_SIZE = ImageSize(640, 640)


@dataclass(frozen=True)
class Examination:
    """How runs are looked at: all alike.

    Attributes:
        data: A data YAML or shipped name; None: what the run was trained on.
        split: The part of the data.
        image_size: Of the input; None: that of training.
        batch_size: Images at once.
        workers: Threads that load images.
        device: auto, cpu, cuda or the number of a GPU.
        precision: As `--precision`.
    """

    data: str | None = None
    split: Split = "val"
    image_size: ImageSize | None = None
    batch_size: int = 16
    workers: int = 4
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class Evidence:
    """One run, and what its best weights find.

    Attributes:
        source: The run folder, or a weights file.
        config: What the run was told; None for a weights file.
        history: A row an epoch; [] for a weights file.
        starts: Of its provenance: command, versions, machine; [] where there is none.
        summary: Parameters and FLOPs.
        size: Of the input.
        data: What it was held to.
        found: The evaluation, with every detection.
        doctor: What is wrong with the data, and their counts.
    """

    source: Path
    config: RunConfig | None
    history: list[dict[str, float]]
    starts: list[dict[str, Any]]
    summary: ModelSummary
    size: ImageSize
    data: str
    found: Validation
    doctor: Report

    @property
    def name(self) -> str:
        """What pages call it."""
        return self.source.name

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes."""
        return self.found.evaluator.truth.names

    @cached_property
    def matches(self) -> Matches:
        """Boxes against objects at IoU 0.5."""
        evaluator = self.found.evaluator
        return match_boxes(evaluator.images(), evaluator.coco, evaluator.truth.category_ids)


def gather(source: str | Path, how: Examination) -> Evidence:
    """Read a run folder (or a weights file), evaluate its best weights, examine its data.

    Raises:
        UserError: When there is no such run, or its data are not there.
    """
    folder = Path(source)
    config = _config(folder)
    data = how.data or (config.data if config is not None else None)
    if data is None:
        raise UserError(f"{source}: is no run folder, so it says no data; add --data")
    device = training_device(how.device)
    opened = open_detector(folder, device)
    size = how.image_size or opened.image_size or _DEFAULT_SIZE
    found = validate(
        opened.network,
        data,
        ValidationConfig(),
        image_size=size,
        batch_size=how.batch_size,
        workers=how.workers,
        backend="hotcoco",
        precision=how.precision,
        device=device,
        source=str(source),
        split=how.split,
    )
    return Evidence(
        folder, config, read_history(folder) if config else [], _starts(folder),
        summarize(opened.network.spec, max(size)), size, data, found,
        examine(load_data_config(data)),
    )  # fmt: skip


def _config(folder: Path) -> RunConfig | None:
    file = folder / "config.yaml"
    if not file.is_file():
        return None
    return run_config_from_yaml(file.read_text(encoding="utf-8"), str(file))


def _starts(folder: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))
        return [dict(start) for start in content["starts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
