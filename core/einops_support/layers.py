"""`einops.layers.frazil`: einops' layers as modules of frazil."""

from __future__ import annotations

import importlib
from typing import Any

from ..creation import zeros
from ..nn import Module, Parameter
from ..table import FUNCTIONS
from ..tensor import Tensor


def define() -> dict[str, type]:
    """The layers by name, made of einops' mixins."""
    mixins: Any = importlib.import_module("einops.layers")
    einmix: Any = importlib.import_module("einops.layers._einmix")

    class Rearrange(mixins.RearrangeMixin, Module):
        """`einops.rearrange` as a layer."""

        def forward(self, input: Tensor) -> Any:
            """The input, rearranged."""
            return self._apply_recipe(input)

    class Reduce(mixins.ReduceMixin, Module):
        """`einops.reduce` as a layer."""

        def forward(self, input: Tensor) -> Any:
            """The input, reduced."""
            return self._apply_recipe(input)

    class EinMix(einmix._EinmixMixin, Module):
        """einops' linear layer between any axes."""

        def _create_parameters(self, weight_shape: Any, weight_bound: float, bias_shape: Any, bias_bound: float) -> None:
            self.weight = Parameter(zeros(weight_shape).uniform_(-weight_bound, weight_bound))
            bias = None if bias_shape is None else zeros(bias_shape).uniform_(-bias_bound, bias_bound)
            self.bias = None if bias is None else Parameter(bias)

        def _create_rearrange_layers(self, before: str | None, sizes: Any, after: str | None, sizes_after: Any) -> None:
            self.pre_rearrange = None if before is None else layers["Rearrange"](before, **sizes)
            self.post_rearrange = None if after is None else layers["Rearrange"](after, **sizes_after)

        def forward(self, input: Tensor) -> Any:
            """The input, mixed."""
            if self.pre_rearrange is not None:
                input = self.pre_rearrange(input)
            result = FUNCTIONS["einsum"](self.einsum_pattern, input, self.weight)
            if self.bias is not None:
                result = result + self.bias
            return result if self.post_rearrange is None else self.post_rearrange(result)

    layers: dict[str, Any] = {layer.__name__: layer for layer in (Rearrange, Reduce, EinMix)}
    for layer in layers.values():  # as if written there: for printing and pickling
        layer.__module__, layer.__qualname__ = "einops.layers.frazil", layer.__name__
    return layers
