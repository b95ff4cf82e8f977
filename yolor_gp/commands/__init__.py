"""argv -> one call -> exit code. A command knows no tensor."""
