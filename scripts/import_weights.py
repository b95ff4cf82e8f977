"""Convert weights: `python scripts/import_weights.py IN OUT`."""

from yolor_gp.commands.program import start

if __name__ == "__main__":
    start("import-weights")
