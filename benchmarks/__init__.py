"""Ratios of frazil to PyTorch on the CPU, both sides in one run: `python -m benchmarks`."""
