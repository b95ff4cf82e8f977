"""Tables of the papers by one command: rows are trained by whoever claims them, then laid out."""
