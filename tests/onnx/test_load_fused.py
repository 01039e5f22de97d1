"""What onnxruntime's optimiser writes (com.microsoft), against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import frazil as fz
from frazil.exporters.onnx.importers import IMPORTERS

RNG = np.random.default_rng(0)
ONE_THREAD = onnxruntime.SessionOptions()
ONE_THREAD.intra_op_num_threads = 1


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def file_of(op_type: str, inputs: list[np.ndarray | None], outputs: int, **attributes: Any) -> onnx.ModelProto:
    """One operator; inputs that are None are left out."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    all_wanted = op_type in ("MultiHeadAttention", "EmbedLayerNormalization", "GroupQueryAttention")
    results = [f"y{i}" if all_wanted or i in (0, outputs - 1) else "" for i in range(outputs)]
    node = helper.make_node(op_type, names, results, domain="com.microsoft", **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs, strict=True)
        if array is not None
    ]
    bytes_come = op_type.startswith(("QLinear", "QuantizeLinear", "NhwcMaxPool")) or (op_type == "QGemm" and len(inputs) > 7)
    kind = TensorProto.UINT8 if bytes_come else TensorProto.FLOAT
    kinds = [kind, TensorProto.INT32 if op_type.startswith("Embed") else kind, *[kind] * (outputs - 2)]
    ends = [helper.make_tensor_value_info(name, k, None) for name, k in zip(results, kinds, strict=False) if name]
    graph = helper.make_graph([node], "fused", infos, ends)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def bytes_(*shape: int) -> np.ndarray:
    return RNG.integers(0, 127, shape).astype(np.uint8)


def scale(x: float, zero: int) -> list[np.ndarray | None]:
    return [np.array(x, np.float32), np.array(zero, np.uint8)]


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


X, KEEP = floats(2, 3, 8), np.array([[1, 1, 0], [1, 1, 1]], np.int32)
WEIGHTS, BIAS = floats(8, 24) * 0.3, floats(24)
HEADS = [floats(2, 2, 4, 4), floats(2, 2, 4, 4)]
LINES, WORDS = np.array([[4, 5, 6], [0, 1, 2]]), np.array([[3, 1, 4], [1, 5, 2]], np.int32)
TABLES = [floats(7, 8), floats(7, 8), floats(2, 8)]
COLUMNS, SCALES = [np.abs(floats(5)), bytes_(5)], [floats(5, 3)]
#: Queries of 4 heads, keys and values of 2; a cache with room for 12; angles.
GROUPS = {"num_heads": 4, "kv_num_heads": 2}
PROMPT, STEP = ([floats(2, n, 64), floats(2, n, 32), floats(2, n, 32)] for n in (5, 1))
CACHE, ANGLES = [floats(2, 2, 12, 16), floats(2, 2, 12, 16)], [floats(32, 8), floats(32, 8)]
FIVE, SEVEN, NO_CACHE = np.array(5, np.int32), np.array(7, np.int32), [None, None]
TOKENS, ROUTES = floats(2, 3, 16), floats(6, 4)
EXPERTS = [floats(4, 32, 16), floats(4, 32), floats(4, 16, 32), floats(4, 16)]
GATED = [floats(4, 64, 16), floats(4, 64), *EXPERTS[2:]]
SMALL = np.abs(floats(4, 64, 2)) * 0.02
NARROW = [RNG.integers(0, 256, shape).astype(np.uint8) for shape in ((4, 32, 8), (4, 16, 16), (4, 64, 8))]
SIGNED = RNG.integers(-60, 60, (8, 24)).astype(np.int8)
IMAGE = [floats(1, 2, 5, 5), floats(3, 2, 3, 3), floats(3)]
#: Operator, inputs, number of results, attributes.
LSTM = [bytes_(2, 5, 16), bytes_(2, 4, 16), *(np.abs(floats(2)) * np.float32(0.01), bytes_(2)) * 2]

