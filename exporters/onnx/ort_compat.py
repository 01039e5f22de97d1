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
_INT16 = {_D.INT16: _D.INT32, _D.UINT16: _D.INT32}
_SMALL = {_D.INT8: _D.INT32, _D.UINT8: _D.INT32, **_INT16}
_UINTS = {_D.UINT32: _D.INT64}


def _table(rows: list[tuple[str, dict[ir.DataType, ir.DataType]]]) -> dict[str, dict[ir.DataType, ir.DataType]]:
    table: dict[str, dict[ir.DataType, ir.DataType]] = {}
    for names, detours in rows:
        for name in names.split():
            table.setdefault(name, {}).update(detours)
    return table


#: Operator -> type -> the type to compute in.
DETOURS = _table(
    [
        ("Add Sub Mul Div Pow Neg Abs Exp Log Sqrt Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh", _FLOAT16),
        ("Asinh Acosh Atanh Erf Sigmoid Floor Ceil Equal Less Greater ReduceSum ReduceMean ReduceProd", _FLOAT16),
        ("ReduceMax ReduceMin ArgMax ArgMin CumSum Gemm Pad NonZero TopK BatchNormalization Conv ConvTranspose", _FLOAT16),
        ("MaxPool AveragePool Trilu MatMul", _FLOAT16),
        ("Max Min", {**_INT16, _D.BOOL: _D.INT32}),
        ("ReduceMax ReduceMin", {**_INT16, **_UINTS}),
        ("ArgMax ArgMin", {**_INT16, **_UINTS}),
        ("ReduceSum ReduceProd CumSum", _UINTS),
        ("TopK", {**_UINTS, _D.BOOL: _D.INT32}),
        ("NonZero", {**_INT16, **_UINTS, _D.INT8: _D.INT32}),
        ("Pad", _INT16),
        ("Trilu", {**_SMALL, _D.INT32: _D.INT64, **_UINTS}),
        ("Pow Neg MatMul", {**_SMALL, **_UINTS}),
        ("LessOrEqual GreaterOrEqual", {**_SMALL, **_FLOAT16, **_UINTS}),
        ("Where", {**_INT16, **_FLOAT16, _D.BOOL: _D.UINT8}),
        ("Clip", {**_INT16, **_FLOAT16, _D.UINT32: _D.INT64}),
        ("Gelu Softplus Relu LeakyRelu Elu Selu Softsign Softmax LogSoftmax LayerNormalization HardSwish Shrink", _FLOAT16),
        ("ReduceLogSumExp ReduceL1 ReduceL2 GroupNormalization GlobalAveragePool IsNaN IsInf Round Sign Mod", _FLOAT16),
        ("RMSNormalization", _FLOAT16),
    ]
)

#: Operators without a kernel, which onnxruntime writes out in simpler ones -> the types for which that works.
EXPANDED: dict[str, tuple[ir.DataType, ...]] = {
    "GroupNormalization": (_D.FLOAT, _D.DOUBLE),
    "HardSwish": (_D.FLOAT,),
}
