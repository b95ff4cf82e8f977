"""How this process is tuned: allocator and garbage collector; only programs call it."""
