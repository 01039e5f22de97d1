"""Attention and transformers do what PyTorch's do: values, gradients, state dicts, masks of every kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),  # PyTorch's own
    pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning"),
]

L, S, N, E, H = 4, 5, 3, 8, 2


@pytest.fixture(autouse=True)
def no_fast_path() -> Iterator[None]:
    """PyTorch's fast path for evaluation gives other numbers than its training path for rows that see nothing."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(before)


def seen(*shape: int, dead: bool = True) -> np.ndarray:
    """A bool mask, True where a key is seen; with `dead`, one row sees nothing."""
    mask = np.random.default_rng(1).random(shape) < 0.6
    mask[..., 0] = True
    if dead:
        mask[..., 1, :] = False
    return mask


def added(mask: np.ndarray) -> np.ndarray:
    """The same as a mask to be added, with a number for what is seen."""
    return np.where(mask, np.random.default_rng(2).standard_normal(mask.shape), -np.inf).astype(np.float32)


CAUSAL = np.triu(np.full((L, L), -np.inf, np.float32), 1)

# query, key, value shapes; mask; options
ATTENTION: dict[str, tuple[list[tuple[int, ...]], Any, dict[str, Any]]] = {
    "plain": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], None, {}),
    "three dimensions": ([(3, L, E), (3, S, E), (3, S, 6)], None, {}),
    "two dimensions": ([(L, E), (S, E), (S, 6)], None, {}),
    "broadcast batch": ([(2, 1, L, E), (2, 3, S, E), (1, 3, S, 6)], None, {}),
    "scale": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], None, {"scale": 0.7}),
    "causal": ([(2, 3, L, E), (2, 3, L, E), (2, 3, L, E)], None, {"is_causal": True}),
    "causal, fewer rows": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, E)], None, {"is_causal": True}),
    "causal, more rows": ([(2, 3, S, E), (2, 3, L, E), (2, 3, L, E)], None, {"is_causal": True}),
    "bool": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], seen(L, S), {}),
    "bool of every head": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], seen(2, 3, L, S), {}),
    "bool for all rows": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], seen(2, 1, 2, S)[:, :, :1], {}),
    "bool, nobody sees anything": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], np.zeros((L, S), bool), {}),
    "added": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], added(seen(L, S)), {}),
    "added of every head": ([(2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)], added(seen(2, 3, L, S)), {}),
    "grouped heads": ([(2, 6, L, E), (2, 2, S, E), (2, 2, S, 6)], None, {"enable_gqa": True}),
    "grouped heads, bool": ([(2, 6, L, E), (2, 2, S, E), (2, 2, S, 6)], seen(2, 1, L, S), {"enable_gqa": True}),
    "grouped heads, added": ([(2, 6, L, E), (2, 2, S, E), (2, 2, S, 6)], added(seen(6, L, S)), {"enable_gqa": True}),
    "one head for all": ([(2, 6, L, E), (2, 1, L, E), (2, 1, L, 6)], None, {"enable_gqa": True, "is_causal": True}),
    "no keys": ([(2, 3, L, E), (2, 3, 0, E), (2, 3, 0, 6)], None, {}),
    "no rows": ([(2, 3, 0, E), (2, 3, S, E), (2, 3, S, 6)], None, {}),
    "empty batch": ([(0, 3, L, E), (0, 3, S, E), (0, 3, S, 6)], None, {}),
    "many rows": ([(1, 2, 300, 16), (1, 2, 300, 16), (1, 2, 300, 16)], None, {"is_causal": True}),
    "wide": ([(1, 2, 70, 16), (1, 2, 2000, 16), (1, 2, 2000, 16)], seen(70, 2000), {}),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(parity: Any, name: str) -> None:
    shapes, mask, options = ATTENTION[name]
    pairs = [parity.pair(parity.floats(*shape), requires_grad=True) for shape in shapes]
    masks = (None, None) if mask is None else parity.pair(mask)
    y = fz.nn.functional.scaled_dot_product_attention(*(a for a, _ in pairs), masks[0], **options)
    z = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in pairs), masks[1], **options)
    parity.same(y, z)
    assert not np.isnan(y.detach().numpy()).any()
    parity.backward(y, z)
    for part, (a, b) in zip(("query", "key", "value"), pairs, strict=True):
        parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-5, what=f"gradient of {part}")


