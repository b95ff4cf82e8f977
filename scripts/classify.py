from yolor_gp.commands.classify import main
from yolor_gp.commands.program import run

if __name__ == "__main__":
    run(main)
