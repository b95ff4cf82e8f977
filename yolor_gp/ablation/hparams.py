"""What distinguishes the runs of a table, and what came of them, for TensorBoard's HPARAMS page."""

from __future__ import annotations

from typing import Any

from yolor_gp.ablation.folder import AblationFolder, Job
from yolor_gp.ablation.subjects import Subject, subject_of

_SUFFIX = ".hparams"


def write_hparams(folder: AblationFolder) -> None:
    """Write an event file into the run folder of every finished run that has none yet."""
    for job in folder.jobs():
        if job.evaluation.is_file() and job.run.is_dir() and not any(job.run.glob(f"*{_SUFFIX}")):
            _write(job, _settings(folder, job), subject_of(folder.plan))


def _settings(folder: AblationFolder, job: Job) -> dict[str, str | float | bool]:
    plan = folder.plan
    return {
        "row": job.row.name, "model": folder.model(job.row), "seed": job.seed, "data": plan.data,
        "recipe": plan.table.hyp, "img": plan.table.img, "batch size": plan.table.batch_size,
        "epochs": len(job.history()), "proxy": plan.proxy is not None,
    }  # fmt: skip


def _write(job: Job, settings: dict[str, str | float | bool], subject: Subject) -> None:
    # Slow to import, and only needed once a run has ended.
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    evaluation = job.figures() or {}
    metrics = {
        figure.title: found / 100
        for figure in subject.figures.values()
        if (found := figure.of(evaluation)) is not None
    }
    summaries: Any = hparams
    board: Any = SummaryWriter(str(job.run), filename_suffix=_SUFFIX)
    for part in summaries(settings, {f"table/{name}": value for name, value in metrics.items()}):
        board.file_writer.add_summary(part)
    for name, value in metrics.items():
        board.add_scalar(f"table/{name}", value)
    board.close()
