"""Trains any task; knows no detection, no analysis, no file of other people's."""
