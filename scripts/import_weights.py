"""Convert weights: `python scripts/import_weights.py IN OUT`."""

from yolor_gp.commands.import_weights import main
from yolor_gp.commands.program import run

if __name__ == "__main__":
    run(main)
