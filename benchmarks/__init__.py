"""Benchmarks: each module prints a table and leaves its figures in out/bench/<name>.json."""
