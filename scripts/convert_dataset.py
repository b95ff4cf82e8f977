from yolor_gp.commands.convert_dataset import main
from yolor_gp.commands.program import run

if __name__ == "__main__":
    run(main)
