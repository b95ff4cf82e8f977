"""How time and memory grow; `scripts/benchmark.py --growth`."""
