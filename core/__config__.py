"""What programs print of how their framework was built: here, what it computes with."""

from __future__ import annotations

import importlib
import os

import numpy as np

from .spelling import tell_names as _tell_names
from .version import __version__

__all__ = ["parallel_info", "show"]


def show() -> str:
    """Return a text of several lines: versions, processor features that NumPy uses, and backends.

    >>> from frazil import __config__
    >>> __config__.show().splitlines()[0].startswith("frazil ")
    True
    """
    backends = importlib.import_module("frazil").plugins.list_backends()
    installed = ", ".join(record.name for record in backends if record.installed)
    return f"frazil {__version__}\n  - NumPy {np.__version__}\n  - backends: {installed}\n"


def parallel_info() -> str:
    """Return how many threads compute.

    >>> from frazil import __config__
    >>> __config__.parallel_info().splitlines()[-1].startswith("processors: ")
    True
    """
    threads = importlib.import_module("frazil").get_num_threads()
    return f"frazil.get_num_threads() : {threads}\nprocessors: {os.cpu_count()}"


_tell_names(__name__)
