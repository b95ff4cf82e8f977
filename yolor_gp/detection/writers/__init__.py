"""Detections as files of other people's forms."""
