"""The detection task on the engine: boxes and masks; knows no argv."""
