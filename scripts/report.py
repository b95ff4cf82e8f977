#!/usr/bin/env python3
from yolor_gp.commands.program import run
from yolor_gp.commands.report import main

if __name__ == "__main__":
    run(main)
