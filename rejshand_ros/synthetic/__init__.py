"""Rendered hands with known truth, drawn in software: training data, the demo's clip, previews."""
