"""An image crop in, a hand estimate out, by interchangeable runtimes."""
