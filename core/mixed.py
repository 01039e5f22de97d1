"""Mixed precision: what `autocast` (`amp.py`) does to a call, by PyTorch's lists of operations.

A call of a listed name casts its floating arguments first: to the fast dtype where that pays ("lower"), to float32 where digits
are lost otherwise ("float32"), to the widest among them ("widest"), to that of the first ("first"), or not at all although it
is made of listed ones ("given"). Names are those of the table's ops, and of functions that PyTorch has as one operation. An op
of the table is always one operation: its body is not cast again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, final

from .dtypes import HALVES, dtype, float32
from .spelling import shown_as
from .state import RECORDINGS, STATE, count
from .table import OPS
from .tensor import Tensor
from .widen import ONE, once

_LOSSES = """binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy ctc_loss hinge_embedding_loss huber_loss kl_div
    l1_loss margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss nll_loss poisson_nll_loss smooth_l1_loss
    soft_margin_loss triplet_margin_loss probability_loss"""
_FFT = "fft ifft rfft irfft hfft ihfft fftn ifftn rfftn irfftn hfftn ihfftn fft2 ifft2 rfft2 irfft2 hfft2 ihfft2 istft"
_PRODUCTS = """matmul linear conv conv_input_grad biased_conv_input_grad conv_transpose1d conv_transpose2d conv_transpose3d mm bmm
    addmm addbmm baddbmm prelu scaled_dot_product_attention vecdot"""


def _policies(**names: str) -> Mapping[str, str]:
    return {name: policy for policy, listed in names.items() for name in listed.split()}


#: On the CPU little is listed, because everything else is computed in float32 there and rounded once.
_ON_CPU = _policies(
    lower=f"{_PRODUCTS} rnn rnn_tanh_cell",
    float32=f"""{_LOSSES} binary_cross_entropy prod cdist trace quantile nanquantile grid_sample polar stft view_as_complex
    avg_pool3d max_pool3d adaptive_avg_pool3d adaptive_max_pool3d max_unpool2d max_unpool3d cholesky cholesky_inverse
    cholesky_solve inverse pinverse qr svd pad_edges inv solve svdvals eigh eigvalsh lstsq matrix_rank cond pinv slogdet
    tensorinv tensorsolve {_FFT}""",
    widest="cat stack index_copy",
    first="lstm gru",
    given="mv dot vdot outer ger addmv addr bilinear kron dist",
)
_ELSEWHERE = _policies(
    lower=f"{_PRODUCTS} addmv addr mv einsum chain_matmul multi_dot lstm_cell gru_cell lstm gru rnn",
    float32=f"""{_LOSSES} acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh square tan power softplus
    layer_norm group_norm rms_norm vector_norm norm cosine_similarity dist cdist pdist renorm logsumexp softmax log_softmax
    prod cumprod cumsum sum resize interpolate""",
    widest="addcdiv addcmul atan2 bilinear cross dot vdot grid_sample index_put tensordot scatter_add cat stack",
    given="embedding_bag instance_norm nansum",
)
#: What any device asks of functions that are no ops.
_NAMES = frozenset(_ON_CPU) | frozenset(_ELSEWHERE)


@final
class Region:
    """A block of `autocast` in which casting is on."""

    def __init__(self, device_type: str, fast: dtype, outer: Region | None, keeps: bool) -> None:
        self.device_type, self.fast, self.keeps = device_type, fast, keeps
        self.policies = _ON_CPU if device_type == "cpu" else _ELSEWHERE
        #: Parameters that were cast: each only once, until the outermost block ends.
        self._cast: dict[Any, tuple[Tensor, Tensor]] = {} if outer is None else outer._cast
        #: What a recorded program depends on.
        self.key = (device_type, fast)

    def forget(self) -> None:
        """Cast parameters again from now on."""
        self._cast.clear()

    def arguments(self, policy: str, args: Any, given: Any) -> tuple[Any, Any]:
        """Arguments of a listed call, cast."""
        if policy == "given" or (policy == "float32" and (given.get("dtype") is not None or given.get("mode") == "circular")):
            return args, given
        target = args[0].dtype if policy == "first" else float32
        if policy == "lower" or (
            policy == "widest" and not _any(lambda t: t.dtype is not self.fast and self._takes(t), (args, given))
        ):
            target = self.fast

        def cast(value: Any) -> Any:
            if isinstance(value, Tensor):
                return self.cast(value, target)
            if type(value) in (tuple, list):
                return type(value)(map(cast, value))
            return value

        return tuple(map(cast, args)), {name: cast(value) for name, value in given.items()}

    def _takes(self, t: Tensor) -> bool:
        return t._dev.type == self.device_type and (t.dtype is float32 or t.dtype in HALVES)

    def cast(self, t: Tensor, target: dtype) -> Tensor:
        """`t` in the dtype of a call."""
        if t.dtype is target or not self._takes(t):
            return t
        if not self.keeps or not t._rg or t._node is not None or STATE.recorder is not None or target is float32:
            return OPS["cast"].call(t, dtype=target)
        key = (id(t), None if t._ver is None else t._ver[0], target, STATE.grad)
        found = self._cast.get(key)
        if found is None:
            found = self._cast[key] = (t, OPS["cast"].call(t, dtype=target))
        return found[1]


def _any(holds: Callable[[Tensor], bool], value: Any) -> bool:
    if isinstance(value, Tensor):
        return holds(value)
    if isinstance(value, dict):
        value = tuple(value.values())
    return isinstance(value, (tuple, list)) and any(_any(holds, v) for v in value)


def called(name: str, fn: Callable[..., Any], args: Any, given: Any) -> Any:
    """`fn(*args, **given)` as the block of `autocast` around it has it."""
    region = STATE.autocast
    policy = region.policies.get(name)
    STATE.autocast = None
    try:
        if policy is not None:
            args, given = region.arguments(policy, args, given)
        return fn(*args, **given)
    finally:
        STATE.autocast = region


def listed(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that PyTorch's lists name, as `autocast` has it; others as they are."""
    if name not in _NAMES:
        return fn

    def call(*args: Any, **given: Any) -> Any:
        region = STATE.autocast
        return fn(*args, **given) if region is None or name not in region.policies else called(name, fn, args, given)

    return shown_as(call, fn)


def enter(region: Region | None) -> Region | None:
    """Make `region` the one of this thread; the one before it."""
    before: Region | None = STATE.autocast
    count(RECORDINGS, (region is not None) - (before is not None))  # while any thread casts, no call takes ways that do not look
    STATE.autocast = region
    return before


def listed_of(module: str) -> None:
    """`listed` for the functions that a module shows, which are rounded `once` too."""
    found = sys.modules[module].__dict__
    for name in (_NAMES | ONE) & found.keys():
        if not hasattr(found[name], "op"):
            found[name] = listed(name, once(name, found[name]))
