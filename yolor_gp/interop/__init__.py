"""Other people's files, read here and nowhere else."""
