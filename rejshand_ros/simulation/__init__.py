"""Backends that move a simulated hand."""
