"""`frazil.sizes` under the name it had first, for programs that import it from here."""

from ..sizes import *  # noqa: F403
