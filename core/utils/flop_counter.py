"""How many floating point operations a program does, as `torch.utils.flop_counter`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from .. import ops
from ..device import device
from ..errors import ArgumentError
from ..nn.hooks import register_module_forward_hook, register_module_forward_pre_hook
from ..profiler import Watch
from ..spelling import tell_names as _tell_names

Shape = tuple[int, ...]


def _convolution(x: Shape, w: Shape, y: Shape) -> int:
    return 2 * x[0] * math.prod(y[2:]) * math.prod(w)


def _attention(q: Shape, k: Shape, v: Shape, of_keys: int, of_values: int) -> int:
    """The products of queries with keys, and of their weights with values, each this many times."""
    return 2 * math.prod(q[:-1]) * k[-2] * (of_keys * q[-1] + of_values * v[-1])


def _recurrent(x: Shape, *weights: Shape) -> int:
    return 2 * math.prod(x[:2]) * sum(map(math.prod, weights))


#: Operation -> PyTorch's name of it, and the count by the shapes of its tensors and of its (first) result. As in PyTorch,
#: products with a vector, sums and what is done element by element do not count.
_FORMULAS: dict[str, tuple[str, Callable[..., int]]] = {
    "matmul": ("bmm", lambda a, b, y: 2 * math.prod(y) * a[-1] if min(len(a), len(b)) > 1 else 0),
    "linear": ("addmm", lambda x, w, *rest: 2 * math.prod(x) * w[0]),
    "linear_weight_grad": ("mm", lambda g, x, y: 2 * math.prod(g) * x[-1]),
    "conv": ("convolution", lambda x, w, *rest: _convolution(x, w, rest[-1])),
    "conv_input_grad": ("convolution", lambda g, w, y: _convolution(y, w, g)),
    "conv_weight_grad": ("convolution_backward", lambda g, x, y: 2 * math.prod(y[2:]) * math.prod(g) * x[1]),
    "scaled_dot_product_attention": ("scaled_dot_product_attention", lambda q, k, v, *rest: _attention(q, k, v, 1, 1)),
    "scaled_dot_product_attention_grad": (
        "_scaled_dot_product_flash_attention_backward",
        lambda g, y, q, k, v, *rest: _attention(q, k, v, 3, 2),
    ),
}
for _kind in ("lstm", "gru", "rnn"):
    for _name in (_kind, f"{_kind}_train"):
        _FORMULAS[_name] = (_kind, lambda x, w_ih, w_hh, *rest: _recurrent(x, w_ih, w_hh))


class FlopCounterMode(Watch):
    """Count the multiplications and additions of matrix products, convolutions and attention that run inside: a context manager.

    The counts are PyTorch's, by the modules whose `forward` was running; those of `backward` are in "Global" alone. Attention and
    recurrent layers count, which PyTorch's kernels for CPUs leave out.

    Args:
        mods: accepted for PyTorch's sake: all modules are followed.
        depth: how deep in modules the table goes.
        display: whether the table is printed at the end.

    >>> import frazil as fz
    >>> from frazil.utils.flop_counter import FlopCounterMode
    >>> layer = fz.nn.Linear(3, 4)
    >>> with FlopCounterMode(display=False) as counter:
    ...     y = layer(fz.ones(5, 3))
    >>> counter.get_total_flops(), counter.get_flop_counts()["Linear"]
    (120, {<operator aten.addmm>: 120})
    """

    def __init__(self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: Any = None) -> None:
        if custom_mapping:
            raise ArgumentError("FlopCounterMode: custom_mapping names operators of PyTorch's; count what is your own by hand")
        self.depth = depth
        self.display = display
        self.flop_counts: dict[str, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
        self._within: list[str] = []

    def __enter__(self) -> FlopCounterMode:
        self.flop_counts.clear()
        device("meta").open()
        known: dict[Any, str] = {}  # module -> its name below the first module that was called

        def before(module: Any, args: Any) -> None:
            if module not in known:
                root = type(module).__name__
                known.update({inner: f"{root}.{name}" if name else root for name, inner in module.named_modules()})
            self._within.append(known[module])

        self._hooks = [
            register_module_forward_pre_hook(before),
            register_module_forward_hook(lambda module, args, y: self._within.pop() and None, always_call=True),
        ]
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()
        if self.display:
            print(self.get_table())

    def ran(self, name: str, arrays: tuple[Any, ...], result: Any, start: float, duration: float) -> None:
        """Count an operation."""
        if name not in _FORMULAS:
            return
        theirs, formula = _FORMULAS[name]
        y = result[0] if isinstance(result, tuple) else result
        count = formula(*(a.shape for a in arrays if a is not None), y.shape)
        if count:
            for place in {"Global", *self._within}:
                self.flop_counts[place][getattr(ops.aten, theirs)] += count

    def get_total_flops(self) -> int:
        """Return the count of all that ran."""
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """Return the counts by module, and there by operator; "Global" has all."""
        return {place: dict(counts) for place, counts in self.flop_counts.items()}

    def get_table(self, depth: int | None = None) -> str:
        """Return the counts as text, of modules as deep as `depth`."""
        total = self.get_total_flops()
        rows = [("Module", "FLOP", "% Total")]
        for place in sorted(self.flop_counts, key=lambda name: (name != "Global", name)):
            level = 0 if place == "Global" else place.count(".") + 1
            if level > (self.depth if depth is None else depth):
                continue
            counts = self.flop_counts[place]
            for label, count in [(place, sum(counts.values())), *((f" - {op}", n) for op, n in counts.items())]:
                rows.append((" " * level + label, f"{count:,}", f"{count / max(total, 1):.2%}"))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


_tell_names(__name__)
