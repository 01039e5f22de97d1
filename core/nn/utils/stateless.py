"""`functional_call` where PyTorch's programs look for it: `torch.nn.utils.stateless`."""

import sys
from typing import Any


def functional_call(module: Any, parameters_and_buffers: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
    """As `fz.func.functional_call`.

    >>> import frazil as fz
    >>> fz.nn.utils.stateless.functional_call(fz.nn.Linear(1, 1, bias=False), {"weight": fz.ones(1, 1)}, fz.ones(1))
    tensor([1.])
    """
    return sys.modules["frazil"].func.functional_call(module, parameters_and_buffers, args, kwargs, **options)