CASES: list[tuple[str, list[np.ndarray | None], int, dict[str, Any]]] = [
    ("FusedMatMul", [floats(2, 4, 3), floats(2, 4, 5)], 1, {"transA": 1, "alpha": 0.5}),
    ("FusedMatMul", [floats(2, 3, 4), floats(2, 5, 4)], 1, {"transB": 1}),
    ("FusedMatMul", [floats(3, 2, 4), floats(2, 4, 5)], 1, {"transBatchA": 1}),
    ("FusedMatMul", [floats(4, 2, 3), floats(2, 4, 5)], 1, {"transBatchA": 1, "transA": 1}),
    ("TransposeMatMul", [floats(4, 3), floats(4, 5)], 1, {"transA": 1}),
    ("Gelu", [X], 1, {}),
    ("BiasGelu", [X, floats(8)], 1, {}),
    ("FastGelu", [X], 1, {}),
    ("FastGelu", [X, floats(8)], 1, {}),
    ("QuickGelu", [X], 1, {"alpha": 1.5}),
    ("SkipLayerNormalization", [X, floats(2, 3, 8), floats(8), floats(8), floats(8)], 4, {"epsilon": 1e-5}),
    ("SkipLayerNormalization", [X, floats(2, 3, 8), floats(8)], 1, {}),
    ("SkipSimplifiedLayerNormalization", [X, floats(2, 3, 8), floats(8), floats(8)], 4, {"epsilon": 1e-5}),
    ("FusedConv", [*IMAGE], 1, {"activation": "Relu"}),
    ("FusedConv", [*IMAGE, floats(1, 3, 3, 3)], 1, {"activation": "LeakyRelu", "activation_params": [0.1]}),
    ("FusedConv", [*IMAGE], 1, {"activation": "Clip", "activation_params": [-0.5, 0.5], "pads": [1, 1, 1, 1]}),
    ("FusedConv", [*IMAGE], 1, {"activation": "HardSigmoid", "activation_params": [0.2, 0.5]}),
    ("FusedGemm", [floats(3, 4), floats(5, 4), floats(5)], 1, {"transB": 1, "alpha": 0.5, "activation": "Tanh"}),
    ("FusedGemm", [floats(3, 4), floats(4, 5)], 1, {"activation": "Sigmoid"}),
    ("MatMulIntegerToFloat", [bytes_(3, 4), bytes_(4, 5), *scale(0.1, 0)[:1], floats(5), *scale(0, 9)[1:]], 1, {}),
    (
        "MatMulIntegerToFloat",
        [bytes_(3, 4), bytes_(4, 5), *scale(0.1, 0)[:1], *scale(0.2, 0)[:1], *scale(0, 9)[1:], *scale(0, 7)[1:], floats(5)],
        1,
        {},
    ),
    ("DynamicQuantizeMatMul", [floats(3, 4), bytes_(4, 5), *scale(0.1, 60), floats(5)], 1, {}),
    ("QLinearAdd", [bytes_(3, 4), *scale(0.1013, 100), bytes_(3, 4), *scale(0.0517, 60), *scale(0.2031, 70)], 1, {}),
    ("QLinearMul", [bytes_(3, 4), *scale(0.1013, 100), bytes_(4), *scale(0.0517, 60), *scale(0.2031, 70)], 1, {}),
    ("QLinearSigmoid", [bytes_(3, 4), *scale(0.1, 60), *scale(1 / 256, 0)], 1, {}),
    ("QLinearLeakyRelu", [bytes_(3, 4), *scale(0.1, 60), *scale(0.07, 40)], 1, {"alpha": 0.2}),
    ("QLinearGlobalAveragePool", [bytes_(2, 3, 4, 5), *scale(0.1, 60), *scale(0.05, 40)], 1, {"channels_last": 0}),
    ("Attention", [X, WEIGHTS, BIAS], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, KEEP], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, None, None, floats(2, 2, 3, 3)], 1, {"num_heads": 2, "scale": 0.5}),
    ("Attention", [X, WEIGHTS, BIAS], 1, {"num_heads": 4, "unidirectional": 1}),
    ("Attention", [X, WEIGHTS, BIAS, ints(3, 2)], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, ints(3, 2, 0, 1)], 1, {"num_heads": 2, "mask_filter_value": -100.0}),
    ("Attention", [X, WEIGHTS, BIAS, None, floats(2, 2, 2, 5, 4)], 2, {"num_heads": 2, "unidirectional": 1}),
    ("MultiHeadAttention", [X, floats(2, 5, 8), floats(2, 5, 6), floats(22)], 1, {"num_heads": 2}),
    ("MultiHeadAttention", [X, *HEADS], 1, {"num_heads": 2, "scale": 0.7}),
    ("MultiHeadAttention", [X, X, X, None, KEEP], 1, {"num_heads": 2, "unidirectional": 1}),
    ("MultiHeadAttention", [X, X, X, None, ints(1, 2)], 1, {"num_heads": 2}),
    ("MultiHeadAttention", [X, X, X, None, None, floats(1, 1, 3, 7), *HEADS[:1], floats(2, 2, 4, 4)], 3, {"num_heads": 2}),
    ("RotaryEmbedding", [floats(2, 3, 8), LINES, floats(9, 2), floats(9, 2)], 1, {}),
    ("RotaryEmbedding", [floats(2, 2, 3, 4), LINES[:1, 0], floats(9, 2), floats(9, 2)], 1, {"interleaved": 1}),
    (
        "RotaryEmbedding",
        [floats(2, 3, 16), LINES, floats(9, 2), floats(9, 2)],
        1,
        {"num_heads": 2, "rotary_embedding_dim": 4},
    ),
    ("EmbedLayerNormalization", [WORDS, WORDS % 2, *TABLES, floats(8), floats(8)], 2, {"epsilon": 1e-5}),
    ("EmbedLayerNormalization", [WORDS, None, *TABLES[:2], None, floats(8), floats(8), KEEP, WORDS[:, ::-1].copy()], 3, {}),
    (
        "QLinearAveragePool",
        [bytes_(1, 2, 6, 5), *scale(0.1013, 60), *scale(0.0517, 40)],
        1,
        {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0]},
    ),
    (
        "QLinearAveragePool",
        [bytes_(1, 6, 5, 2), *scale(0.1013, 60), *scale(0.0517, 40)],
        1,
        {"kernel_shape": [2, 2], "channels_last": 1},
    ),
    ("QLinearSoftmax", [bytes_(2, 3, 6), *scale(0.1013, 60), *scale(1 / 256, 0)], 1, {"axis": -1, "opset": 13}),
    ("QLinearSoftmax", [bytes_(2, 3, 6), *scale(0.0413, 60), *scale(1 / 256, 0)], 1, {"axis": 1, "opset": 11}),
    ("QLinearConcat", [*scale(0.1, 60), bytes_(2, 3), *scale(0.2, 3), bytes_(4, 3), *scale(0.1, 60)], 1, {"axis": 0}),
    ("QLinearWhere", [KEEP > 0, bytes_(2, 3), *scale(0.1, 60), bytes_(3), *scale(0.2, 3), *scale(0.3, 9)], 1, {}),
    ("QGemm", [bytes_(3, 4), *scale(0.1, 60), bytes_(4, 5), *scale(0.2, 7), None, *scale(0.7, 90)], 1, {"alpha": 0.5}),
    ("QGemm", [bytes_(4, 3), *scale(0.1, 60), bytes_(5, 4), *COLUMNS, ints(1, 9, -8, 7, 2)], 1, {"transA": 1, "transB": 1}),
    ("QuantizeLinear", [floats(3, 4), *scale(0.03, 100)], 1, {}),
    ("DequantizeLinear", [bytes_(3, 5), *COLUMNS], 1, {"axis": 1}),
    ("MatMulNBits", [floats(2, 40), bytes_(5, 3, 8), *SCALES], 1, {"K": 40, "N": 5, "block_size": 16, "bits": 4}),
    ("MatMulNBits", [floats(2, 40), bytes_(5, 3, 8), *SCALES, bytes_(5, 2)], 1, {"K": 40, "N": 5, "block_size": 16}),
    (
        "MatMulNBits",
        [floats(2, 3, 40), bytes_(5, 3, 8), *SCALES, floats(5, 3), None, floats(5)],
        1,
        {"K": 40, "N": 5, "block_size": 16, "bits": 4},
    ),
    ("GroupQueryAttention", [*PROMPT, *NO_CACHE, ints(4, 4), FIVE], 3, GROUPS),
    ("GroupQueryAttention", [np.concatenate(PROMPT, 2), *[None] * 4, ints(4, 4), FIVE], 3, {**GROUPS, "softcap": 0.7}),
    ("GroupQueryAttention", [*PROMPT, *NO_CACHE, ints(4, 4), FIVE], 3, {**GROUPS, "local_window_size": 2, "scale": 0.3}),
    ("GroupQueryAttention", [*PROMPT, *NO_CACHE, ints(4, 4), FIVE], 3, {**GROUPS, "smooth_softmax": 1}),
    ("GroupQueryAttention", [*PROMPT, *NO_CACHE, ints(4, 4), FIVE], 3, {**GROUPS, "causal": 0}),
    ("GroupQueryAttention", [*PROMPT, *NO_CACHE, ints(4, 4), FIVE, *[None] * 4, floats(4)], 3, GROUPS),
    (
        "GroupQueryAttention",
        [*PROMPT, *NO_CACHE, ints(4, 4), FIVE, *[None] * 3, floats(2, 1, 5, 5)],
        3,
        {**GROUPS, "softcap": 0.9},
    ),
    (
        "GroupQueryAttention",
        [*PROMPT, *NO_CACHE, ints(4, 4), FIVE, *ANGLES],
        3,
        {**GROUPS, "do_rotary": 1, "rotary_interleaved": 1},
    ),
    (
        "GroupQueryAttention",
        [*PROMPT, *NO_CACHE, ints(4, 4), FIVE, *ANGLES, np.arange(10).reshape(2, 5) + 3],
        3,
        {**GROUPS, "do_rotary": 1},
    ),
    ("GroupQueryAttention", [*STEP, *(x[:, :, :6] for x in CACHE), ints(6, 6), SEVEN, *ANGLES], 3, {**GROUPS, "do_rotary": 1}),
    ("GroupQueryAttention", [*STEP, *CACHE, ints(11, 11), np.array(12, np.int32), *ANGLES], 3, {**GROUPS, "do_rotary": 1}),
    (
        "GroupQueryAttention",
        [*(x[:1, :3] for x in PROMPT), *(x[:1, :, :6] for x in CACHE), ints(8), np.array(9, np.int32), *ANGLES],
        3,
        {**GROUPS, "do_rotary": 1, "local_window_size": 4},
    ),
    ("QAttention", [bytes_(2, 3, 8), SIGNED, BIAS, *scale(0.02, 0)[:1], *scale(0.01, 0)[:1], ints(3, 2)], 1, {"num_heads": 2}),
    (
        "QAttention",
        [
            *(bytes_(2, 3, 8), bytes_(8, 24), BIAS, *scale(0.02, 0)[:1], np.abs(floats(24)) * 0.01, None),
            *(*scale(0, 110)[1:], np.full(24, 60, np.uint8), floats(2, 2, 2, 5, 4)),
        ],
        2,
        {"num_heads": 2, "unidirectional": 1},
    ),
    ("MultiHeadAttention", [X, X, X, None, ints(1, 2, 0, 3, 6, 0, 3, 6)], 1, {"num_heads": 2}),
    ("MultiHeadAttention", [X, X, X, None, np.tril(np.ones((2, 3, 3), np.int32))], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, ints(3, 2, 0, 3, 6, 0, 3, 5)], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS[:, :22], BIAS[:22]], 1, {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 6]}),
    *[("MoE", [TOKENS, ROUTES, *EXPERTS], 1, {"activation_type": a, "k": 2}) for a in ("relu", "gelu", "silu", "identity")],
    ("MoE", [TOKENS[0], ROUTES[:3], EXPERTS[0], None, EXPERTS[2]], 1, {"k": 2, "normalize_routing_weights": 1}),
    (
        "MoE",
        [TOKENS, ROUTES, *GATED],
        1,
        {
            "activation_type": "swiglu",
            "swiglu_fusion": 1,
            "k": 2,
            "swiglu_limit": 0.5,
            "activation_alpha": 1.7,
            "activation_beta": 1.0,
        },
    ),
    (
        "QMoE",
        [TOKENS, ROUTES, NARROW[0], SMALL[:, :32, 0], EXPERTS[1], NARROW[1], SMALL[:, :16, 1], EXPERTS[3]],
        1,
        {"k": 2, "expert_weight_bits": 4},
    ),
    (
        "QMoE",
        [TOKENS, ROUTES, NARROW[2], SMALL[:, :, :1], GATED[1], NARROW[1], SMALL[:, :16], EXPERTS[3]],
        1,
        {"k": 1, "expert_weight_bits": 4, "block_size": 16, "activation_type": "swiglu", "swiglu_fusion": 1},
    ),
    *[
        (
            "GatherBlockQuantized",
            [bytes_(5, 4 * bits), np.array([[0, -2], [7, 1]]), SMALL[0, :5], *zeros],
            1,
            {"bits": bits, "block_size": 16},
        )
        for bits in (2, 4, 8)
        for zeros in ([], [bytes_(5, max(bits // 4, 1))])
    ],
    (
        "DynamicQuantizeLSTM",
        [floats(4, 3, 5), LSTM[0], LSTM[1], floats(2, 32), None, floats(2, 3, 4), floats(2, 3, 4), None, *LSTM[2:]],
        3,
        {"hidden_size": 4, "direction": "bidirectional"},
    ),
    ("Trilu", [floats(3, 4), np.array(1)], 1, {"upper": 0}),
    ("Pad", [floats(3, 4), np.array([1, 0, 0, 2]), np.array(3, np.float32)], 1, {}),
    ("ExpandDims", [floats(3, 4), np.array(-1, np.int32)], 1, {}),
    ("Inverse", [floats(2, 3, 3)], 1, {}),
    ("GatherND", [floats(3, 4, 2), np.array([[0, 1], [2, 3]])], 1, {}),
    ("Range", [*scale(1, 0)[:1], *scale(6, 0)[:1], *scale(2, 0)[:1]], 1, {}),
    ("GridSample", [floats(1, 2, 4, 5), floats(1, 3, 3, 2)], 1, {"mode": "bicubic"}),
    (
        "QLinearConv",
        [bytes_(1, 5, 5, 2), *scale(0.0213, 110), bytes_(3, 2, 3, 3), *scale(0.0171, 60), *scale(0.1, 128)],
        1,
        {"channels_last": 1},
    ),
    ("NhwcMaxPool", [bytes_(1, 6, 5, 2)], 1, {"kernel_shape": [2, 2]}),
    ("MatMulNBits", [floats(2, 32), bytes_(5, 2, 16), floats(5, 2)], 1, {"K": 32, "N": 5, "block_size": 16, "bits": 8}),
]


def test_fused_operators_are_what_onnxruntime_computes() -> None:
    for op_type, inputs, outputs, attributes in CASES:
        model = file_of(op_type, inputs, outputs, **attributes)
        feeds = {f"x{i}": array for i, array in enumerate(inputs) if array is not None}
        # by one thread, for more of them split the rows of which DynamicQuantizeLSTM takes the range
        expected = onnxruntime.InferenceSession(model.SerializeToString(), ONE_THREAD).run(None, feeds)
        found = fz.onnx.load(model)(*map(fz.tensor, feeds.values()))
        for ours, theirs in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=2e-5, err_msg=f"{op_type} {attributes}")


def run(op_type: str, inputs: list[np.ndarray | None], outputs: int = 1, **attributes: Any) -> list[np.ndarray]:
    """What frazil computes."""
    given = [fz.tensor(array) for array in inputs if array is not None]
    found = fz.onnx.load(file_of(op_type, inputs, outputs, **attributes))(*given)
    return [t.numpy() for t in (found if isinstance(found, tuple) else (found,))]


def test_padded_sequences_and_caches_of_uneven_ends_are_what_onnxruntime_computes() -> None:
    """Where there is padding, and behind the end of a sequence in the cache, are some numbers."""
    cases = [
        ([*PROMPT, *NO_CACHE, ints(2, 4), FIVE, *ANGLES], (3, 5), (3, 5)),
        ([*STEP, *CACHE, ints(3, 6), SEVEN, *ANGLES], (1, 1), (4, 7)),
        ([*STEP, *CACHE, ints(3, 6), SEVEN, *ANGLES, np.array([[2], [9]])], (1, 1), (4, 7)),
        ([*PROMPT, *CACHE, ints(5, 6), np.array(12, np.int32), *ANGLES, *[None] * 7, ints(2, 3)], (2, 3), (6, 7)),
    ]
    for inputs, new, ends in cases:
        model = file_of("GroupQueryAttention", inputs, 3, **GROUPS, do_rotary=1)
        feeds = {f"x{i}": array for i, array in enumerate(inputs) if array is not None}
        expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
        for ours, theirs in zip(run("GroupQueryAttention", inputs, 3, **GROUPS, do_rotary=1), expected, strict=True):
            assert ours.shape == theirs.shape
            for b in range(2):
                own = np.s_[b, : new[b]] if ours.ndim == 3 else np.s_[b, :, : ends[b]]
                np.testing.assert_allclose(ours[own], theirs[own], rtol=1e-4, atol=2e-5)


def test_what_onnxruntime_has_for_other_devices_only_is_what_its_parts_compute() -> None:
    rows = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)
    gamma, beta, skip, bias = floats(6), floats(6), floats(2, 6), floats(6)
    first = rows.transpose(0, 3, 1, 2)
    normed = fz.nn.functional.group_norm(fz.tensor(first), 3, fz.tensor(gamma), fz.tensor(beta)).numpy()
    active = normed / (1 + np.exp(-normed))
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    close(run("GroupNorm", [rows, gamma, beta], groups=3, activation=1)[0], active.transpose(0, 2, 3, 1))
    close(run("GroupNorm", [first, gamma, beta], groups=3, activation=0, channels_last=0)[0], normed)
    total = rows + skip[:, None, None] + bias
    y, s = run("SkipGroupNorm", [rows, gamma, beta, skip, bias], 2, groups=3, activation=1)
    close(s, total)
    close(y, run("GroupNorm", [total, gamma, beta], groups=3, activation=1)[0])
    q, k, v = X, floats(2, 3, 8), floats(2, 3, 8)
    apart = run("MultiHeadAttention", [q, k, v], num_heads=2)[0]
    heads = [x.reshape(2, 3, 2, 4) for x in (q, k, v)]
    close(run("MultiHeadAttention", [np.stack(heads, 3)], num_heads=2)[0], apart)
    close(run("MultiHeadAttention", [q, np.stack(heads[1:], 3)], num_heads=2)[0], apart)
    causal = np.tril(np.ones((2, 1, 9, 9), np.int32))
    close(
        run("Attention", [X, WEIGHTS, BIAS, causal], num_heads=2)[0],
        run("Attention", [X, WEIGHTS, BIAS], num_heads=2, unidirectional=1)[0],
    )
    gate, inner = EXPERTS[0], floats(4, 32, 16)
    apart = run("MoE", [TOKENS, ROUTES, gate, None, EXPERTS[2], None, inner], activation_type="swiglu", k=2)[0]
    close(apart, run("MoE", [TOKENS, ROUTES, gate, None, EXPERTS[2], None, inner], activation_type="silu", k=2)[0])
    for fusion, whole in ((1, np.stack([gate, inner], 2).reshape(4, 64, 16)), (2, np.concatenate([gate, inner], 1))):
        close(
            run("MoE", [TOKENS, ROUTES, whole, None, EXPERTS[2]], activation_type="swiglu", k=2, swiglu_fusion=fusion)[0],
            apart,
        )
    weight, eps = floats(16), 1e-6
    norm = lambda x: x.reshape(2, 5, -1, 16) / np.sqrt((x.reshape(2, 5, -1, 16) ** 2).mean(-1, keepdims=True) + eps) * weight
    close(
        run("GroupQueryAttention", [*PROMPT, *NO_CACHE, ints(4, 4), FIVE, *[None] * 7, weight, weight], 3, **GROUPS)[0],
        run(
            "GroupQueryAttention",
            [*(norm(x).reshape(x.shape) for x in PROMPT[:2]), PROMPT[2], *NO_CACHE, ints(4, 4), FIVE],
            3,
            **GROUPS,
        )[0],
    )


def test_every_fused_operator_is_tried() -> None:
    elsewhere = {"GroupNorm", "SkipGroupNorm", "Tokenizer"}  # the last in test_load_texts.py
    assert {op_type for op_type, *_ in CASES} | elsewhere == {name for domain, name in IMPORTERS if domain == "com.microsoft"}


def test_what_is_not_read_is_told() -> None:
    for op_type, inputs, attributes, words in (
        ("Attention", [X, WEIGHTS, BIAS, ints(*range(7))], {}, r"a mask of shape \[7\] is not read"),
        ("Attention", [X, WEIGHTS, BIAS], {"do_rotary": 1}, "without shared buffers and rotary embeddings"),
        ("MultiHeadAttention", [X], {}, "keys and values are missing"),
        (
            "GroupQueryAttention",
            [*PROMPT, *CACHE, ints(4, 4), FIVE],
            {"kv_num_heads": 2, "sliding_window_cache": 1, "local_window_size": 4},
            "without quantised and sliding caches",
        ),
        ("MoE", [TOKENS, ROUTES, *EXPERTS], {"activation_type": "geglu"}, "'geglu' is not read; swiglu, relu"),
        ("MoE", [TOKENS, ROUTES, *EXPERTS], {"activation_type": "swiglu"}, "swiglu needs a third layer"),
    ):
        with pytest.raises(fz.errors.ArgumentError, match=words):
            run(op_type, inputs, **{"num_heads": 2, **attributes} if "MoE" not in op_type else attributes)


def test_weights_of_few_bits_are_state_and_the_layer_before_them_trains() -> None:
    model = file_of("MatMulNBits", [floats(2, 40), bytes_(5, 3, 8), *SCALES], 1, K=40, N=5, block_size=16)
    for array, info in zip((bytes_(5, 3, 8), *SCALES), list(model.graph.input)[1:], strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
        model.graph.input.remove(info)
    loaded = fz.onnx.load(model)
    assert not list(loaded.parameters()) and {name for name, _ in loaded.named_buffers()} == {"x1", "x2"}
    x = fz.ones(2, 40, requires_grad=True)
    loaded(x).sum().backward()
    assert x.grad.shape == (2, 40)
