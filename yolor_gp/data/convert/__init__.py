"""Data sets written in other formats, divided into parts or folds."""
