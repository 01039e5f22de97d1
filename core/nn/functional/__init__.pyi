"""`fz.nn.functional`, for editors and type checkers. Made by `python docs/build_types.py`."""

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ...dtypes import dtype as DType
from ...random import Generator
from ...tensor import Size
from ...tensor import Tensor

#: Built-in types under names that no function of frazil has.
_bool: TypeAlias = builtins.bool
_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_str: TypeAlias = builtins.str
_Operand: TypeAlias = Tensor | builtins.complex  # complex takes float, int and bool too


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means over `output_size` windows that cover `input` [N, C, L] or [C, L] as evenly as possible; None keeps the size.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool1d(fz.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2)
    tensor([[2., 4.]])"""

def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over a grid of `output_size` windows of `input` [N, C, H, W] or [C, H, W]. See `adaptive_avg_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool2d(fz.ones(2, 3, 7, 5), (1, 1)).shape
    frazil.Size([2, 3, 1, 1])"""

def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means over a grid of `output_size` windows of `input` [N, C, D, H, W] or [C, D, H, W]. See `adaptive_avg_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])"""

def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: _bool = False) -> Any:
    """Maxima over `output_size` windows that cover [N, C, L] as evenly as possible.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_max_pool1d(fz.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2)
    tensor([[3., 5.]])"""

def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any, return_indices: _bool = False) -> tuple[Tensor, Tensor]:
    """As `adaptive_max_pool1d` with `return_indices`, whatever is asked for."""

def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: _bool = False) -> Any:
    """Maxima over a grid of `output_size` windows of [N, C, H, W]; `return_indices` also gives their places in the plane."""

def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Any, return_indices: _bool = False) -> tuple[Tensor, Tensor]:
    """As `adaptive_max_pool2d` with `return_indices`, whatever is asked for."""

def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: _bool = False) -> Any:
    """Maxima over a grid of `output_size` windows of [N, C, D, H, W]."""

def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Any, return_indices: _bool = False) -> tuple[Tensor, Tensor]:
    """As `adaptive_max_pool3d` with `return_indices`, whatever is asked for."""

def affine_grid(theta: Tensor, size: Sequence[Any], align_corners: _bool | None = None) -> Tensor:
    """Return where every pixel of an image of `size` comes from, for `grid_sample`: [N, H, W, 2], x before y, from -1 to 1.

    `theta` [N, 2, 3] maps (x, y, 1); with [N, 3, 4] and a size of (N, C, D, H, W) the same for volumes: [N, D, H, W, 3].
    `align_corners`: -1 and 1 are the centres of the outermost pixels, not their outer edges.

    >>> import frazil as fz
    >>> F = fz.nn.functional
    >>> mirrored = fz.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> F.affine_grid(mirrored, (1, 1, 1, 2), align_corners=False)
    tensor([[[[ 0.5000,  0.0000],
              [-0.5000,  0.0000]]]])"""

def alpha_dropout(input: Tensor, p: _float = 0.5, training: _bool = False, inplace: _bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs (https://arxiv.org/abs/1706.02515)."""

def avg_pool1d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, ceil_mode: _bool = False, count_include_pad: _bool = True) -> Tensor:
    """The mean of every window of `input` [N, C, L] or [C, L]; `stride` is `kernel_size` by default.

    Padding counts as zeros, unless `count_include_pad` is False. `ceil_mode` also takes the window that reaches over the end.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool1d(fz.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[2.0000, 3.5000]])"""

def avg_pool2d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, ceil_mode: _bool = False, count_include_pad: _bool = True, divisor_override: _int | None = None) -> Tensor:
    """The mean of every window of `input` [N, C, H, W] or [C, H, W]. `divisor_override` divides by another number.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool2d(fz.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])"""

def avg_pool3d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, ceil_mode: _bool = False, count_include_pad: _bool = True, divisor_override: _int | None = None) -> Tensor:
    """The mean of every window of `input` [N, C, D, H, W] or [C, D, H, W]. See `avg_pool2d`.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])"""

def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None, bias: Tensor | None = None, training: _bool = False, momentum: Any = 0.1, eps: _float = 1e-05) -> Tensor:
    """Normalise every channel (dimension 1) over all others, by the batch in `training`, by the running statistics otherwise.

    In training the running statistics, if given, move towards the batch's by `momentum`, in place. Source: https://arxiv.org/abs/1502.03167.

    >>> import frazil as fz
    >>> fz.nn.functional.batch_norm(fz.tensor([[1.0], [3.0]]), None, None, training=True, eps=1e-12)
    tensor([[-1.],
            [ 1.]])"""

def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[..., o] = sum over i, j of input1[..., i] weight[o, i, j] input2[..., j], plus bias[o]."""

def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)) for probabilities; logarithms count as at least -100."""

def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean', pos_weight: Tensor | None = None) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), without overflow; `pos_weight` multiplies the part of positive targets.

    >>> import frazil as fz
    >>> fz.nn.functional.binary_cross_entropy_with_logits(fz.tensor([1e4, 0.0]), fz.tensor([1.0, 1.0]))
    tensor(0.3466)"""

def celu(input: Tensor, alpha: _float = 1.0, inplace: _bool = False) -> Tensor:
    """max(input, 0) + min(alpha * (exp(input / alpha) - 1), 0)."""

def celu_(input: Tensor, alpha: _float = 1.0) -> Tensor:
    """`celu`, in place."""

def channel_shuffle(input: Tensor, groups: _int) -> Tensor:
    """Interleave the channels of `groups` groups of [N, C, ...] (https://arxiv.org/abs/1707.01083)."""

def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | _str | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, groups: _int = 1) -> Tensor:
    """Cross-correlation of `input` [N, C, L] or [C, L] with `weight` [F, C/groups, K], plus `bias` [F].

    `padding` zeros are added on both sides: a number, "valid" (none) or "same" (the result has the size of the input). The result
    has the size (L + 2 padding - dilation (K - 1) - 1) // stride + 1.

    >>> import frazil as fz
    >>> fz.conv1d(fz.tensor([[1.0, 2.0, 4.0]]), fz.tensor([[[1.0, -1.0]]]))
    tensor([[-1., -2.]])"""

def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | _str | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, groups: _int = 1) -> Tensor:
    """Cross-correlation of `input` [N, C, H, W] or [C, H, W] with `weight` [F, C/groups, KH, KW], plus `bias` [F]. See `conv1d`.

    >>> import frazil as fz
    >>> fz.conv2d(fz.ones(1, 1, 3, 3), fz.ones(1, 1, 3, 3), padding=1)[0, 0]
    tensor([[4., 6., 4.],
            [6., 9., 6.],
            [4., 6., 4.]])"""

def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | _str | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, groups: _int = 1) -> Tensor:
    """Cross-correlation of `input` [N, C, D, H, W] or [C, D, H, W] with `weight` [F, C/groups, KD, KH, KW]. See `conv1d`.

    >>> import frazil as fz
    >>> fz.conv3d(fz.ones(2, 1, 4, 4, 4), fz.ones(3, 1, 2, 2, 2), stride=2).shape
    frazil.Size([2, 3, 2, 2, 2])"""

def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: _int = 0) -> Tensor:
    """`conv1d` with time first and channels last: `input` [T, N, C], `weight` [K, C, F], `bias` [F] give [T', N, F].

    >>> import frazil as fz
    >>> fz.conv_tbc(fz.ones(4, 1, 2), fz.ones(3, 2, 1), fz.zeros(1)).flatten()
    tensor([6., 6.])"""

def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | Sequence[_int] = 0, output_padding: _int | Sequence[_int] = 0, groups: _int = 1, dilation: _int | Sequence[_int] = 1) -> Tensor:
    """Transposed convolution of `input` [N, C, L] or [C, L] with `weight` [C, F/groups, K], the gradient of `conv1d`.

    The result has the size (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

    >>> import frazil as fz
    >>> fz.conv_transpose1d(fz.tensor([[1.0, 2.0]]), fz.tensor([[[1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 2., 2.]])"""

def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | Sequence[_int] = 0, output_padding: _int | Sequence[_int] = 0, groups: _int = 1, dilation: _int | Sequence[_int] = 1) -> Tensor:
    """Transposed convolution of `input` [N, C, H, W] or [C, H, W] with `weight` [C, F/groups, KH, KW]. See `conv_transpose1d`.

    >>> import frazil as fz
    >>> fz.conv_transpose2d(fz.ones(1, 1, 2, 2), fz.ones(1, 3, 2, 2), stride=2).shape
    frazil.Size([1, 3, 4, 4])"""

def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | Sequence[_int] = 0, output_padding: _int | Sequence[_int] = 0, groups: _int = 1, dilation: _int | Sequence[_int] = 1) -> Tensor:
    """Transposed convolution of `input` [N, C, D, H, W] or [C, D, H, W]. See `conv_transpose1d`.

    >>> import frazil as fz
    >>> fz.conv_transpose3d(fz.ones(1, 2, 2, 2, 2), fz.ones(2, 1, 3, 3, 3), stride=2, padding=1, output_padding=1).shape
    frazil.Size([1, 1, 4, 4, 4])"""

def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: _float = 0, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1."""

def cosine_similarity(x1: Tensor, x2: Tensor, dim: _int = 1, eps: _float = 1e-08) -> Tensor:
    """The cosine of the angle between vectors along `dim`; lengths count as at least `eps`.

    >>> import frazil as fz
    >>> fz.nn.functional.cosine_similarity(fz.tensor([1.0, 0.0]), fz.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)"""

def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: _bool | None = None, ignore_index: _int = -100, reduce: _bool | None = None, reduction: _str = 'mean', label_smoothing: _float = 0.0) -> Tensor:
    """Cross entropy between the softmax of `input` [N, C, ...] (or [C]) and `target`: class indices [N, ...] or probabilities
    [N, C, ...].

    `weight` is per class; indices equal to `ignore_index` do not count.

    >>> import frazil as fz
    >>> fz.nn.functional.cross_entropy(fz.zeros(2, 4), fz.tensor([0, 3]))
    tensor(1.3863)"""

def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: _int = 0, reduction: _str = 'mean', zero_infinity: _bool = False) -> Tensor:
    """Minus the logarithm of the probability that outputs, once repetitions and blanks are taken out, are the targets.

    Args:
        log_probs: [T, N, C] or [T, C], logarithms of probabilities (of `log_softmax`).
        targets: classes other than `blank`: [N, S], or those of all samples one after another.
        input_lengths: how many of the T steps each sample has.
        target_lengths: how many targets each sample has.
        reduction: "mean" divides every loss by its number of targets first.
        zero_infinity: 0 in the place of infinite losses, of targets that do not fit, and of their gradients.

    As in PyTorch, the gradient is that of outputs which `log_softmax` gave. Source: Graves et al., "Connectionist temporal
    classification", 2006.

    >>> import frazil as fz
    >>> steps = fz.full((4, 1, 3), 1 / 3).log()
    >>> fz.nn.functional.ctc_loss(steps, fz.tensor([[1, 2]]), fz.tensor([4]), fz.tensor([2]))
    tensor(0.8432)"""

def dropout(input: Tensor, p: _float = 0.5, training: _bool = True, inplace: _bool = False) -> Tensor:
    """Set elements to 0 with probability `p` and scale the others by 1 / (1 - p).

    >>> import frazil as fz
    >>> fz.nn.functional.dropout(fz.ones(3), training=False)
    tensor([1., 1., 1.])"""

def dropout1d(input: Tensor, p: _float = 0.5, training: _bool = True, inplace: _bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, L] or [C, L]."""

def dropout2d(input: Tensor, p: _float = 0.5, training: _bool = True, inplace: _bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, H, W]; with a warning, as in PyTorch, of [N, C, L] and others from [N, C] on."""

def dropout3d(input: Tensor, p: _float = 0.5, training: _bool = True, inplace: _bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, D, H, W] or [C, D, H, W]; with a warning, as in PyTorch, of others by C."""

def elu(input: Tensor, alpha: _float = 1.0, inplace: _bool = False) -> Tensor:
    """`input` where positive, else alpha * (exp(input) - 1)."""

def elu_(input: Tensor, alpha: _float = 1.0) -> Tensor:
    """`elu`, in place."""

def embedding(input: Tensor, weight: Tensor, padding_idx: _int | None = None, max_norm: _float | None = None, norm_type: _float = 2.0, scale_grad_by_freq: _bool = False, sparse: _bool = False) -> Tensor:
    """The rows of `weight` named by the integers in `input`.

    The row `padding_idx` gets no gradient. `max_norm` first shrinks, in place, longer rows that are in use. With `sparse` the
    gradient of a leaf `weight` is a sparse tensor of the rows in use (dense in a recording, and with `scale_grad_by_freq`).

    >>> import frazil as fz
    >>> fz.nn.functional.embedding(fz.tensor([1, 1]), fz.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[2., 3.],
            [2., 3.]])"""

def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: _float | None = None, norm_type: _float = 2, scale_grad_by_freq: _bool = False, mode: _str = 'mean', sparse: _bool = False, per_sample_weights: Tensor | None = None, include_last_offset: _bool = False, padding_idx: _int | None = None) -> Tensor:
    """Sums, means or maxima of bags of rows of `weight`.

    `input` is [bags, rows per bag], or one-dimensional with the start of every bag in `offsets`. Empty bags give zeros;
    `padding_idx` entries do not count.

    >>> import frazil as fz
    >>> fz.nn.functional.embedding_bag(fz.tensor([[0, 1]]), fz.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[1., 2.]])"""

def feature_alpha_dropout(input: Tensor, p: _float = 0.5, training: _bool = False, inplace: _bool = False) -> Tensor:
    """`alpha_dropout` of whole channels of [N, C, ...]."""

def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Sum columns [N, C * window, number of windows] back into [N, C, *output_size]: the transpose of `unfold`."""

def fractional_max_pool2d(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: _bool = False, _random_samples: Tensor | None = None) -> Any:
    """Maxima over windows of [N, C, H, W] that begin in random steps, so that the result may have any size.

    The result has `output_size`, or `output_ratio` (between 0 and 1) times the input's. `_random_samples` [N, C, 2], between 0
    and 1, take the place of random numbers. Source: Graham, https://arxiv.org/abs/1412.6071.

    >>> import frazil as fz
    >>> samples = fz.tensor([[[0.5, 0.5]]])
    >>> fz.nn.functional.fractional_max_pool2d(fz.arange(16.0).reshape(1, 1, 4, 4), 2, 3, _random_samples=samples)
    tensor([[[[ 5.,  6.,  7.],
              [ 9., 10., 11.],
              [13., 14., 15.]]]])"""

def fractional_max_pool2d_with_indices(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: _bool = False, _random_samples: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool2d`, and where in the plane the maxima are."""

def fractional_max_pool3d(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: _bool = False, _random_samples: Tensor | None = None) -> Any:
    """Maxima over windows of [N, C, D, H, W] that begin in random steps; see `fractional_max_pool2d`."""

def fractional_max_pool3d_with_indices(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: _bool = False, _random_samples: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool3d`, and where in the volume the maxima are."""

