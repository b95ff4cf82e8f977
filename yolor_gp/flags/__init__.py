"""What every program takes on its command line; loads nothing that takes time."""
