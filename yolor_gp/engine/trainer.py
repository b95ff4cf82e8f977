"""The order of epochs and steps. What is trained, measured and written is done elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch.optim import Optimizer

from yolor_gp.engine.checkpoints.checkpointer import Checkpointer
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.schedule import Schedule
from yolor_gp.engine.signals import WATCHED, StopRequest, exit_code
from yolor_gp.engine.step import Stepper, StepReport, name_images
from yolor_gp.engine.task import Evaluation, ValidationInterruptedError
from yolor_gp.engine.training_state import TrainingState

EXIT_NOT_FINITE = 4
"""Exit code when too many steps in a row had non-finite losses or gradients."""


@dataclass(frozen=True)
class TrainerOptions:
    """save_every: optimizer steps between checkpoints within an epoch (0: at its end only);
    save_period: epochs between averaged weights that are kept apart (0: none); skip_limit:
    non-finite steps in a row before giving up; patience: 0 for never.
    """

    patience: int = 0
    validate_every: int = 1
    save_every: int = 0
    save_period: int = 0
    skip_limit: int = 10


@dataclass(frozen=True)
class Outcome:
    """How training ended."""

    exit_code: int
    message: str
    evaluation: Evaluation | None = None


class Report(Protocol):
    """Is told what happens."""

    def batch(self, progress: Progress, report: StepReport, optimizer: Optimizer) -> None: ...  # noqa: D102
    def labels(self, number: int, draw: Any, batch: Any) -> None: ...  # noqa: D102
    def epoch(self, progress: Progress, evaluation: Evaluation | None) -> None: ...  # noqa: D102
    def say(self, text: str) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Trainer:
    """Everything is handed in, built and, on resume, restored."""

    state: TrainingState
    options: TrainerOptions
    schedule: Schedule
    stepper: Stepper
    context: DistributedContext
    report: Report
    checkpointer: Checkpointer
    stop: StopRequest

    def fit(self) -> Outcome:
        """Train until the last epoch, early stop, a signal or trouble."""
        evaluation = None
        while not self._is_over():
            outcome = self._train_epoch()
            if outcome is not None:
                return outcome
            try:
                evaluation = self._finish_epoch() or evaluation
            except ValidationInterruptedError:
                return self._stop_for(self.stop.received or WATCHED[0])
        self.state.progress.finished = True
        self.checkpointer.save_last()
        return Outcome(0, self._verdict(), evaluation)

    def _train_epoch(self) -> Outcome | None:
        progress = self.state.progress
        steps = len(self.state.task.loader)
        if progress.step >= steps:
            return None  # only the validation of this epoch is left
        self.state.network.train()
        batches = iter(self.state.task.loader.epoch(progress.epoch, progress.step))
        position, pending = progress.step, 0
        while position < steps:
            batch = next(batches)
            absolute = progress.epoch * steps + position
            if absolute < 3:
                self.report.labels(absolute, self.state.task.draw, batch)
            self.schedule.apply(self.state.optimizer, absolute)
            pending, position = pending + 1, position + 1
            last = pending >= self.schedule.accumulation(absolute) or position == steps
            self.stepper.accumulate(batch, last=last)
            if last:
                progress.step, pending = position, 0
                outcome = self._step()
                if outcome is not None:
                    return outcome
        return None

    def _step(self) -> Outcome | None:
        """Apply the accumulated gradients, then see to checkpoints, signals and trouble."""
        progress = self.state.progress
        report = self.stepper.apply(self.stop.received, WATCHED)
        if report.applied:
            progress.updates += 1
            progress.skipped_in_row = 0
            progress.add(report.parts, report.batches)
            self.state.ema.update()
        elif not report.overflow:
            progress.skipped += 1
            progress.skipped_in_row += 1
            self._name_culprits(report)
        self.report.batch(progress, report, self.state.optimizer)
        if progress.skipped_in_row >= self.options.skip_limit:
            self.checkpointer.save_last()
            self.checkpointer.save_trouble(report)
            return Outcome(EXIT_NOT_FINITE, self._give_up(progress.skipped_in_row))
        for number, count in report.signals.items():
            if count:
                return self._stop_for(number)
        every = self.options.save_every
        if every and report.applied and progress.updates % every == 0:
            self.checkpointer.save_last()
        return None

    def _finish_epoch(self) -> Evaluation | None:
        """Validate, remember the best weights, write the checkpoint of the epoch."""
        progress = self.state.progress
        epochs = self.schedule.config.epochs
        ordinal = progress.epoch + 1
        due = ordinal % self.options.validate_every == 0 or ordinal == epochs
        evaluation = self._validate() if due else None
        rates = {
            f"lr/{group['name']}": float(group["lr"]) for group in self.state.optimizer.param_groups
        }
        row = {"epoch": float(ordinal), **_prefixed("train", progress.means())}
        if evaluation is not None:
            row |= _prefixed("val", evaluation.figures)
        row |= {**rates, "skipped": float(progress.skipped)}
        # While nothing is found at all, the later weights are the better.
        is_best = evaluation is not None and (
            not progress.best_score or evaluation.score > progress.best_score
        )
        if evaluation is not None and is_best:
            progress.best_score, progress.best_epoch = evaluation.score, progress.epoch
        progress.end_epoch(row)
        # The best first: a kill between the two repeats this epoch's validation, and its writing.
        if evaluation is not None and is_best:
            self.checkpointer.save_best(evaluation)
        if self.options.save_period and ordinal % self.options.save_period == 0:
            self.checkpointer.save_apart()
        if not self._is_over():
            self.checkpointer.save_last()
        self.report.epoch(progress, evaluation)
        return evaluation

    def _validate(self) -> Evaluation:
        self.context.broadcast_buffers(self.state.ema.network)
        # Several processes can't stop in the middle without waiting for one another.
        alone = self.context.size == 1
        return self.state.task.validate(
            self.state.ema.network, lambda: alone and self.stop.received is not None
        )

    def _is_over(self) -> bool:
        progress, patience = self.state.progress, self.options.patience
        if progress.finished or progress.epoch >= self.schedule.config.epochs:
            return True
        waited = progress.epoch - 1 - progress.best_epoch
        return bool(patience) and progress.best_score is not None and waited >= patience

    def _verdict(self) -> str:
        progress = self.state.progress
        best = ""
        if progress.best_score is not None:
            best = f"; best score {progress.best_score:.4f} in epoch {progress.best_epoch + 1}"
        early = progress.epoch < self.schedule.config.epochs
        reason = f" (no better score for {self.options.patience} epochs)" if early else ""
        return f"trained {progress.epoch} epochs{reason}, {progress.updates} updates{best}"

    def _stop_for(self, number: int) -> Outcome:
        self.checkpointer.save_last()
        progress = self.state.progress
        return Outcome(
            exit_code(number),
            f"stopped by signal {number} in epoch {progress.epoch + 1} after batch {progress.step};"
            " the state is saved: continue with --resume",
        )

    def _name_culprits(self, report: StepReport) -> None:
        if report.culprits:
            progress = self.state.progress
            self.report.say(
                f"epoch {progress.epoch + 1}, batch {progress.step}: loss or gradient is"
                f" not finite; step left out, average untouched. Images:"
                f" {name_images(report.culprits)}"
            )

    def _give_up(self, steps: int) -> str:
        return (
            f"stopped: {steps} steps in a row had a loss or gradient that is not finite. The state"
            " is saved; look at the images named above, lower the learning rate or use --precision"
            " float32"
        )


def _prefixed(prefix: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in values.items()}
