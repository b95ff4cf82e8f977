"""Batches in an order and with pixels that depend on the seed alone."""