def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: _bool = False, eps: _float = 1e-06, reduction: _str = 'mean') -> Tensor:
    """Negative log-likelihood of `target` under normal distributions with mean `input` and variance `var` (at least `eps`).

    `var` has the shape of `input`, with 1 in one dimension or without the last."""

def gelu(input: _Operand, approximate: _str = 'none', *, out: Any = None) -> Tensor:
    """x times the normal distribution function of x; "tanh" is the usual approximation.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016."""

def glu(input: Tensor, dim: _int = -1) -> Tensor:
    """The first half of `input` along `dim` times the sigmoid of the second."""

def grid_sample(input: Tensor, grid: Tensor, mode: _str = 'bilinear', padding_mode: _str = 'zeros', align_corners: _bool | None = None) -> Tensor:
    """The values of images [N, C, H, W] at the places of `grid` [N, h, w, 2]: [N, C, h, w].

    Places are (x, y) from -1 to 1 across the image. For volumes [N, C, D, H, W], grid [N, d, h, w, 3] has (x, y, z).

    Args:
        mode: "bilinear" (between the nearest pixels), "nearest", or for images "bicubic" (of the sixteen around).
        padding_mode: outside of the image are "zeros", the nearest pixel of its "border", or its "reflection".
        align_corners: -1 and 1 are the centres of the outermost pixels, not their outer edges.

    >>> import frazil as fz
    >>> F = fz.nn.functional
    >>> image = fz.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> F.grid_sample(image, fz.tensor([[[[0.5, 0.0], [-1.0, 0.0], [5.0, 0.0]]]]), align_corners=True)
    tensor([[[[2.5000, 1.0000, 0.0000]]]])"""

