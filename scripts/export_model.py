#!/usr/bin/env python3
from yolor_gp.commands.program import start

if __name__ == "__main__":
    start("export-model")
