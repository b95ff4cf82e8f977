"""Which layers of a trained network do the work: probes, saturation, CKA, receptive fields."""
