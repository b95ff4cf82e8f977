"""Works through the jobs of a folder, one at a time, beside any number of others doing the same.

Every job is a training and then a validation by the usual commands, in processes of their own,
under torchrun where a row has several GPUs: what a row leaves is what these commands leave. A child
does not outlive its runner (on Linux), so that a row is never trained by two.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from yolor_gp.ablation.claims import Claim, claim
from yolor_gp.ablation.folder import AblationFolder, Job
from yolor_gp.ablation.subjects import subject_of
from yolor_gp.engine.checkpoints.checkpoint import read_newest_whole
from yolor_gp.engine.checkpoints.checkpointer import LAST
from yolor_gp.engine.checkpoints.resume import has_checkpoint
from yolor_gp.engine.distributed.context import launcher_words
from yolor_gp.errors import UserError

_log = logging.getLogger(__name__)

_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_POLL = 0.2

Look = Callable[[], None]


@dataclass
class Runner:
    """One runner of a table.

    Attributes:
        folder: What is to be done.
        jobs: Of these, in this order.
        processes: Per row, by torchrun when more than one.
        device: As train.py takes it.
        workers: As train.py takes it.
        stale: Seconds of silence after which another runner counts as dead.
        waits: Whether to watch over the others once there is nothing left to begin.
        look: Called a few times a second while something runs.
    """

    folder: AblationFolder
    jobs: Sequence[Job]
    processes: int = 1
    device: str = "auto"
    workers: int = 4
    stale: float = 60.0
    waits: bool = True
    look: Look = lambda: None
    failed: list[Job] = field(default_factory=list)
    _stopped: int = 0
    _child: subprocess.Popen[bytes] | None = None

    def work(self) -> int:
        """Work until all jobs are finished, here or elsewhere; or until none is left to begin.

        Returns:
            0; 1 when a job failed here; 130 or 143 when a signal ended the work.
        """
        with self._listening():
            while not self._stopped:
                job, held = self._next()
                if job is not None and held is not None:
                    with held:
                        self._do(job, held)
                elif not self.waits or self._all_finished():
                    break
                else:  # the rest is claimed: whoever holds it may yet die
                    self.look()
                    time.sleep(min(self.stale / 6, 5))
        return 128 + self._stopped if self._stopped else int(bool(self.failed))

    def _all_finished(self) -> bool:
        return all(job.evaluation.is_file() for job in self.jobs if job not in self.failed)

    def _next(self) -> tuple[Job | None, Claim | None]:
        for job in self.jobs:
            if job.evaluation.is_file() or job in self.failed:
                continue
            held = claim(job.folder, stale=self.stale)
            if held is None:
                continue
            if not job.evaluation.is_file():  # finished between the look and the claim
                return job, held
            with held:
                pass
        return None, None

    def _do(self, job: Job, held: Claim) -> None:
        _log.info("%s, seed %d: %s", job.row.name, job.seed, _begins(job))
        steps = [(self._val(job), "val.log")]
        if not _is_trained(job):
            steps.insert(0, (self._train(job), "train.log"))
        for words, log in steps:
            code = self._run(words, job.folder / log, held)
            if self._stopped or not held.is_ours:
                return
            if code:
                self.failed.append(job)
                _log.warning(
                    "%s, seed %d: failed with exit code %d; see %s",
                    job.row.name, job.seed, code, job.folder / log,
                )  # fmt: skip
                return
        _partial(job).replace(job.evaluation)
        subject = subject_of(self.folder.plan)
        figure = subject.figures[subject.main]
        _log.info(
            "%s, seed %d: finished, %s %.1f",
            job.row.name, job.seed, figure.title, figure.of(job.figures() or {}),
        )  # fmt: skip

    def _train(self, job: Job) -> list[str]:
        plan = self.folder.plan
        words = subject_of(plan).train_words(plan)
        if _has_checkpoint(job):
            words += ["--resume", str(job.run)]
        else:
            words += [
                "--cfg", self.folder.model(job.row), "--data", plan.data, "--hyp", plan.table.hyp,
                "--img", str(plan.table.img), "--batch-size", str(plan.table.batch_size),
                "--seed", str(job.seed), "--project", str(job.folder), "--name", "run",
                "--exist-ok", "--log-gradients", *plan.flags,
            ]  # fmt: skip
            words += [] if plan.epochs is None else ["--epochs", str(plan.epochs)]
        return [*words, "--workers", str(self.workers), "--device", self.device]

    def _val(self, job: Job) -> list[str]:
        plan = self.folder.plan
        return [
            *subject_of(plan).val_words(plan, job.predictions),
            "--weights", str(job.run / "weights" / LAST), "--data", plan.data,
            "--img", str(plan.table.img), "--metrics-json", str(_partial(job)),
            "--device", self.device, "--workers", str(self.workers),
        ]  # fmt: skip

    def _run(self, words: Sequence[str], log: Path, held: Claim) -> int:
        program = ["-m", "yolor_gp.commands.main", *words]
        if self.processes > 1:
            program = [*launcher_words(self.processes), *program]
        with log.open("ab") as output:
            self._child = _started([sys.executable, *program], output)
            while (code := self._child.poll()) is None:
                time.sleep(_POLL)
                self.look()
                if not held.is_ours:
                    _log.warning(
                        "%s was taken over: this runner was silent for too long", log.parent
                    )
                    self._child.terminate()
            self._child = None
        return code

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """SIGINT and SIGTERM let the training write its checkpoint, then end the work."""

        def stop(number: int, frame: FrameType | None) -> None:
            del frame
            self._stopped = number
            if self._child is not None:
                self._child.terminate()

        before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _started(command: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl-C reaches the runner, which then asks the child to stop.
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=_die_with_parent,
    )  # fmt: skip


def _die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the runner is gone, even by SIGKILL; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGTERM)


def _has_checkpoint(job: Job) -> bool:
    return job.run.is_dir() and has_checkpoint(job.run)


def _is_trained(job: Job) -> bool:
    """Whether the training came to its end, and only the evaluation is missing."""
    if not _has_checkpoint(job):
        return False
    try:
        state, _, _ = read_newest_whole(job.run / "weights" / LAST)
    except UserError:  # train.py says what is wrong with it
        return False
    return bool(state.get("progress", {}).get("finished"))


def _begins(job: Job) -> str:
    return "goes on" if _has_checkpoint(job) else "begins"


def _partial(job: Job) -> Path:
    return job.folder / ".evaluation.json"
