"""Measure this project against its peers: `python scripts/benchmark.py --help`."""

import sys
from pathlib import Path

# The benchmarks import peers and so stay outside the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.command import main
from yolor_gp.commands.program import run

if __name__ == "__main__":
    run(main)