@pytest.mark.parametrize("options", [{}, {"enable_gqa": True}], ids=str)
@pytest.mark.parametrize("shape", [(L, S), (1, L, S), (2, 6, L, S), (2, 1, 1, S)], ids=str)
def test_a_mask_that_is_learned(parity: Any, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    heads = 2 if options else 6
    arrays = [parity.floats(2, n, m, E) for n, m in ((6, L), (heads, S), (heads, S))]
    (q, tq), (k, tk), (v, tv) = (parity.pair(a) for a in arrays)
    bias, theirs = parity.pair(parity.floats(*shape), requires_grad=True)
    parity.backward(
        fz.nn.functional.scaled_dot_product_attention(q, k, v, bias, **options),
        torch.nn.functional.scaled_dot_product_attention(tq, tk, tv, theirs, **options),
    )
    parity.same(bias.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_attention_keeps_the_dtype(parity: Any, dtype: str) -> None:
    arrays = [parity.floats(2, 3, n, E, dtype=dtype) for n in (L, S, S)]
    pairs = [parity.pair(a) for a in arrays]
    mask = parity.pair(added(seen(L, S)))  # float32 masks go with any dtype
    y = fz.nn.functional.scaled_dot_product_attention(*(a for a, _ in pairs), mask[0])
    z = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in pairs), mask[1].to(pairs[0][1].dtype))
    tolerance = 5e-3 if dtype == "float16" else 1e-6
    parity.same(y, z, rtol=tolerance, atol=tolerance)


MULTIHEAD: list[dict[str, Any]] = [
    {},
    {"batch_first": True},
    {"bias": False},
    {"kdim": 6, "vdim": 7},
    {"kdim": 6, "vdim": 7, "batch_first": True, "bias": False},
    {"add_bias_kv": True},
    {"add_bias_kv": True, "batch_first": True, "add_zero_attn": True},
    {"add_zero_attn": True, "kdim": 6},
]

MASKS: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    "none": dict,
    "padding": lambda: {"key_padding_mask": ~seen(N, S, dead=False)},
    "padding, added": lambda: {"key_padding_mask": added(seen(N, S, dead=False))},
    "mask": lambda: {"attn_mask": ~seen(L, S, dead=False)},
    "mask, added": lambda: {"attn_mask": added(seen(L, S, dead=False))},
    "mask of every head": lambda: {"attn_mask": ~seen(N * H, L, S, dead=False)},
    "both": lambda: {"attn_mask": ~seen(L, S), "key_padding_mask": ~seen(N, S, dead=False)},
    "both, of two kinds": lambda: {"attn_mask": added(seen(L, S)), "key_padding_mask": ~seen(N, S, dead=False)},
}


def _multihead_inputs(parity: Any, options: dict[str, Any], kind: str) -> list[tuple[Any, Any]]:
    """Pairs for query, key and value; the same object where the layer can tell."""
    first = options.get("batch_first", False)

    def of(rows: int, width: int) -> tuple[Any, Any]:
        return parity.pair(parity.floats(*((N, rows) if first else (rows, N)), width), requires_grad=True)

    widths = options.get("kdim", E), options.get("vdim", E)
    if kind == "memory" and widths == (E, E):
        memory = of(S, E)
        return [of(L, E), memory, memory]
    if kind == "self" and widths == (E, E):
        return [of(S, E)] * 3
    return [of(L, E), of(S, widths[0]), of(S, widths[1])]


@pytest.mark.parametrize("need_weights", [True, False], ids=["weights", "no weights"])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("kind", ["self", "memory", "three"])
@pytest.mark.parametrize("options", MULTIHEAD, ids=str)
def test_multihead_attention(parity: Any, options: dict[str, Any], kind: str, masks: str, need_weights: bool) -> None:
    theirs = torch.nn.MultiheadAttention(E, H, **options)
    ours = fz.nn.MultiheadAttention(E, H, **options)
    for parameter in theirs.parameters():  # biases start as zeros
        torch.nn.init.normal_(parameter, std=0.3)
    parity.copy_state(ours, theirs)
    pairs = _multihead_inputs(parity, options, kind)
    given = {name: parity.pair(mask) for name, mask in MASKS[masks]().items()}
    if pairs[0] is pairs[1] and "attn_mask" in given:
        given["attn_mask"] = parity.pair(~seen(S, S, dead=not need_weights))
    results = [
        layer(*(p[side] for p in pairs), need_weights=need_weights, **{name: m[side] for name, m in given.items()})
        for side, layer in enumerate((ours, theirs))
    ]
    parity.same(*results, rtol=1e-4, atol=1e-5)
    if np.isnan(results[1][0].detach().numpy()).any():  # rows without a key, when weights are asked for
        assert need_weights
        return
    parity.backward(results[0][0], results[1][0])
    for a, b in pairs:
        parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-4)
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        parity.same(p.grad, q.grad, rtol=1e-4, atol=1e-4, what=name)


