"""Networks for other runtimes: written as one graph, read back as a network, proven at once."""
