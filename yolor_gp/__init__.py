"""Train, evaluate and explain YOLOR-style detectors with box and mask heads."""

__version__ = "0.1.0"
