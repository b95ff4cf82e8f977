"""What a training reaches, and in what time, beside a peer's."""
