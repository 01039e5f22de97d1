"""What colour an operation has: the kind of work it does."""

from __future__ import annotations

from frazil.table import OPS

#: Kind -> what it is called in the legend, its colour on white, its colour on black.
KINDS: dict[str, tuple[str, str, str]] = {
    "product": ("products", "#2f6fb7", "#6fa8e8"),
    "activation": ("activations", "#2e8b6f", "#5fc4a4"),
    "norm": ("normalisation", "#8058b0", "#b493e0"),
    "reduction": ("reductions, pooling, losses", "#b07a1e", "#dcae57"),
    "arithmetic": ("arithmetic", "#6b7f94", "#9fb3c8"),
    "shape": ("shapes and indexing", "#a8b0b8", "#717b86"),
    "random": ("random numbers", "#b8508a", "#e28bbb"),
    "control": ("control flow", "#c4552d", "#ee8a62"),
    "other": ("other", "#8a8f98", "#8a8f98"),
}

#: File of the op table -> kind.
_SUBJECTS = {
    "linalg": "product",
    "conv": "product",
    "fourier": "product",
    "recurrent": "product",
    "attention": "product",
    "activation": "activation",
    "norm": "norm",
    "statistics": "reduction",
    "reduction": "reduction",
    "pool": "reduction",
    "loss": "reduction",
    "elementwise": "arithmetic",
    "special": "arithmetic",
    **dict.fromkeys(("bessel", "complex_numbers", "error_functions", "gamma", "series"), "arithmetic"),
    "optim": "arithmetic",
    "shape": "shape",
    "arrange": "shape",
    "resize": "shape",
    "transfer": "shape",
    "indexing": "shape",
    "convert": "shape",
    "inplace": "shape",
    "creation": "shape",
    "trace": "shape",
    "random": "random",
}

#: Those that are of another kind than their neighbours in the table.
_OPS = {**dict.fromkeys(("cond", "loop", "scan"), "control"), **dict.fromkeys(("softmax", "log_softmax"), "activation")}

_ONNX = {
    "product": "Gemm MatMul MatMulInteger Conv ConvTranspose ConvInteger Einsum LSTM GRU RNN Attention QLinearConv QLinearMatMul "
    "FusedMatMul FusedConv FusedGemm MultiHeadAttention GroupQueryAttention",
    "activation": "Relu Sigmoid Tanh Gelu Elu Selu Celu LeakyRelu PRelu HardSigmoid HardSwish Softplus Softsign Softmax "
    "LogSoftmax Mish Swish ThresholdedRelu Erf QuickGelu FastGelu BiasGelu",
    "norm": "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization RMSNormalization LpNormalization LRN "
    "MeanVarianceNormalization SkipLayerNormalization SimplifiedLayerNormalization Dropout",
    "reduction": "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool ArgMax ArgMin TopK CumSum SoftmaxCrossEntropyLoss "
    "NegativeLogLikelihoodLoss",
    "shape": "Reshape Transpose Flatten Squeeze Unsqueeze Concat Split Slice Gather GatherND GatherElements Scatter ScatterND "
    "ScatterElements Expand Tile Pad Shape Size Cast CastLike Identity Constant ConstantOfShape Range OneHot DepthToSpace "
    "SpaceToDepth Where NonZero Resize EyeLike Trilu Compress Unique ReverseSequence DequantizeLinear QuantizeLinear "
    "SequenceConstruct SequenceAt SequenceInsert SequenceEmpty ConcatFromSequence SplitToSequence",
    "random": "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial Bernoulli",
    "control": "If Loop Scan SequenceMap",
}
_OF_OPERATOR = {name: kind for kind, names in _ONNX.items() for name in names.split()}


def kind_of_op(name: str) -> str:
    """The kind of one of frazil's ops, by where it is in the op table.

    >>> from frazil.exporters.drawing.kinds import kind_of_op
    >>> kind_of_op("relu"), kind_of_op("cond")
    ('activation', 'control')
    """
    if name in _OPS:
        return _OPS[name]
    subject = OPS[name].fn.__module__.rpartition(".")[2] if name in OPS else ""
    return _SUBJECTS.get(subject, "other")


def kind_of_operator(name: str) -> str:
    """The kind of an ONNX operator, by its name.

    >>> from frazil.exporters.drawing.kinds import kind_of_operator
    >>> kind_of_operator("Gemm"), kind_of_operator("ReduceSum")
    ('product', 'reduction')
    """
    return _OF_OPERATOR.get(name) or ("reduction" if name.startswith("Reduce") else "arithmetic")
