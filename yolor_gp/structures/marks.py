"""What a network says of its parameters to the optimizer, as attributes of theirs."""

UNDECAYED = "undecayed"
"""Weight decay leaves this parameter alone, whatever its kind."""