def test_weights_of_every_head(parity: Any) -> None:
    theirs, ours = torch.nn.MultiheadAttention(E, H), fz.nn.MultiheadAttention(E, H)
    parity.copy_state(ours, theirs)
    (q, tq), (k, tk) = parity.pair(parity.floats(L, N, E)), parity.pair(parity.floats(S, N, E))
    parity.same(ours(q, k, k, average_attn_weights=False), theirs(tq, tk, tk, average_attn_weights=False))


@pytest.mark.parametrize("need_weights", [True, False])
def test_without_a_batch(parity: Any, need_weights: bool) -> None:
    theirs, ours = torch.nn.MultiheadAttention(E, H), fz.nn.MultiheadAttention(E, H)
    parity.copy_state(ours, theirs)
    (q, tq), (k, tk) = parity.pair(parity.floats(L, E)), parity.pair(parity.floats(S, E))
    hidden, their_hidden = parity.pair(~seen(S, S, dead=False)[0])
    mask, their_mask = parity.pair(added(seen(H, L, S, dead=False)))
    parity.same(
        ours(q, k, k, hidden, need_weights, mask),
        theirs(tq, tk, tk, their_hidden, need_weights, their_mask),
        rtol=1e-4,
        atol=1e-5,
    )
    parity.same(ours(q, q, q, need_weights=need_weights), theirs(tq, tq, tq, need_weights=need_weights), rtol=1e-4, atol=1e-5)


