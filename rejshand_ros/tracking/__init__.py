"""Finding and following hands from frame to frame."""
