"""Which version this is, as `torch.version`."""

import sys

__version__: str = sys.modules["frazil"].__version__

#: frazil itself is built for no device: backends bring their own libraries. So these are None, as in PyTorch's build for the CPU.
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
