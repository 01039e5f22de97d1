"""`import frazil.onnx`: the exporter to ONNX, which is a package of its own that knows the ops of all plugins."""

import sys

from . import __getattr__ as _load

sys.modules[__name__] = _load("onnx")
