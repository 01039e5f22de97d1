"""Types that onnxruntime's CPU kernels lack although ONNX defines them, and the wider type to compute in instead.

Only detours that give the same bits are listed: small integers in wider ones (results wrap around as the small type would), bools
as small integers, float16 in float32 (rounded once at the end). There is none for float64: an operator without a float64 kernel
is refused.

Operators that it has no kernel for but writes out in simpler ones are named as well, since only trying shows whether those have
kernels.

Last refreshed 2026-11-21 with onnxruntime 1.31.1, opsets 21 to 24. To refresh: `tests/onnx/test_registry.py` fails when an entry
is no longer needed or a listed detour does not help any more.
"""

from __future__ import annotations

import onnx_ir as ir

_D = ir.DataType

_FLOAT16 = {_D.FLOAT16: _D.FLOAT}
_16_BITS = {_D.INT16: _D.INT32, _D.UINT16: _D.INT32}
_8_BITS = {_D.INT8: _D.INT32, _D.UINT8: _D.INT32}
_UINT32 = {_D.UINT32: _D.INT64}


def _table(rows: list[tuple[str, dict[ir.DataType, ir.DataType]]]) -> dict[str, dict[ir.DataType, ir.DataType]]:
    table: dict[str, dict[ir.DataType, ir.DataType]] = {}
    for names, detours in rows:
        for name in names.split():
            table.setdefault(name, {}).update(detours)
    return table


#: Operator -> type -> the type to compute in.
DETOURS = _table(
    [
        (
            "Abs Add Div Mul Sub Neg Pow Exp Log Sqrt Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh",
            _FLOAT16,
        ),
        ("Erf Sigmoid Floor Ceil Equal Less LessOrEqual Greater GreaterOrEqual Where Pad TopK NonZero Trilu CumSum", _FLOAT16),
        ("ReduceSum ReduceMean ReduceProd ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSumExp ArgMax ArgMin", _FLOAT16),
        ("Relu LeakyRelu Elu Selu Gelu Softplus Softmax LogSoftmax BatchNormalization GroupNormalization", _FLOAT16),
        ("Sum Size MatMul Gemm Conv ConvTranspose MaxPool AveragePool GlobalAveragePool LSTM GRU RNN", _FLOAT16),
        ("CumSum Pow ReduceProd ReduceSum ReduceL1 ReduceL2 Trilu MatMul", {**_8_BITS, **_16_BITS}),
        ("CumSum Pow ReduceProd ReduceSum ReduceL1 ReduceL2 Trilu ReduceMax ReduceMin ArgMax ArgMin TopK Neg", _UINT32),
        ("Clip Max Min Pad Where ReduceMax ReduceMin ArgMax ArgMin", _16_BITS),
        ("ArgMax ArgMin TopK", {_D.BOOL: _D.UINT8}),
        ("Neg", {_D.UINT8: _D.INT32, _D.UINT16: _D.INT32}),
        ("TopK", {_D.UINT16: _D.INT32}),
    ]
)

#: Operators without a kernel, which onnxruntime writes out in simpler ones -> the types for which that works.
EXPANDED: dict[str, tuple[ir.DataType, ...]] = {
    "GroupNormalization": (_D.FLOAT, _D.DOUBLE),
    "HardSwish": (_D.FLOAT,),
}

_SLOPES = "the slope of a saturated gate, which is 0, meets what is infinite in one order of the steps only"

#: (op of frazil, what is among the numbers that it is given) -> how the file differs there. Verification says so and goes no
#: further; it does not excuse lowerings that are not frazil's. Tried with onnxruntime 1.32.0, 2026-11-28; a row that is needed no
#: longer fails `tests/onnx/test_registry.py`.
VALUE_GAPS: dict[tuple[str, str], str] = {
    **{
        (op, "NaN"): "edges with a NaN among them are in no order: the program searches, the file counts"
        for op in ("edges_before", "first_above")
    },
    **{
        (op, kind): "hidden positions are multiplied by 0 where the program leaves them out, or the other way round"
        for op in ("scaled_dot_product_attention", "scaled_dot_product_attention_grad")
        for kind in ("NaN", "infinity")
    },
    ("scaled_dot_product_attention", "huge"): "products that are scaled before or after they are added up overflow or not",
    **{
        (op, kind): "the program multiplies the zeros around its images by the weights, ConvTranspose does not"
        for op in ("conv_input_grad", "biased_conv_input_grad")
        for kind in ("NaN", "infinity")
    },
    ("lstm_train_grad", "infinity"): _SLOPES,
    ("lstm_train_grad", "huge"): _SLOPES,
    ("gru_train_grad", "infinity"): _SLOPES,
    **{
        (op, kind): "the gates of its kernels have bounds, which take the place of a NaN"
        for op in ("lstm", "gru")
        for kind in ("NaN", "infinity")
    },
    ("rnn", "tiny"): "the tanh of its kernel has an error that does not shrink with tiny numbers",
    **{(op, "large"): "the gates lose digits in their tails" for op in ("lstm", "lstm_train", "gru")},
}
