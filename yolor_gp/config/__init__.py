"""YAML with lines: model files, recipes, data files; everything checked before it is built."""
