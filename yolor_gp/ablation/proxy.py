"""A table made small enough for the machine at hand: narrowed rows, and epochs that fit a time."""

from __future__ import annotations

import logging

from yolor_gp.ablation.folder import AblationFolder
from yolor_gp.ablation.subjects import subject_of
from yolor_gp.engine.budget import step_seconds
from yolor_gp.engine.precision import choose_precision, training_device
from yolor_gp.errors import UserError

_log = logging.getLogger(__name__)

_START = 15.0  # seconds until a process trains
_VALIDATIONS = 21  # in a run by the automatic recipe, and the one by the protocol
_VALIDATION_SHARE = 0.5  # of a step's time, for as many images
_RESERVE = 1.1


def epochs_for(folder: AblationFolder, seconds: float, device: str) -> int:
    """Epochs that all rows and seeds together can be given in `seconds`, by measured steps.

    Raises:
        UserError: When not even one epoch fits.
    """
    table = folder.plan.table
    epoch, fixed = 0.0, 0.0
    for row in table.rows:
        batches, validation_batches, step = _measured(folder, folder.model(row), device)
        epoch += batches * step
        fixed += _START + _VALIDATIONS * validation_batches * step * _VALIDATION_SHARE
        _log.info("%s: %.2f s a step, %d steps an epoch", row.name, step, batches)
    epochs = int((seconds / len(table.seeds) / _RESERVE - fixed) / epoch)
    if epochs < 1:
        least = (epoch + fixed) * len(table.seeds) * _RESERVE
        raise UserError(
            f"--time: an epoch of {len(table.rows)} rows with {len(table.seeds)} seeds takes about"
            f" {least / 60:.0f} minutes; give more time, or a smaller --width or --img"
        )
    return epochs


def _measured(folder: AblationFolder, model: str, device: str) -> tuple[int, int, float]:
    """Batches of training and of validation, and the seconds of a step."""
    plan, place = folder.plan, training_device(device, 0, 1)
    task, images = subject_of(plan).task(plan, model, device)
    step = step_seconds(task, choose_precision("auto", place), place)
    return len(task.loader), -(-images // plan.table.batch_size), step
