from yolor_gp.commands.program import run
from yolor_gp.commands.train import main

if __name__ == "__main__":
    run(main)
