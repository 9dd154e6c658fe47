"""Benchmarks of tiepoint against other implementations; `python -m benchmarks --help` lists them."""
