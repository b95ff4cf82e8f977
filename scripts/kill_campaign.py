"""Kills trainings and checkpoint writers at random moments, and shows that nothing is lost.

    python scripts/kill_campaign.py --kills 20 --writes 100

1. kills: a short training on built-in shapes is ended with SIGKILL at a random moment after its
   first checkpoint and resumed, as often as asked; each time its last checkpoint must equal, bit
   for bit, that of a training that was left alone.
2. writes: a process that does nothing but write checkpoints is ended at a random moment; each time
   the newest whole checkpoint must be no older than the last one it had finished.
3. full disk: a checkpoint that does not fit must leave both old files whole. On a small disk in
   memory where that can be mounted, else by a limit on file size.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from yolor_gp.commands.program import exit_code
from yolor_gp.commands.train import main as train_main
from yolor_gp.engine.checkpoints.checkpoint import (
    previous_of,
    read_checkpoint,
    read_newest_whole,
    save_checkpoint,
)
from yolor_gp.errors import UserError

DATA = """\
path: {folder}/shapes
shapes: {{train: 24, val: 4, size: 64, max_objects: 3}}
"""


MODEL = """\
nc: 7
anchors: [[6,8, 10,20, 20,14], [18,38, 38,28, 36,73], [71,55, 96,121, 230,200]]
backbone:
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [16, 3, 2]]
- [-1, 1, Conv, [16, 3, 2]]
- [-1, 1, Conv, [16, 3, 2]]
head:
- [[2, 3, 4], 1, ISegment, [nc, anchors, 8, 8]]
"""


def main() -> int:
    """Run what was asked for; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=20, help="trainings to kill (20)")
    parser.add_argument("--writes", type=int, default=100, help="checkpoint writers to kill (100)")
    parser.add_argument("--cfg", help="model file (a network of six layers with masks)")
    parser.add_argument("--epochs", type=int, default=3, help="of each training (3)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    # OpenMP's threads do not survive a fork: a child would wait for them for ever.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="kill-campaign-") as text:
        folder = Path(text)
        failures = [
            *kill_writers(folder, options.writes, moments),
            *fill_disk(folder),
            *kill_trainings(folder, options, moments),
        ]
    for failure in failures:
        print(f"LOST: {failure}")
    print("nothing lost" if not failures else f"{len(failures)} losses")
    return min(len(failures), 1)


# 1. trainings


def kill_trainings(folder: Path, options: argparse.Namespace, moments: random.Random) -> list[str]:
    """Kill and resume `options.kills` trainings; returns what went wrong."""
    if not options.kills:
        return []
    (folder / "data.yaml").write_text(DATA.format(folder=folder))
    if options.cfg is None:
        options.cfg = str(folder / "model.yaml")
        Path(options.cfg).write_text(MODEL)
    whole = train(folder, options, "whole")
    count = watch_checkpoints(folder, "whole", whole)
    expected = read_checkpoint(folder / "whole" / "weights" / "last.pt")
    print(f"training left alone: {count} checkpoints", flush=True)
    failures = []
    kills = attempt = 0
    while kills < options.kills and attempt < 4 * options.kills:
        name = f"killed{attempt}"
        attempt += 1
        # By checkpoints, not by the clock: how fast a busy machine is changes all the time.
        seen, delay = moments.randint(1, count - 2), moments.uniform(0, 0.2)
        stage = kill_and_resume(folder, options, name, seen, delay)
        kills += stage is not None
        problems = differences(expected, read_checkpoint(folder / name / "weights" / "last.pt"))
        print(
            f"kill {kills}: {delay:.3f} s after checkpoint {seen}, "
            f"{stage or 'finished already, does not count'}: {problems or 'bit-identical'}",
            flush=True,
        )
        failures += [f"training {attempt}: {problem}" for problem in problems]
    return failures if kills == options.kills else [*failures, f"only {kills} were killed"]


def kill_and_resume(
    folder: Path, options: argparse.Namespace, name: str, seen: int, delay: float
) -> str | None:
    """Where the training was when it was killed; None when it was finished by then."""
    training = train(folder, options, name)
    watch_checkpoints(folder, name, training, seen)
    if training.wait(delay) is not None:
        return None
    os.kill(training.pid, signal.SIGKILL)
    training.wait()
    run = folder / name
    progress = read_newest_whole(run / "weights" / "last.pt")[0]["progress"]
    if progress["finished"]:
        return None
    train(folder, options, name, "--resume", str(run)).wait()
    return f"resumed from epoch {progress['epoch'] + 1}, batch {progress['step']}"


def watch_checkpoints(folder: Path, name: str, training: Child, most: int | None = None) -> int:
    """Wait until `most` checkpoints have been written, or to the end; how many there were."""
    file = folder / name / "weights" / "last.pt"
    count, last = 0, None
    while most is None or count < most:
        code = training.wait(0.002)
        if file.exists() and (stamp := file.stat().st_mtime_ns) != last:
            count, last = count + 1, stamp
        if code is not None:
            if code != 0:
                raise SystemExit(f"{name}: the training ended by itself with {code}")
            break
    return count


def train(folder: Path, options: argparse.Namespace, name: str, *more: str) -> Child:
    """Start a training in a process of its own; a checkpoint after every optimizer step."""
    flags = [
        "--cfg", options.cfg, "--data", str(folder / "data.yaml"), "--hyp", "demo", "--img", "64",
        "--batch-size", "4", "--epochs", str(options.epochs), "--set", "optimizer.nominal_batch=8",
        "--device", "cpu", "--workers", "1", "--save-every", "1",
    ]  # fmt: skip
    arguments = [*flags, "--project", str(folder), "--name", name, *more]
    return Child(lambda: exit_code(train_main, arguments))


class Child:
    """A forked process: spares every training the seconds that importing torch takes."""

    def __init__(self, work: Callable[[], int]) -> None:
        sys.stdout.flush()
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 1
            try:
                code = work()
            finally:
                os._exit(code)

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, negative after a signal; None when it runs on after `seconds`."""
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                return None
            else:
                time.sleep(0.002)
        return self.code


def differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Where two states differ, bit for bit."""
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return [] if torch.equal(first, second) else [path]
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [d for key in first for d in differences(first[key], second[key], f"{path}/{key}")]
    if isinstance(first, list | tuple) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [d for index, pair in pairs for d in differences(*pair, f"{path}/{index}")]
    return [] if first == second else [f"{path}: {first} and {second}"]


# 2. checkpoint writers


def kill_writers(folder: Path, kills: int, moments: random.Random) -> list[str]:
    """Kill `kills` processes that write checkpoints; returns what went wrong."""
    failures = []
    counts: list[int] = []
    while len(counts) < kills:
        file = folder / f"writer{len(counts)}" / "last.pt"
        file.parent.mkdir(exist_ok=True)
        finished = write_until_killed(file, moments.uniform(0.02, 0.25))
        if finished == 0:
            continue  # killed within the first write: there was nothing to lose
        state, _, problems = read_newest_whole(file)
        counts.append(state["number"])
        if state["number"] < finished or problems:
            failures.append(f"writer {len(counts)}: {state['number']} of {finished}; {problems}")
    most = max(counts, default=0)
    print(
        f"{kills} writers killed after up to {most} checkpoints, {len(failures)} losses",
        flush=True,
    )
    return failures


def write_until_killed(file: Path, delay: float) -> int:
    """The number of the last checkpoint that was finished."""
    reader, writer = os.pipe()

    def write() -> int:
        os.close(reader)
        tensor = torch.ones(20_000)
        for number in itertools.count(1):
            save_checkpoint({"number": number, "tensor": tensor * number}, file, keep_previous=True)
            os.write(writer, b".")
        return 1

    child = Child(write)
    os.close(writer)
    time.sleep(delay)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with os.fdopen(reader, "rb") as pipe:
        return len(pipe.read())


# 3. full disk


def fill_disk(folder: Path) -> list[str]:
    """Write a checkpoint that does not fit; returns what went wrong."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True
    ).returncode == 0  # fmt: skip
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        return overflow(disk / "last.pt", "a full disk" if mounted else "a limit on file size")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
        if mounted:
            subprocess.run(["umount", str(disk)], check=True)


def overflow(file: Path, kind: str) -> list[str]:
    """Two checkpoints that fit and one that does not."""
    for number in (1, 2):
        save_checkpoint({"number": number}, file, keep_previous=True)
    try:
        save_checkpoint({"tensor": torch.ones(1_000_000)}, file, keep_previous=True)
    except UserError as error:
        print(f"{kind}: {error}".replace(str(file.parent), "DISK"))
    else:
        return [f"{kind}: four megabytes were written where two fit"]
    kept = [read_checkpoint(path)["number"] for path in (file, previous_of(file))]
    return [] if kept == [2, 1] else [f"{kind}: found checkpoints {kept}, expected [2, 1]"]


if __name__ == "__main__":
    sys.exit(main())
