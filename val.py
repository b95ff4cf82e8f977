from yolor_gp.commands.run import run
from yolor_gp.commands.val import main

if __name__ == "__main__":
    run(main)
