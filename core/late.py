"""Functions and methods that few programs use: `core/rare` has them, and its files are loaded when one of them is asked for.

The lists here are what `import frazil` needs of them. `load_all` is for those who go through the whole table.
"""

from __future__ import annotations

import importlib
from typing import Any, final

from .table import METHODS
from .tensor import Tensor

#: File of `core/rare` -> its functions of `fz`.
FUNCTIONS_OF = {
    "scans": "cummax cummin logcumsumexp gradient",
    "counting": "mode nanmedian nanquantile histogram histogramdd unravel_index nonzero_static",
    "numbers": "gcd lcm frexp nextafter",
    "segments": "index_reduce put segment_reduce pdist fake_quantize_per_tensor_affine fake_quantize_per_channel_affine "
    "is_same_size",
    "memory": "as_strided as_strided_ as_strided_copy as_strided_scatter empty_strided empty_permuted resize_as_",
    "copies": "alias_copy detach_copy diagonal_copy expand_copy narrow_copy permute_copy select_copy slice_copy split_copy "
    "split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy "
    "view_as_complex_copy view_as_real_copy indices_copy values_copy crow_indices_copy col_indices_copy",
    "draws": "poisson binomial",
}

#: File of `core/rare` -> its methods of `Tensor`.
METHODS_OF = {
    "scans": "cummax cummin logcumsumexp",
    "counting": "mode nanmedian nanquantile histogram nonzero_static",
    "numbers": "gcd gcd_ lcm lcm_ frexp nextafter nextafter_",
    "segments": "index_reduce index_reduce_ put put_ sum_to_size is_same_size",
    "memory": "as_strided as_strided_ as_strided_scatter new_empty_strided resize_ resize_as_ set_ is_set_to untyped_storage "
    "storage apply_ map_ map2_",
    "copies": "narrow_copy",
}

#: Function -> its module.
HOMES = {name: f"rare.{home}" for home, names in FUNCTIONS_OF.items() for name in names.split()}


@final
class Late:
    """Stands on the class for a method until it is asked for."""

    __slots__ = ("home", "name")

    def __init__(self, home: str, name: str) -> None:
        self.home = home
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        load(self.home)
        return METHODS[self.name].__get__(instance, owner)


def announce() -> None:
    """Let the table know which methods there will be."""
    METHODS.update({name: Late(home, name) for home, names in METHODS_OF.items() for name in names.split()})  # type: ignore[misc]


def load(home: str) -> None:
    """Load a file of `core/rare`, and put its methods on the class."""
    importlib.import_module(f"frazil.rare.{home}")
    for name in METHODS_OF.get(home, "").split():
        setattr(Tensor, name, METHODS[name])


def load_all() -> None:
    """Load every file of `core/rare`, so that the table is complete.

    >>> from frazil.late import load_all
    >>> from frazil.table import FUNCTIONS
    >>> load_all(); "cummax" in FUNCTIONS
    True
    """
    for home in FUNCTIONS_OF:
        load(home)
