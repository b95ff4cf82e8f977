"""Gradient paths: how many there are to each layer, how long, how they share their sources."""
