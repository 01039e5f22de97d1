"""`torch._dynamo`, which libraries import for its marks: they are those of `frazil.compiler`."""

import sys

from . import compiler

sys.modules[__name__] = compiler
