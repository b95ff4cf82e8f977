#!/usr/bin/env python3
from yolor_gp.commands.information_flow import main
from yolor_gp.commands.program import run

if __name__ == "__main__":
    run(main)