def group_norm(input: Tensor, num_groups: _int, weight: Tensor | None = None, bias: Tensor | None = None, eps: _float = 1e-05) -> Tensor:
    """Normalise over groups of channels. Source: https://arxiv.org/abs/1803.08494."""

def gumbel_softmax(logits: Tensor, tau: _float = 1, hard: _bool = False, eps: _float = 1e-10, dim: _int = -1) -> Tensor:
    """A sample from the Gumbel-softmax distribution (https://arxiv.org/abs/1611.01144); `hard` makes it one-hot, with the
    gradient of the soft one."""

def hardshrink(input: _Operand, lambd: _float = 0.5, *, out: Any = None) -> Tensor:
    """x where |x| > lambd, else 0."""

def hardsigmoid(input: Tensor, inplace: _bool = False) -> Tensor:
    """input / 6 + 1 / 2, limited to [0, 1]."""

def hardswish(input: Tensor, inplace: _bool = False) -> Tensor:
    """input * hardsigmoid(input)."""

def hardtanh(input: Tensor, min_val: _float = -1.0, max_val: _float = 1.0, inplace: _bool = False) -> Tensor:
    """`input` limited to [min_val, max_val].

    >>> import frazil as fz
    >>> fz.nn.functional.hardtanh(fz.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])"""

