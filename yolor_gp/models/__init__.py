"""Networks built from model files: blocks, heads, network, folding, summary."""
