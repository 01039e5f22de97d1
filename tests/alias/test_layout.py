"""A tensor that is written to lies in memory as before: `view` and `flatten` of it share memory, or do not, as in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import frazil as fz
from frazil.errors import ArgumentError, ShapeError

#: They change how a tensor is seen, its memory, or nothing that lies in it.
OTHERS = {
    "sparse_resize_",
    "sparse_resize_and_clear_",
    "addmv_",  # of one dimension, which cannot lie otherwise
    "apply_", "as_strided_", "detach_", "map_", "map2_", "requires_grad_", "resize_", "resize_as_", "set_",
    "share_memory_", "squeeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "unsqueeze_",
}  # fmt: skip
ONES = fz.ones(3, 4, 5)
PLACES = fz.zeros(3, 4, 5, dtype=fz.int64)
FIRST = fz.tensor([0])
#: How methods are called that take more than the tensor, or a number.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "scatter_": (1, PLACES, 0.5), "scatter_add_": (1, PLACES, ONES), "scatter_reduce_": (1, PLACES, ONES, "amax"),
    "index_fill_": (1, FIRST, 0.5), "index_add_": (1, FIRST, ONES[:, :1]), "index_copy_": (1, FIRST, ONES[:, :1]),
    "index_reduce_": (1, FIRST, ONES[:, :1], "amax"), "index_put_": ((FIRST,), ONES[:1]), "masked_fill_": (ONES > 0, 1),
    "masked_scatter_": (ONES > 0, ONES), "clamp_": (0.2, 0.4), "clip_": (0.2, 0.4), "lerp_": (ONES, 0.4),
    "addcmul_": (ONES, ONES), "addcdiv_": (ONES, ONES), "baddbmm_": (fz.ones(3, 4, 2), fz.ones(3, 2, 5)),
    "put_": (FIRST, fz.ones(1)), "renorm_": (2, 0, 1.0), "cumsum_": (1,), "cumprod_": (1,),
    "addmm_": (fz.ones(4, 2), fz.ones(2, 5)), "addr_": (fz.ones(4), fz.ones(5)),
    "addbmm_": (fz.ones(3, 4, 2), fz.ones(3, 2, 5)),
    "fill_": (0.5,), "fill_diagonal_": (0.5,), "bernoulli_": (0.5,), "copy_": (ONES,), "geometric_": (0.5,),
    "polygamma_": (1,), "mvlgamma_": (1,),
}  # fmt: skip
OF_MATRICES = {"addmm_", "addr_", "addbmm_", "fill_diagonal_"}
OF_INTEGERS = {
    "bitwise_not_",
    "gcd_",
    "lcm_",
    *(f"bitwise_{name}_" for name in ("and", "or", "xor", "left_shift", "right_shift")),
}


def turned() -> fz.Tensor:
    """A copy of a transposed tensor: its last two dimensions lie the other way round."""
    return fz.linspace(1.1, 1.9, 60).reshape(3, 5, 4).transpose(1, 2).clone()


NAMES = sorted(name for name in dir(fz.Tensor) if name.endswith("_") and not name.startswith("_") and name not in OTHERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_writes_leaves_its_tensor_lying_as_it_was(name: str) -> None:
    x = turned()[0] if name in OF_MATRICES else turned()
    other = ONES
    if name in OF_INTEGERS:
        x, other = (x * 3).to(fz.int64), PLACES + 1
    before = x.stride()
    assert before == ((1, 4) if name in OF_MATRICES else (20, 1, 4))
    write = getattr(x, name)
    if name in ARGUMENTS:
        write(*ARGUMENTS[name])
    else:
        try:
            write()
        except (TypeError, ArgumentError):  # it takes another tensor
            write(other)
    assert x.stride() == before


def test_writes_at_indices_and_of_other_tensors_leave_it_so_too() -> None:
    for write in (
        lambda x: x.__setitem__((slice(None), 0), 1.0),
        lambda x: x.__setitem__(x > 1.5, 1.0),
        lambda x: x.__iadd__(ONES),
        lambda x: fz.add(x, ONES, out=x),
        lambda x: fz.nn.init.ones_(x),
        lambda x: fz.tril(ONES, out=x),
    ):
        x = turned()
        write(x)
        assert x.stride() == (20, 1, 4)


def test_a_later_write_reaches_a_view_of_what_was_written_to() -> None:
    x = fz.ones(3, 2).t().clone()
    x.zero_()
    with pytest.raises(ShapeError):
        x.view(-1)
    y = x.t().flatten()
    x[0, 0] = 7
    assert y.tolist() == [7, 0, 0, 0, 0, 0]
