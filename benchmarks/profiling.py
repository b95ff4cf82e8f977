"""Where the time of one run goes: a torch.profiler trace and Python's own profile."""

from __future__ import annotations

import cProfile
import io
import pstats
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity

from benchmarks.timing import Run, Timed

_ROWS = 30


def profile(run: Run, folder: Path, name: str) -> Timed:
    """Run twice: NAME.json and NAME.operators.txt by torch, NAME.functions.txt by cProfile."""
    folder.mkdir(parents=True, exist_ok=True)
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as trace:
        run()
    trace.export_chrome_trace(str(folder / f"{name}.json"))
    order = "cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    table = trace.key_averages().table(sort_by=order, row_limit=_ROWS)
    (folder / f"{name}.operators.txt").write_text(table, encoding="utf-8")
    python = cProfile.Profile()
    value = python.runcall(run)
    text = io.StringIO()
    pstats.Stats(python, stream=text).sort_stats("tottime").print_stats(_ROWS)
    (folder / f"{name}.functions.txt").write_text(text.getvalue(), encoding="utf-8")
    return value
