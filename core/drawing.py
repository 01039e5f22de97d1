"""`import frazil.drawing`: drawings of programs and files, which are a package of their own."""

import sys

from . import __getattr__ as _load

sys.modules[__name__] = _load("drawing")
