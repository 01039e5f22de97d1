"""The backends that ship with frazil: each knows frazil's core and its own vendor library, nothing else."""

if __name__ != "frazil.backends":
    raise ImportError(
        "backends/ is the source folder of the package `frazil.backends` and is not importable as `backends`: "
        "run `pip install -e .` in the repository and `import frazil.backends` instead"
    )

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import cuda as cuda
    from . import cudnn as cudnn
    from . import mkl as mkl
    from . import mkldnn as mkldnn
    from . import mps as mps
    from . import openmp as openmp
    from . import opt_einsum as opt_einsum


#: PyTorch's switches, which programs set without importing them.
_SWITCHES = ("cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum")


def __getattr__(name: str) -> Any:
    if name in _SWITCHES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
