"""Which layers of a network do the work [FLOW]: receptive fields and the layers beyond them."""
