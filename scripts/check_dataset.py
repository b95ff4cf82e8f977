from yolor_gp.commands.program import start

if __name__ == "__main__":
    start("check-dataset")
