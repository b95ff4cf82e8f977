"""What each of two processes does in test_classify_processes: train a classifier by its command."""

from __future__ import annotations

import sys

import torch

from yolor_gp.commands.classify import main
from yolor_gp.commands.program import exit_code

if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(exit_code(main, sys.argv[1:]))
