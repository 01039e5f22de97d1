"""Everything is declared in pyproject.toml; this only removes what an earlier build left: setuptools would install it again."""

import shutil
from pathlib import Path

from setuptools import setup

shutil.rmtree(Path(__file__).parent / "build" / "lib", ignore_errors=True)
setup()