def test_the_hint_that_a_mask_is_causal(parity: Any) -> None:
    theirs, ours = torch.nn.MultiheadAttention(E, H), fz.nn.MultiheadAttention(E, H)
    parity.copy_state(ours, theirs)
    (x, tx), (mask, their_mask) = parity.pair(parity.floats(L, N, E)), parity.pair(CAUSAL)
    (hidden, their_hidden) = parity.pair(~seen(N, L, dead=False))
    for options in ({}, {"need_weights": False}):
        parity.same(
            ours(x, x, x, attn_mask=mask, is_causal=True, **options),
            theirs(tx, tx, tx, attn_mask=their_mask, is_causal=True, **options),
            rtol=1e-4,
            atol=1e-5,
        )
    parity.same(
        ours(x, x, x, hidden, False, mask, is_causal=True)[0],
        theirs(tx, tx, tx, their_hidden.float().masked_fill(their_hidden, -np.inf), False, their_mask, is_causal=True)[0],
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_function_of_many_arguments(parity: Any) -> None:
    F, G = fz.nn.functional, torch.nn.functional
    arrays = {
        "query": (L, N, E), "key": (S, N, E), "value": (S, N, E), "in_proj_weight": (3 * E, E), "in_proj_bias": (3 * E,),
        "bias_k": (1, 1, E), "bias_v": (1, 1, E), "out_proj_weight": (E, E), "out_proj_bias": (E,),
    }  # fmt: skip
    pairs = {name: parity.pair(parity.floats(*shape)) for name, shape in arrays.items()}

    def call(side: int, function: Any, **options: Any) -> Any:
        given = {name: pair[side] for name, pair in pairs.items()}
        weights = {name: p[side] for name, p in options.items() if isinstance(p, tuple)}
        rest = {name: p for name, p in options.items() if not isinstance(p, tuple)}
        return function(
            **given | weights | rest, embed_dim_to_check=E, num_heads=H, add_zero_attn=False, dropout_p=0.0, training=False
        )

    parity.same(*(call(i, f.multi_head_attention_forward) for i, f in enumerate((F, G))), rtol=1e-4, atol=1e-5)
    separate = {f"{n}_proj_weight": parity.pair(parity.floats(E, E)) for n in "qkv"}
    options = {**separate, "use_separate_proj_weight": True, "need_weights": False}
    parity.same(*(call(i, f.multi_head_attention_forward, **options) for i, f in enumerate((F, G))), rtol=1e-4, atol=1e-5)
    static = {f"static_{n}": parity.pair(parity.floats(N * H, S, E // H)) for n in "kv"}
    options = {**static, "bias_k": None, "bias_v": None}
    parity.same(*(call(i, f.multi_head_attention_forward, **options) for i, f in enumerate((F, G))), rtol=1e-4, atol=1e-5)


LAYERS = [
    {"batch_first": first, "norm_first": before, "activation": activation}
    for first, before, activation in [
        (False, False, "relu"),
        (True, False, "gelu"),
        (True, True, "relu"),
        (False, True, "tanh"),
    ]
]


def _layer_options(options: dict[str, Any], lib: Any) -> dict[str, Any]:
    activation = lib.tanh if options["activation"] == "tanh" else options["activation"]
    return {**options, "activation": activation, "dropout": 0.0, "dim_feedforward": 16}


def _same_training(parity: Any, ours: Any, theirs: Any, pairs: list[tuple[Any, Any]], options: dict[str, Any]) -> None:
    """Values, gradients, names and order of the state, in training and in evaluation."""
    parity.copy_state(ours, theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for mode in (True, False):
        ours.train(mode)
        theirs.train(mode)
        for module in (ours, theirs):
            module.zero_grad()
        for a, b in pairs:
            a.grad = b.grad = None
        results = [
            layer(*(p[side] for p in pairs), **{n: v[side] if isinstance(v, tuple) else v for n, v in options.items()})
            for side, layer in enumerate((ours, theirs))
        ]
        parity.same(*results, rtol=1e-4, atol=1e-5)
        parity.backward(*results)
        for a, b in pairs:
            parity.same(a.grad, b.grad, rtol=1e-3, atol=1e-4)
        for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            parity.same(p.grad, q.grad, rtol=1e-3, atol=2e-4, what=name)


def _sequence(parity: Any, rows: int, first: bool) -> tuple[Any, Any]:
    return parity.pair(parity.floats(*((N, rows) if first else (rows, N)), E), requires_grad=True)


@pytest.mark.parametrize("masks", ["none", "causal", "hint", "padding", "both"])
@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_an_encoder(parity: Any, options: dict[str, Any], masks: str) -> None:
    sides = []
    for lib in (fz, torch):
        layer = lib.nn.TransformerEncoderLayer(E, H, **_layer_options(options, lib))
        sides.append(lib.nn.TransformerEncoder(layer, 2, lib.nn.LayerNorm(E)))
    given: dict[str, Any] = {}
    if masks in ("causal", "hint", "both"):
        given["mask"] = parity.pair(CAUSAL)
    if masks == "hint":
        given["is_causal"] = True
    if masks in ("padding", "both"):
        hidden = ~seen(N, L, dead=False)
        hidden[1] = True  # nothing of this one is seen
        given["src_key_padding_mask"] = parity.pair(hidden)
    _same_training(parity, sides[0], sides[1], [_sequence(parity, L, options["batch_first"])], given)


@pytest.mark.parametrize("masks", ["none", "causal", "all"])
@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_a_decoder(parity: Any, options: dict[str, Any], masks: str) -> None:
    sides = []
    for lib in (fz, torch):
        layer = lib.nn.TransformerDecoderLayer(E, H, **_layer_options(options, lib))
        sides.append(lib.nn.TransformerDecoder(layer, 2))
    given: dict[str, Any] = {}
    if masks != "none":
        given |= {"tgt_mask": parity.pair(CAUSAL), "tgt_is_causal": True}
    if masks == "all":
        given["memory_mask"] = parity.pair(~seen(L, S))
        given["tgt_key_padding_mask"] = parity.pair(~seen(N, L, dead=False))
        given["memory_key_padding_mask"] = parity.pair(~seen(N, S, dead=False))
    first = options["batch_first"]
    _same_training(parity, sides[0], sides[1], [_sequence(parity, L, first), _sequence(parity, S, first)], given)


@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_a_whole_transformer(parity: Any, options: dict[str, Any]) -> None:
    ours, theirs = (
        lib.nn.Transformer(E, H, 2, 1, bias=options["norm_first"], **_layer_options(options, lib)) for lib in (fz, torch)
    )
    given = {
        "tgt_mask": (
            fz.nn.Transformer.generate_square_subsequent_mask(L),
            torch.nn.Transformer.generate_square_subsequent_mask(L),
        ),
        "src_key_padding_mask": parity.pair(added(seen(N, S, dead=False))),
        "memory_key_padding_mask": parity.pair(added(seen(N, S, dead=False))),
    }
    parity.same(*given["tgt_mask"])
    first = options["batch_first"]
    _same_training(parity, ours, theirs, [_sequence(parity, S, first), _sequence(parity, L, first)], given)


@pytest.mark.parametrize("first", [False, True], ids=["sequence first", "batch first"])
def test_a_transformer_without_a_batch(parity: Any, first: bool) -> None:
    ours, theirs = (lib.nn.Transformer(E, H, 1, 1, 16, dropout=0.0, batch_first=first) for lib in (fz, torch))
    pairs = [parity.pair(parity.floats(rows, E), requires_grad=True) for rows in (S, L)]
    given = {"tgt_mask": parity.pair(CAUSAL), "src_key_padding_mask": parity.pair(~seen(N, S, dead=False)[0])}
    _same_training(parity, ours, theirs, pairs, given)


DROPOUTS = {
    "TransformerEncoderLayer": ["self_attn", "dropout", "dropout1", "dropout2"],
    "TransformerDecoderLayer": ["self_attn", "multihead_attn", "dropout", "dropout1", "dropout2", "dropout3"],
}


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize(("name", "place"), [(name, place) for name, places in DROPOUTS.items() for place in places])
def test_dropout_stands_where_pytorchs_stands(parity: Any, name: str, place: str, norm_first: bool) -> None:
    """One of them drops everything, in training."""
    layers = []
    for lib in (fz, torch):
        layers.append(getattr(lib.nn, name)(E, H, 16, 0.0, norm_first=norm_first))
        part = layers[-1].get_submodule(place)
        setattr(part, "dropout" if place.endswith("attn") else "p", 1.0)
    theirs = layers[1]
    x, memory = _sequence(parity, L, False), _sequence(parity, S, False)
    inputs = [x, memory] if "Decoder" in name else [x]
    dropped = theirs(*(b for _, b in inputs))
    assert not torch.allclose(dropped, theirs.eval()(*(b for _, b in inputs)))
    _same_training(parity, *layers, inputs, {})


@pytest.mark.parametrize("name", ["MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer"])
def test_weights_start_as_in_pytorch(name: str) -> None:
    """The same names and shapes, and the same distributions: zeros are zeros, and the spread agrees."""
    torch.manual_seed(0)
    fz.manual_seed(0)
    options = {"add_bias_kv": True} if name == "MultiheadAttention" else {}
    ours, theirs = (getattr(lib.nn, name)(64, 4, **options).state_dict() for lib in (fz, torch))
    assert [(n, tuple(p.shape)) for n, p in ours.items()] == [(n, tuple(p.shape)) for n, p in theirs.items()]
    for n, p in theirs.items():
        a, b = ours[n].numpy(), p.numpy()
        assert (a == 0).all() == (b == 0).all() and (a == 1).all() == (b == 1).all(), n
        np.testing.assert_allclose(a.std(), b.std(), rtol=0.6 if b.size < 200 else 0.15, err_msg=n)


def test_dropout_drops_weights(parity: Any) -> None:
    """As many as in PyTorch, scaled as in PyTorch; which ones is each library's own."""
    q, tq = parity.pair(np.zeros((2, 4, 50, 8), np.float32))
    v, tv = parity.pair(np.broadcast_to(np.eye(50, dtype=np.float32), (2, 4, 50, 50)).copy())
    y = fz.nn.functional.scaled_dot_product_attention(q, q, v, dropout_p=0.3).numpy()
    z = torch.nn.functional.scaled_dot_product_attention(tq, tq, tv, dropout_p=0.3).numpy()
    for weights in (y, z):
        np.testing.assert_allclose(np.unique(weights), [0, 1 / 50 / 0.7], rtol=1e-5)
        assert abs((weights == 0).mean() - 0.3) < 0.02


def test_sizes_of_blocks_do_not_matter(parity: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The NumPy kernel on blocks of all sizes, next to PyTorch."""
    from frazil.backends.numpy import attention

    arrays = [parity.floats(2, 3, n, E) for n in (9, 7, 7)]
    for nbytes, rows, is_causal in itertools.product((1, 300, 1 << 20), (2, 4, 64), (True, False)):
        monkeypatch.setattr(attention, "BLOCK_BYTES", nbytes)
        monkeypatch.setattr(attention, "CAUSAL_ROWS", rows)
        pairs = [parity.pair(a, requires_grad=True) for a in arrays]
        y = fz.nn.functional.scaled_dot_product_attention(*(a for a, _ in pairs), is_causal=is_causal)
        z = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in pairs), is_causal=is_causal)
        parity.same(y, z)
        parity.backward(y, z)
        for a, b in pairs:
            parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-5)
