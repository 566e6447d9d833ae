"""Data, losses, training loop and evaluation of the network."""
