"""Gradients of convolutions as functions, as `torch.nn.grad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.conv import conv_input_grad, conv_weight_grad, spatial
from ..spelling import tell_names as _tell_names
from ..tensor import Tensor

Sizes = int | Sequence[int]


def _options(name: str, n: int, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> dict[str, Any]:
    return {
        "stride": spatial(name, "stride", stride, n, minimum=1),
        "padding": spatial(name, "padding", padding, n, minimum=0),
        "dilation": spatial(name, "dilation", dilation, n, minimum=1),
        "groups": groups,
    }


def _of_input(n: int, input_size: Sequence[int], weight: Tensor, grad_output: Tensor, *windows: Any) -> Tensor:
    options = _options(f"conv{n}d_input", n, *windows)
    found: Tensor = conv_input_grad(grad_output, weight, size=tuple(input_size[-n:]), **options)
    return found


def _of_weight(n: int, weight_size: Sequence[int], input: Tensor, grad_output: Tensor, *windows: Any) -> Tensor:
    options = _options(f"conv{n}d_weight", n, *windows)
    found: Tensor = conv_weight_grad(grad_output, input, kernel_size=tuple(weight_size[-n:]), **options)
    return found


def conv1d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` with respect to its input, which has `input_size`.

    >>> import frazil as fz
    >>> fz.nn.grad.conv1d_input((1, 1, 3), fz.ones(1, 1, 2), fz.ones(1, 1, 2))
    tensor([[[1., 2., 1.]]])
    """
    return _of_input(1, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` with respect to its weights, which have `weight_size`.

    >>> import frazil as fz
    >>> fz.nn.grad.conv1d_weight(fz.ones(1, 1, 3), (1, 1, 2), fz.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """
    return _of_weight(1, weight_size, input, grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` with respect to its input, which has `input_size`."""
    return _of_input(2, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` with respect to its weights, which have `weight_size`."""
    return _of_weight(2, weight_size, input, grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` with respect to its input, which has `input_size`."""
    return _of_input(3, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` with respect to its weights, which have `weight_size`."""
    return _of_weight(3, weight_size, input, grad_output, stride, padding, dilation, groups)


_tell_names(__name__)
