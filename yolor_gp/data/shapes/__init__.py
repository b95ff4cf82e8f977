"""The built-in data set: scenes drawn with exact masks."""
