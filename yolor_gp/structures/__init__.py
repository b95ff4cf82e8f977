"""What flows through the house: frozen dataclasses whose shapes are checked on construction."""
