"""What a run writes to go on from, or to be used: whole files or none."""
