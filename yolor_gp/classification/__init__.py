"""The classification task on the engine: it knows labelled pictures and no boxes."""
