"""`import frazil.drawing`: drawings of programs and files, which are a package of their own."""

import sys

sys.modules[__name__] = sys.modules[__package__].drawing
