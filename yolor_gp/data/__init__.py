"""Data sets and the batches made of them; nothing here knows a network."""
