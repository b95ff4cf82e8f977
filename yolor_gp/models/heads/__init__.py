"""Importing this package enters every head into the registry of blocks."""

from yolor_gp.models.heads import anchor_head, classifier, official_heads  # noqa: F401
