"""What PyTorch calls the derivative of an operation: `MulBackward0`. Programs print it, and compare `type(y.grad_fn).__name__`.

The rule is the name of the operation and a number; what PyTorch names otherwise stands here. Functions that PyTorch computes in
one step and frazil in several are called by their last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .tape import Node


def _camel(name: str) -> str:
    return name.title().replace("_", "")


def _rank(edge: Any) -> int | None:
    """How many dimensions an input has, if its gradient is asked for."""
    return None if edge is None else len(edge._a.shape) if hasattr(edge, "_a") else len(edge.shape)


def _number(node: Node, position: int) -> bool:
    """Return whether an operand is a number, or cannot be told from one: it has no gradient, and no dimension that is known."""
    inputs = node.inputs
    saved = inputs[position] if inputs and len(inputs) > position else None
    return node.edges[position] is None and (saved is None or not saved._a.shape)


def _matmul(node: Node) -> str:
    ranks = [_rank(edge) for edge in node.edges]
    return (
        {0: "Dot", 1: "Squeeze" if ranks[0] == 1 else "Mv", 2: "Mm"}.get(len(node.shape), "UnsafeView")
        + "Backward"
        + ("4" if len(node.shape) == 1 and ranks[0] == 1 else "0")
    )


def _linear(node: Node) -> str:
    biased = len(node.edges) > 2 and node.edges[2] is not None
    if len(node.shape) == 2:
        return "AddmmBackward0" if biased else "MmBackward0"
    return "ViewBackward0" if biased else "UnsafeViewBackward0" if len(node.shape) > 2 else "SqueezeBackward4"


def _power(node: Node) -> str:
    if _number(node, 1):
        return "PowBackward0"
    return "PowBackward2" if _number(node, 0) else "PowBackward1"


def _reshape(node: Node) -> str:
    before, after = getattr(node, "shapes", None), tuple(node.shape)
    if before and before[0] is not None:
        given = tuple(before[0])
        if len(after) == len(given) + 1 and any(n == 1 and after[:i] + after[i + 1 :] == given for i, n in enumerate(after)):
            return "UnsqueezeBackward0"
        if len(after) < len(given) and [n for n in given if n != 1] == [n for n in after if n != 1]:
            return "SqueezeBackward1" if len(after) == len(given) - 1 else "SqueezeBackward0"
    return "ViewBackward0"


def _permute(node: Node) -> str:
    moved = [i for i, dim in enumerate(node.attrs["dims"]) if i != dim]
    return "TransposeBackward0" if len(moved) == 2 else "PermuteBackward0"


def _pooled(kind: str, ending: str) -> Any:
    def name(node: Node) -> str:
        size = len(node.attrs["kernel_size"])
        return "SqueezeBackward1" if size == 1 else f"{kind}{size}D{ending}Backward0"

    return name


def _resized(node: Node) -> str:
    size, mode = len(node.attrs["scales"]), node.attrs["mode"]
    kind = {
        "linear": {1: "Linear", 2: "Bilinear", 3: "Trilinear"}.get(size),
        "nearest": "Nearest",
        "nearest-exact": "NearestExact",
    }
    return f"Upsample{kind.get(mode) or mode.title()}{size}DBackward0"


def _of_all(first: str, second: str) -> Any:
    """By whether a reduction is of everything."""
    return lambda node: first if node.attrs["dim"] is None else second


#: Operation -> the name, or a function of the node.
NAMES: dict[str, Any] = {
    "amax": _of_all("MaxBackward1", "AmaxBackward0"),
    "amin": _of_all("MinBackward1", "AminBackward0"),
    "avg_pool": _pooled("AvgPool", ""),
    "cast": "ToCopyBackward0",
    "clamp_numbers": "ClampBackward1",
    "copy": "CloneBackward0",
    "fourier": "FftC2CBackward0",
    "fourier_from_half": "FftC2RBackward0",
    "fourier_half": "FftR2CBackward0",
    "in_rows": "CloneBackward0",
    "lerp": lambda node: f"LerpBackward{0 if _number(node, 2) else 1}",
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _pooled("MaxPool", "WithIndices"),
    "mean": _of_all("MeanBackward0", "MeanBackward1"),
    "permute": _permute,
    "power": _power,
    "prod": _of_all("ProdBackward0", "ProdBackward1"),
    "remainder": lambda node: f"RemainderBackward{0 if _number(node, 1) else 1}",
    "fmod": lambda node: f"FmodBackward{0 if _number(node, 1) else 1}",
    "reshape": _reshape,
    "resize": _resized,
    "scatter_max_values": "ScatterReduceBackward0",
    "softsign": "DivBackward0",
    "sum": _of_all("SumBackward0", "SumBackward1"),
    "tanhshrink": "SubBackward0",
    "transfer": "ToCopyBackward0",
    "view_write": "torch::autograd::CopySlices",
} | {
    name: f"{theirs}Backward0"
    for theirs, names in {
        "BinaryCrossEntropy": "probability_loss",
        "ConstantPadNd": "pad_constant",
        "Convolution": "conv conv_input_grad",
        "ConvolutionBackward": "conv_weight_grad",
        "Elu": "selu",
        "LinalgVectorNorm": "vector_norm",
        "Logit": "log_odds",
        "NativeBatchNorm": "batch_norm batch_norm_train",
        "NativeGroupNorm": "group_norm",
        "NativeLayerNorm": "layer_norm",
        "NllLoss": "cross_entropy",
        "PixelShuffle": "depth_to_space",
        "Pow": "square",
        "PreluKernel": "prelu",
        "Round": "round_half_even",
        "SpecialErfcx": "erfcx",
        "SpecialI0E": "i0e",
        "SpecialI1": "i1",
        "SpecialI1E": "i1e",
        "SpecialLogNdtr": "log_ndtr",
        "SpecialNdtri": "ndtri",
        "SpecialZeta": "zeta",
        "Split": "pieces",
        "Std": "spread_root",
        "ThresholdBackward": "relu_grad",
        "Var": "variance",
        "Gather": "gather_values",
        "IndexPut": "index_put_values",
        "Scatter": "scatter_values",
        "ScatterAdd": "scatter_add_values",
        "Sort": "sort_values",
        "Topk": "topk_values",
        "LinalgCholeskyEx": "_Cholesky",
        "LinalgDet": "_Det",
        "LinalgEigh": "_Eigh",
        "LinalgInvEx": "Inverse",
        "LinalgQr": "_QR",
        "LinalgSlogdet": "_SLogDet",
        "LinalgSolveEx": "_Solve",
        "LinalgSvd": "_SVD",
    }.items()
    for name in names.split()
}
NAMES["trunc_divide"] = "DivBackward2"


def name_of(node: Node) -> str:
    """Return the name of the derivative of what `node` recorded.

    >>> import frazil as fz
    >>> x = fz.ones(2, 3, requires_grad=True)
    >>> [y.grad_fn.name() for y in (x * 2, x.sum(), x.sum(1), x @ x.mT, x**2, x.reshape(6))]
    ['MulBackward0', 'SumBackward0', 'SumBackward1', 'MmBackward0', 'PowBackward0', 'ViewBackward0']
    """
    caller = getattr(node, "caller", None)
    if caller is not None:  # the operation that was called, of which this is the last step
        op = caller[0]
        found = NAMES.get(op.name)
        return found if isinstance(found, str) else f"{_camel(op.name)}Backward0"
    found = NAMES.get(node.op_name) or f"{_camel(node.op_name)}Backward0"
    return found if isinstance(found, str) else str(found(node))
