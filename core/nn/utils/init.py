"""Making layers without their first values."""

from __future__ import annotations

from typing import Any


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Return `module_cls(*args, **kwargs)`, whose values the program is about to overwrite; on the CPU without `device`.

    The first values are drawn here all the same.

    >>> import frazil as fz
    >>> fz.nn.utils.skip_init(fz.nn.Linear, 2, 3)
    Linear(in_features=2, out_features=3, bias=True)
    """
    return module_cls(*args, **{"device": "cpu", **kwargs})
