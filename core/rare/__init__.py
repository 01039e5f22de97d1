"""Functions and methods that few programs use, each file loaded when one of its names is asked for (`core/late.py`)."""
