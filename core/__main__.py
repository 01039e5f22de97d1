"""`python -m frazil` is the command `frazil`."""

import importlib
import sys

if __name__ == "__main__":
    # By name: the command line stands above core.
    sys.exit(importlib.import_module("frazil.plugins.commands").main())
