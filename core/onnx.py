"""`import frazil.onnx`: the exporter to ONNX, which is a package of its own that knows the ops of all plugins."""

import sys

sys.modules[__name__] = sys.modules[__package__].onnx
