"""Episodes: written, read, repaired."""
