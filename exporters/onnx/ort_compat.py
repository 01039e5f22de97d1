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

#: (op of frazil, what is among the numbers it is given) -> how the file differs there. Verification notes it and goes no further.
VALUE_GAPS: dict[tuple[str, str], str] = {
    **{
        ("cast", kind): "what becomes of a NaN or of a number beyond the integers in a cast to integers is not defined"
        for kind in ("NaN", "infinity", "beyond the integers")
    },
    ("selu", "tiny"): "onnxruntime's Selu subtracts 1 from an exponential, which leaves tiny numbers few digits",
    ("gelu", "infinity"): "onnxruntime's Gelu multiplies the least infinity by 0, which is NaN",
}

#: Ops of many steps, which the file takes in another order or leaves out (masked positions, zeros between elements), or whose
#: kernels take bounds: compared on numbers like the example's and on ties, not where NaN, infinities, tiny or huge numbers are.
OTHER_STEPS = frozenset(
    "lstm gru rnn lstm_train gru_train rnn_train lstm_train_grad gru_train_grad rnn_train_grad scaled_dot_product_attention "
    "scaled_dot_product_attention_grad conv_input_grad biased_conv_input_grad conv_weight_grad".split()
)