def hardtanh_(input: Tensor, min_val: _float = -1.0, max_val: _float = 1.0) -> Tensor:
    """`hardtanh`, in place."""

def hinge_embedding_loss(input: Tensor, target: Tensor, margin: _float = 1.0, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """`input` where the target is 1, max(0, margin - input) where it is -1."""

def huber_loss(input: Tensor, target: Tensor, reduction: _str = 'mean', delta: _float = 1.0, weight: Tensor | None = None) -> Tensor:
    """Half the square where |input - target| < delta, delta (|input - target| - delta / 2) elsewhere; `weight` multiplies."""

def instance_norm(input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: _bool = True, momentum: _float = 0.1, eps: _float = 1e-05) -> Tensor:
    """Normalise every channel of every sample over its spatial dimensions. Source: https://arxiv.org/abs/1607.08022."""

def interpolate(input: Tensor, size: Any = None, scale_factor: Any = None, mode: _str = 'nearest', align_corners: _bool | None = None, recompute_scale_factor: _bool | None = None, antialias: _bool = False) -> Tensor:
    """Resize the spatial dimensions of [N, C, ...] to `size`, or by `scale_factor`.

    `mode`: "nearest", "nearest-exact", "area", "linear" (one spatial dimension), "bilinear", "bicubic" (two), "trilinear"
    (three).
    `align_corners` maps the corner pixels onto each other instead of the edges of the image.
    `antialias` ("bilinear" and "bicubic"): where the image gets smaller, every new pixel is a mean of all that it covers.

    >>> import frazil as fz
    >>> fz.nn.functional.interpolate(fz.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])"""

def kl_div(input: Tensor, target: Tensor, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean', log_target: _bool = False) -> Tensor:
    """target (log(target) - input), for log-probabilities `input` and probabilities `target` (or their logarithms, with
    `log_target`).

    The divergence itself is `reduction="batchmean"`: the sum divided by the size of the batch."""

def l1_loss(input: Tensor, target: Tensor, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean', weight: Tensor | None = None) -> Tensor:
    """|input - target|."""

def layer_norm(input: Tensor, normalized_shape: Sequence[_int], weight: Tensor | None = None, bias: Tensor | None = None, eps: _float = 1e-05) -> Tensor:
    """Normalise over the last dimensions, whose sizes are `normalized_shape`. Source: https://arxiv.org/abs/1607.06450.

    >>> import frazil as fz
    >>> fz.nn.functional.layer_norm(fz.tensor([1.0, 3.0]), (2,), eps=0.0)
    tensor([-1.,  1.])"""

def leaky_relu(input: Tensor, negative_slope: _float = 0.01, inplace: _bool = False) -> Tensor:
    """`input` where positive, else input * negative_slope."""

def leaky_relu_(input: Tensor, negative_slope: _float = 0.01) -> Tensor:
    """`leaky_relu`, in place."""

def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input @ weight.T + bias`, with weight [out, in]; a weight [in] gives one number per row.

    >>> import frazil as fz
    >>> fz.nn.functional.linear(fz.ones(2, 3), fz.ones(3)), fz.nn.functional.linear(fz.ones(2, 3), fz.ones(1, 3)).shape
    (tensor([3., 3.]), frazil.Size([2, 1]))"""

def linear_cross_entropy(input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None, weight: Tensor | None = None, reduction: _str = 'mean', ignore_index: _int | None = None, label_smoothing: _float = 0.0, options: Any = None) -> Tensor:
    """`cross_entropy` of a linear layer: scores of `input` [N, features] by `linear_weight` [C, ..., features].

    `options`, about the chunks in which PyTorch computes, are accepted for its sake.

    >>> import frazil as fz
    >>> fz.nn.functional.linear_cross_entropy(fz.zeros(2, 3), fz.ones(4, 3), fz.tensor([0, 3]))
    tensor(1.3863)"""

def local_response_norm(input: Tensor, size: _int, alpha: _float = 0.0001, beta: _float = 0.75, k: _float = 1.0) -> Tensor:
    """Divide by the power `beta` of k + alpha * the mean square over `size` neighbouring channels."""

def log_softmax(input: Tensor, dim: _int | None = None, _stacklevel: _int = 3, dtype: DType | None = None) -> Tensor:
    """log(softmax(input)) along `dim`."""

def logsigmoid(input: _Operand, *, out: Any = None) -> Tensor:
    """log(sigmoid(x)), without overflow."""

def lp_pool1d(input: Tensor, norm_type: _float, kernel_size: Any, stride: Any = None, ceil_mode: _bool = False) -> Tensor:
    """The p-norm (p = `norm_type`) of every window of [N, C, L].

    >>> import frazil as fz
    >>> fz.nn.functional.lp_pool1d(fz.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])"""

def lp_pool2d(input: Tensor, norm_type: _float, kernel_size: Any, stride: Any = None, ceil_mode: _bool = False) -> Tensor:
    """The p-norm (p = `norm_type`) of every window of [N, C, H, W]."""

def lp_pool3d(input: Tensor, norm_type: _float, kernel_size: Any, stride: Any = None, ceil_mode: _bool = False) -> Tensor:
    """The p-norm (p = `norm_type`) of every window of [N, C, D, H, W]."""

def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: _float = 0, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """max(0, -target (input1 - input2) + margin): the first should be larger where the target is 1, the second where it is -1."""

def max_pool1d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> Any:
    """The largest value of every window of `input` [N, C, L] or [C, L]; `stride` is `kernel_size` by default.

    `ceil_mode` also takes the window that reaches over the end. With `return_indices`, a pair (values, int64 positions).

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool1d(fz.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])"""

def max_pool1d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> tuple[Tensor, Tensor]:
    """As `max_pool1d` with `return_indices`, whatever is asked for."""

def max_pool2d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> Any:
    """The largest value of every window of `input` [N, C, H, W] or [C, H, W]. See `max_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool2d(fz.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])"""

def max_pool2d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> tuple[Tensor, Tensor]:
    """As `max_pool2d` with `return_indices`, whatever is asked for."""

def max_pool3d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> Any:
    """The largest value of every window of `input` [N, C, D, H, W] or [C, D, H, W]. See `max_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])"""

def max_pool3d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> tuple[Tensor, Tensor]:
    """As `max_pool3d` with `return_indices`, whatever is asked for."""

def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Tensor:
    """The inverse of `max_pool1d(..., return_indices=True)`: maxima at their places, zeros elsewhere.

    >>> import frazil as fz
    >>> y, places = fz.nn.functional.max_pool1d(fz.tensor([[1.0, 3.0, 2.0, 0.0]]), 2, return_indices=True)
    >>> fz.nn.functional.max_unpool1d(y, places, 2)
    tensor([[0., 3., 2., 0.]])"""

def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Tensor:
    """The inverse of `max_pool2d(..., return_indices=True)`; see `max_unpool1d`."""

def max_unpool3d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Tensor:
    """The inverse of `max_pool3d(..., return_indices=True)`; see `max_unpool1d`."""

def mish(input: Tensor, inplace: _bool = False) -> Tensor:
    """input * tanh(softplus(input))."""

def mse_loss(input: Tensor, target: Tensor, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean', weight: Tensor | None = None) -> Tensor:
    """(input - target) squared.

    >>> import frazil as fz
    >>> fz.nn.functional.mse_loss(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 4.0]))
    tensor(2.)"""

def multi_head_attention_forward(query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: _int, num_heads: _int, in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: _bool, dropout_p: _float, out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: _bool = True, key_padding_mask: Tensor | None = None, need_weights: _bool = True, attn_mask: Tensor | None = None, use_separate_proj_weight: _bool = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None, static_k: Tensor | None = None, static_v: Tensor | None = None, average_attn_weights: _bool = True, is_causal: _bool = False) -> tuple[Tensor, Tensor | None]:
    """Return what `nn.MultiheadAttention` computes, for query [L, N, E], key and value [S, N, E]: (result, weights or None)."""

def multi_margin_loss(input: Tensor, target: Tensor, p: _int = 1, margin: _float = 1.0, weight: Tensor | None = None, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """The mean over the other classes of max(0, margin - input[target] + input[other]) ** p."""

def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """The hinge between every target class and every other, of [N, C] or [C]; a row of `target` lists classes up to the first -1.

    >>> import frazil as fz
    >>> fz.nn.functional.multilabel_margin_loss(fz.tensor([0.1, 0.2, 0.4, 0.8]), fz.tensor([3, 0, -1, 1]))
    tensor(0.8500)"""

def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """The mean over classes of the binary cross entropy of sigmoid(input), per sample."""

def native_channel_shuffle(input: Tensor, groups: _int) -> Tensor:
    """Interleave the channels of `groups` groups of [N, C, ...] (https://arxiv.org/abs/1707.01083)."""

def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: _bool | None = None, ignore_index: _int = -100, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """Negative log-likelihood: -input at the target class, `input` [N, C, ...] being log-probabilities."""

def normalize(input: Tensor, p: _float = 2.0, dim: Any = 1, eps: _float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Divide by the p-norm along `dim` (at least `eps`).

    >>> import frazil as fz
    >>> fz.nn.functional.normalize(fz.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])"""

def one_hot(input: _Operand, num_classes: _int = -1, *, out: Any = None) -> Tensor:
    """int64: 1 at the class of every element, along a new last dimension. -1: as many classes as the largest element needs.

    >>> import frazil as fz
    >>> fz.nn.functional.one_hot(fz.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])"""

def pad(input: Tensor, pad: Sequence[Any], mode: _str = 'constant', value: Any = None) -> Tensor:
    """`input` surrounded: `pad` gives (before, after) from the last dimension backwards; negative numbers cut off.

    Modes: "constant" (with `value`, default 0), "reflect" (without repeating the edge), "replicate", "circular".

    >>> import frazil as fz
    >>> fz.nn.functional.pad(fz.tensor([1, 2, 3]), (1, 1))
    tensor([0, 1, 2, 3, 0])"""

def pairwise_distance(x1: Tensor, x2: Tensor, p: _float = 2.0, eps: _float = 1e-06, keepdim: _bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension.

    >>> import frazil as fz
    >>> fz.nn.functional.pairwise_distance(fz.tensor([[3.0, 4.0]]), fz.zeros(1, 2), eps=0.0)
    tensor([5.])"""

def pdist(input: Tensor, p: _float = 2.0) -> Tensor:
    """The p-norms of the differences of every two rows of `input` [n, m]: [n (n - 1) / 2].

    >>> import frazil as fz
    >>> fz.nn.functional.pdist(fz.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])"""

def pixel_shuffle(input: Tensor, upscale_factor: _int) -> Tensor:
    """[..., C r r, H, W] -> [..., C, H r, W r]: every group of r r channels becomes a square of pixels (https://arxiv.org/abs/1609.05158).

    >>> import frazil as fz
    >>> fz.nn.functional.pixel_shuffle(fz.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])"""

def pixel_unshuffle(input: Tensor, downscale_factor: _int) -> Tensor:
    """[..., C, H r, W r] -> [..., C r r, H, W]: the inverse of `pixel_shuffle`."""

def poisson_nll_loss(input: Tensor, target: Tensor, log_input: _bool = True, full: _bool = False, size_average: _bool | None = None, eps: _float = 1e-08, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """Negative log-likelihood of counts `target` under Poisson rates `input` (or their logarithms); `full` adds Stirling's
    term."""

def prelu(input: _Operand, weight: _Operand, *, out: Any = None) -> Tensor:
    """x where positive, else x * weight, with one weight or one per channel (dimension 1).

    >>> import frazil as fz
    >>> fz.prelu(fz.tensor([-2.0, 3.0]), fz.tensor([0.5]))
    tensor([-1.,  3.])"""

def relu(input: Tensor, inplace: _bool = False) -> Tensor:
    """max(input, 0).

    >>> import frazil as fz
    >>> fz.nn.functional.relu(fz.tensor([-1.0, 2.0]))
    tensor([0., 2.])"""

def relu6(input: Tensor, inplace: _bool = False) -> Tensor:
    """`input` limited to [0, 6]."""

def relu_(input: Tensor) -> Tensor:
    """`relu`, in place."""

def rms_norm(input: Tensor, normalized_shape: Sequence[_int], weight: Tensor | None = None, eps: _float | None = None) -> Tensor:
    """Divide by the root mean square over the last dimensions. Source: https://arxiv.org/abs/1910.07467."""

def rotary_embedding(input: Tensor, cos: Tensor, sin: Tensor, *, interleaved: _bool = False) -> Tensor:
    """Pairs of features of input [..., length, width] turned by angles, so that dot products depend on distances only.

    `cos` and `sin` broadcast to [..., length, width / 2]. A pair are the features i and i + width / 2, or, if `interleaved`, 2i
    and 2i + 1. Named after ONNX's operator. Source: https://arxiv.org/abs/2104.09864.

    >>> import frazil as fz
    >>> x = fz.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> fz.nn.functional.rotary_embedding(x, *fz.nn.functional.rotary_positions(2, 2))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])"""

def rotary_positions(length: Any, width: _int, *, base: _float = 10000.0, offset: Any = 0, dtype: DType | None = None, device: Any = None) -> tuple[Tensor, Tensor]:
    """(cos, sin), both [length, width / 2], for `rotary_embedding` at positions offset, offset + 1, ...

    >>> import frazil as fz
    >>> [t.shape for t in fz.nn.functional.rotary_positions(5, 8)]
    [frazil.Size([5, 4]), frazil.Size([5, 4])]"""

def rrelu(input: Tensor, lower: _float = 0.125, upper: _float = 0.3333333333333333, training: _bool = False, inplace: _bool = False) -> Tensor:
    """`leaky_relu` with slopes drawn from [lower, upper] in training, with their mean otherwise."""

def rrelu_(input: Tensor, lower: _float = 0.125, upper: _float = 0.3333333333333333, training: _bool = False) -> Tensor:
    """`rrelu`, in place."""

def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: _float = 0.0, is_causal: _bool = False, scale: _float | None = None, enable_gqa: _bool = False) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value, for query [..., L, E], key [..., S, E], value [..., S, D]: [..., L, D].

    Args:
        attn_mask: broadcasts to [..., L, S]; a bool one says which keys take part, a floating one is added to the scores. A row
            that sees no key is zero.
        dropout_p: probability with which a weight is dropped, whatever the mode of any module.
        is_causal: row i sees keys 0 to i only; not together with `attn_mask`.
        scale: 1 / sqrt(E) if not given.
        enable_gqa: query may have a multiple of the heads (dimension -3) of key and value.

    Source: https://arxiv.org/abs/1706.03762.

    >>> import frazil as fz
    >>> x = fz.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> fz.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[[1.0000, 0.0000],
             [0.3302, 0.6698]]])"""

def selu(input: Tensor, inplace: _bool = False) -> Tensor:
    """The self-normalising `elu` (https://arxiv.org/abs/1706.02515)."""

def selu_(input: Tensor) -> Tensor:
    """`selu`, in place."""

def sigmoid(input: _Operand, *, out: Any = None) -> Tensor:
    """1 / (1 + exp(-x)), without overflow.

    >>> import frazil as fz
    >>> fz.sigmoid(fz.tensor([0.0]))
    tensor([0.5000])"""

def silu(input: Tensor, inplace: _bool = False) -> Tensor:
    """input * sigmoid(input), also called swish."""

def sinusoidal_positions(length: Any, width: _int, *, base: _float = 10000.0, offset: Any = 0, dtype: DType | None = None, device: Any = None) -> Tensor:
    """[length, width]: sines (even columns) and cosines (odd columns) of positions offset, offset + 1, ... at falling speeds.

    Source: https://arxiv.org/abs/1706.03762, section 3.5.

    >>> import frazil as fz
    >>> fz.nn.functional.sinusoidal_positions(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])"""

def smooth_l1_loss(input: Tensor, target: Tensor, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean', beta: _float = 1.0) -> Tensor:
    """The square, divided by 2 `beta`, where |input - target| < beta; |input - target| - beta / 2 elsewhere."""

def soft_margin_loss(input: Tensor, target: Tensor, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """log(1 + exp(-target input)), for targets 1 and -1."""

def softmax(input: Tensor, dim: _int | None = None, _stacklevel: _int = 3, dtype: DType | None = None) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`; `dtype` converts the input first.

    >>> import frazil as fz
    >>> fz.nn.functional.softmax(fz.zeros(2), dim=0)
    tensor([0.5000, 0.5000])"""

def softmin(input: Tensor, dim: _int | None = None, _stacklevel: _int = 3, dtype: DType | None = None) -> Tensor:
    """softmax(-input) along `dim`."""

def softplus(input: _Operand, beta: _float = 1.0, threshold: _float = 20.0, *, out: Any = None) -> Tensor:
    """A smooth ramp, log(1 + exp(beta x)) / beta; the identity where beta x > threshold.

    >>> import frazil as fz
    >>> fz.softplus(fz.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])"""

def softshrink(input: _Operand, lambd: _float = 0.5, *, out: Any = None) -> Tensor:
    """x moved by lambd towards 0, stopping there."""

def softsign(input: _Operand, *, out: Any = None) -> Tensor:
    """x / (1 + |x|)."""

def tanh(input: _Operand, *, out: Any = None) -> Tensor:
    """Hyperbolic tangent.

    >>> import frazil as fz
    >>> fz.tanh(fz.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])"""

def tanhshrink(input: _Operand, *, out: Any = None) -> Tensor:
    """x - tanh(x); near 0, where that cancels, by a fraction of polynomials without differences.

    The fraction is tanh's continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))) (Lambert, 1761), up to 17."""

def threshold(input: Tensor, threshold: _float, value: _float, inplace: _bool = False) -> Tensor:
    """`input` where above `threshold`, else `value`."""

def threshold_(input: Tensor, threshold: _float, value: _float) -> Tensor:
    """`threshold`, in place."""

def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: _float = 1.0, p: _float = 2, eps: _float = 1e-06, swap: _bool = False, size_average: _bool | None = None, reduce: _bool | None = None, reduction: _str = 'mean') -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin); `swap` uses the nearer of anchor and positive
    for the second."""

def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: _float = 1.0, swap: _bool = False, reduction: _str = 'mean') -> Tensor:
    """`triplet_margin_loss` with any distance."""

def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """All windows of [N, C, H, W] as columns: [N, C * window, number of windows].

    >>> import frazil as fz
    >>> fz.nn.functional.unfold(fz.arange(6.0).reshape(1, 1, 2, 3), (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])"""

def upsample(input: Tensor, size: Any = None, scale_factor: Any = None, mode: _str = 'nearest', align_corners: _bool | None = None) -> Tensor:
    """`interpolate` under its old name."""

def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate(mode="bilinear", align_corners=True)` by its old name."""

def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` by the nearest element, by its old name."""
