"""The shipped weights and their card."""
