"""ai.onnx.ml: linear models, support vectors, trees and what prepares their inputs, as scikit-learn's files have them."""

from __future__ import annotations

from typing import Any

import numpy as np

import frazil as fz
from frazil.errors import ArgumentError, RecordError
from frazil.state import STATE
from frazil.tensor import Tensor

from ..arrays import raw
from .registry import importer
from .text import decoded

F = fz.nn.functional
_DOMAIN = "ai.onnx.ml"


def _constant(x: Any, values: Any, dtype: Any = None) -> Any:
    return fz.tensor(np.asarray(values), dtype=dtype or x.dtype, device=x.device)


def _floats(x: Any) -> Any:
    return x if x.dtype.is_floating_point else x.to(fz.float32)


@importer("Scaler", domain=_DOMAIN)
def scaler(node: Any, x: Any) -> Any:
    x = _floats(x)
    return (x - _constant(x, node.get("offset", [0.0]))) * _constant(x, node.get("scale", [1.0]))


@importer("Normalizer", domain=_DOMAIN)
def normalizer(node: Any, x: Any) -> Any:
    x = _floats(x)
    how = node.get("norm", "MAX")
    length = {
        "MAX": lambda: x.amax(dim=-1, keepdim=True),
        "L1": lambda: fz.abs(x).sum(dim=-1, keepdim=True),
        "L2": lambda: (x * x).sum(dim=-1, keepdim=True).sqrt(),
    }[how]()
    return fz.where(length == 0, x, x / fz.where(length == 0, fz.ones_like(length), length))


@importer("Binarizer", domain=_DOMAIN)
def binarizer(node: Any, x: Any) -> Any:
    return (x > node.get("threshold", 0.0)).to(x.dtype)


@importer("Imputer", domain=_DOMAIN)
def imputer(node: Any, x: Any) -> Any:
    """Fill in what is missing, by its column."""
    whole = "imputed_value_int64s" in node
    values = node["imputed_value_int64s" if whole else "imputed_value_floats"]
    mark = node.get("replaced_value_int64" if whole else "replaced_value_float", 0)
    missing = fz.isnan(x) if not whole and mark != mark else x == mark
    return fz.where(missing, _constant(x, values), x)


@importer("FeatureVectorizer", domain=_DOMAIN)
def feature_vectorizer(node: Any, *parts: Any) -> Any:
    """Rows side by side, every part as wide as the file says: cut, or filled with zeros."""
    rows = [_floats(x).reshape(1, -1) if x.ndim == 1 else _floats(x) for x in parts]
    for i, width in enumerate(node.get("inputdimensions") or []):
        own = rows[i].shape[-1]
        if isinstance(own, int) and own != width:
            rows[i] = F.pad(rows[i], [0, width - own])
    return fz.cat(rows, dim=-1)


@importer("ArrayFeatureExtractor", domain=_DOMAIN, raw=True)
def array_feature_extractor(node: Any, x: Any, places: Any) -> Any:
    """Columns by their places; one row where there is one dimension."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "OUS":
        found = np.take(x, _on_host(node, places).reshape(-1), axis=-1)
    else:
        found = node.tensor(x).index_select(-1, node.tensor(places).reshape(-1))
    return found.reshape(1, -1) if found.ndim == 1 else found


def _on_host(node: Any, x: Any) -> Any:
    """The numbers of x, to find texts for them, or the texts."""
    if isinstance(x, Tensor) and STATE.recorder is not None:
        raise RecordError(
            f"{node.op_type} makes texts of numbers, and a recording has no texts. Make the file from a model whose classes are "
            "numbers, or export what comes before it"
        )
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else raw(x)


@importer("LabelEncoder", domain=_DOMAIN, raw=True)
def label_encoder(node: Any, x: Any) -> Any:
    """Every element by a table. Texts, which no tensor has, are found on the host."""
    if "classes_strings" in node:  # opset 1: the place of a text, or the text at a place
        texts, places = node["classes_strings"], list(range(len(node["classes_strings"])))
        keys, values = (texts, places) if isinstance(x, np.ndarray) and x.dtype.kind in "OUS" else (places, texts)
    else:
        keys, values = _given(node, "keys"), _given(node, "values")
    if keys is None or values is None:
        raise ArgumentError("LabelEncoder: the table is missing")
    default = _default(node, values)
    table: dict[Any, Any] = dict(zip(keys, values, strict=True))
    for_nan = next((value for key, value in table.items() if key != key), default)
    kind = getattr(values, "dtype", None) or type(default)
    dtype = np.dtype({float: np.float32, int: np.int64, str: object}.get(kind, kind))
    if dtype.kind != "O" and not any(isinstance(key, str) for key in table):
        return _looked_up(node.tensor(x), {key: value for key, value in table.items() if key == key}, default, for_nan, dtype)
    array = _on_host(node, x)
    array = decoded(array) if array.dtype.kind in "OUS" else array
    found = [for_nan if item != item else table.get(item, default) for item in array.reshape(-1).tolist()]
    result = np.array(found, dtype).reshape(array.shape)
    return result if dtype.kind == "O" else fz.tensor(result, device=node.device)


def _looked_up(x: Any, table: dict[Any, Any], default: Any, for_nan: Any, dtype: np.dtype) -> Any:
    """Every number of x by a table of numbers, whose keys are searched in order."""
    keys = sorted(table)
    ordered = _constant(x, keys + [0])  # the last one is never equal: it stands for what is above all keys
    values = fz.tensor(np.array([table[key] for key in keys] + [default], dtype), device=x.device)
    place = fz.searchsorted(ordered[: len(keys)], x.contiguous())
    equal = (ordered[place] == x) & (place < len(keys))
    found = fz.where(equal, values[place], values[-1])
    return fz.where(fz.isnan(x), fz.tensor(np.array(for_nan, dtype), device=x.device), found)


def _given(node: Any, prefix: str) -> Any:
    for kind in ("strings", "int64s", "floats"):
        if f"{prefix}_{kind}" in node:
            return node[f"{prefix}_{kind}"]
    if f"{prefix}_tensor" in node:
        table = node[f"{prefix}_tensor"]
        return decoded(table).tolist() if table.dtype.kind in "OUS" else table
    return None


def _default(node: Any, values: Any) -> Any:
    if "default_tensor" in node:
        found = node["default_tensor"].reshape(-1)[0]
        return found.decode() if isinstance(found, bytes) else found
    first = values[0] if len(values) else 0
    if isinstance(first, str):
        return node.get("default_string", "_Unused")
    return node.get("default_int64", -1) if isinstance(first, (int, np.integer)) else node.get("default_float", -0.0)


@importer("OneHotEncoder", domain=_DOMAIN, raw=True)
def one_hot_encoder(node: Any, x: Any) -> Any:
    texts = node.get("cats_strings")
    if texts:
        same = decoded(_on_host(node, x))[..., None] == np.array(texts, object)
        return fz.tensor(same.astype(np.float32), device=node.device)
    x = node.tensor(x)
    return (x.unsqueeze(-1) == fz.tensor(np.array(node["cats_int64s"], np.int64), device=x.device)).to(fz.float32)


@importer("CategoryMapper", domain=_DOMAIN, raw=True)
def category_mapper(node: Any, x: Any) -> Any:
    texts, numbers = node["cats_strings"], node["cats_int64s"]
    if isinstance(x, np.ndarray) and x.dtype.kind in "OUS":
        table = dict(zip(texts, numbers, strict=True))
        found = [table.get(item, node.get("default_int64", -1)) for item in decoded(x).reshape(-1)]
        return fz.tensor(np.array(found, np.int64).reshape(x.shape), device=node.device)
    array = _on_host(node, x)
    back = dict(zip(numbers, texts, strict=True))
    found = [back.get(item, node.get("default_string", "_Unused")) for item in array.reshape(-1).tolist()]
    return np.array(found, object).reshape(array.shape)


@importer("CastMap", "DictVectorizer", domain=_DOMAIN, raw=True)
def of_maps(node: Any, x: Any) -> Any:
    raise ArgumentError(f"{node.op_type}: inputs that are maps are not read; give the model a tensor")


@importer("ZipMap", domain=_DOMAIN, raw=True)
def zip_map(node: Any, x: Any) -> Any:
    """A list with one dict per row: class -> score."""
    if STATE.recorder is not None:
        raise RecordError(
            "ZipMap gives a list of dicts, and a recording's results are tensors. Make the file without it "
            "(skl2onnx: options={'zipmap': False})"
        )
    keys = node.get("classlabels_strings") or node["classlabels_int64s"]
    return [dict(zip(keys, row, strict=True)) for row in node.tensor(x)]


# --- scores ---------------------------------------------------------------------------------------------------------------------


def transformed(scores: Any, how: str) -> Any:
    """Scores after the transformation that the file names."""
    if how == "LOGISTIC":
        return fz.sigmoid(scores)
    if how == "SOFTMAX":
        return F.softmax(scores, dim=-1)
    if how == "SOFTMAX_ZERO":
        # zeros stay, and take no part
        shares = fz.where(fz.abs(scores) <= 1e-7, fz.zeros_like(scores), fz.exp(scores - scores.amax(dim=-1, keepdim=True)))
        return shares / shares.sum(dim=-1, keepdim=True)
    if how == "PROBIT":
        return _probit(scores)
    if how != "NONE":
        raise ArgumentError(f"there is no post_transform {how!r}")
    return scores


def _probit(chances: Any) -> Any:
    """The number below which a normal one lies with this chance, by the approximation that runtimes agree on (Winitzki, 2008)."""
    x = 2 * chances - 1
    a, log = 0.147, fz.log((1 - x) * (1 + x))
    middle = 2 / (np.pi * a) + log / 2
    return np.sqrt(2.0) * fz.sign(x) * fz.sqrt(fz.sqrt(middle * middle - log / a) - middle)


def _labels(node: Any, places: Any, names: Any) -> Any:
    """The classes at these places."""
    if names and isinstance(names[0], str):
        return np.array(names, object)[_on_host(node, places)]
    return fz.tensor(np.asarray(names, np.int64), device=places.device)[places]


def _names(node: Any, *kinds: str) -> Any:
    for kind in kinds:
        if node.get(kind):
            return node[kind]
    return None


@importer("LinearRegressor", domain=_DOMAIN)
def linear_regressor(node: Any, x: Any) -> Any:
    x = _floats(x)
    targets = node.get("targets", 1)
    y = fz.matmul(x, _constant(x, node["coefficients"]).reshape(targets, -1).t())
    y = y + _constant(x, node["intercepts"]) if node.get("intercepts") else y
    return transformed(y, node.get("post_transform", "NONE"))


@importer("LinearClassifier", domain=_DOMAIN)
def linear_classifier(node: Any, x: Any) -> Any:
    x = _floats(x)
    names = _names(node, "classlabels_strings", "classlabels_ints") or [0, 1]
    weights = _constant(x, node["coefficients"]).reshape(-1, x.shape[-1])
    scores = fz.matmul(x, weights.t())
    scores = scores + _constant(x, node["intercepts"]) if node.get("intercepts") else scores
    how = node.get("post_transform", "NONE")
    if weights.shape[0] == 1 and len(names) == 2:
        label = _labels(node, (scores[:, 0] > 0).to(fz.int64), names)
        if how == "LOGISTIC":
            high = fz.sigmoid(scores)
            return label, fz.cat([1 - high, high], dim=1)
        return label, transformed(fz.cat([-scores, scores], dim=1), how)
    return _labels(node, scores.argmax(dim=-1), names), transformed(scores, how)


# --- support vectors ------------------------------------------------------------------------------------------------------------


def _kernel(node: Any, x: Any, vectors: Any) -> Any:
    gamma, offset, degree = node.get("kernel_params") or [0.0, 0.0, 3.0]
    kind = node.get("kernel_type", "LINEAR")
    if kind == "RBF":
        square = (x * x).sum(dim=1, keepdim=True) + (vectors * vectors).sum(dim=1) - 2 * fz.matmul(x, vectors.t())
        return fz.exp(-gamma * square)
    product = fz.matmul(x, vectors.t())
    if kind == "POLY":
        return (product * gamma + offset) ** degree
    return fz.tanh(product * gamma + offset) if kind == "SIGMOID" else product


@importer("SVMRegressor", domain=_DOMAIN)
def svm_regressor(node: Any, x: Any) -> Any:
    x = _floats(x)
    wide = x.to(fz.float64)
    coefficients = _constant(wide, node["coefficients"])
    rho = _constant(wide, node.get("rho") or [0.0])
    count = node.get("n_supports", 0)
    if count:
        vectors = _constant(wide, node["support_vectors"]).reshape(count, -1)
        y = fz.matmul(_kernel(node, wide, vectors), coefficients) + rho
    else:
        y = fz.matmul(wide, coefficients) + rho
    if node.get("one_class", 0):
        y = fz.where(y > 0, fz.ones_like(y), -fz.ones_like(y))
    return transformed(y.to(x.dtype).reshape(-1, 1), node.get("post_transform", "NONE"))


@importer("SVMClassifier", domain=_DOMAIN)
def svm_classifier(node: Any, x: Any) -> Any:
    """Votes between every two classes; with probabilities, these coupled (Wu, Lin, Weng, 2004)."""
    x = _floats(x)
    wide = x.to(fz.float64)
    names = _names(node, "classlabels_strings", "classlabels_ints")
    classes = len(names)
    counts = node.get("vectors_per_class") or []
    how = node.get("post_transform", "NONE")
    rho = node.get("rho") or [0.0]
    if not counts:
        weights = _constant(wide, node["coefficients"]).reshape(classes, -1)
        scores = fz.matmul(_kernel(node, wide, weights), fz.eye(classes, dtype=fz.float64, device=x.device)) + rho[0]
        return _labels(node, scores.argmax(dim=1), names), transformed(scores.to(x.dtype), how)
    vectors = _constant(wide, node["support_vectors"]).reshape(sum(counts), -1)
    coefficients = _constant(wide, node["coefficients"]).reshape(classes - 1, -1)
    kernel = _kernel(node, wide, vectors)
    starts = np.concatenate([[0], np.cumsum(counts)])
    columns, votes = [], [fz.zeros(x.shape[0], dtype=fz.float64, device=x.device) for _ in names]
    pair = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            a, b = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
            value = fz.matmul(kernel[:, a], coefficients[j - 1, a]) + fz.matmul(kernel[:, b], coefficients[i, b]) + rho[pair]
            won = (value > 0).to(fz.float64)
            votes[i], votes[j] = votes[i] + won, votes[j] + 1 - won
            columns.append(value)
            pair += 1
    decisions = fz.stack(columns, dim=1)
    best = _labels(node, fz.stack(votes, dim=1).argmax(dim=1), names)
    if not node.get("prob_a"):
        scores = fz.cat([-decisions, decisions], dim=1) if classes == 2 else decisions
        return best, transformed(scores.to(x.dtype), how)
    a, b = _constant(wide, node["prob_a"]), _constant(wide, node["prob_b"])
    chances = fz.sigmoid(-(a * decisions + b)).clamp(1e-7, 1 - 1e-7)
    return best, transformed(_coupled(chances, classes).to(x.dtype), how)


def _coupled(pairs: Any, classes: int) -> Any:
    """Probabilities of the classes from those of every two, by the iteration of libsvm."""
    n = pairs.shape[0]
    r: list[list[Any]] = [[None] * classes for _ in range(classes)]
    k = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            r[i][j], r[j][i] = pairs[:, k], 1 - pairs[:, k]
            k += 1
    rows = []
    for i in range(classes):
        others = [r[j][i] * r[j][i] for j in range(classes) if j != i]
        diagonal = sum(others[1:], others[0])
        rows.append(fz.stack([diagonal if i == j else -r[j][i] * r[i][j] for j in range(classes)], dim=1))
    q = fz.stack(rows, dim=1)
    return _settled(q, fz.full((n, classes), 1.0 / classes, dtype=pairs.dtype, device=pairs.device))


@fz.jit.script
def _settled(q: Any, p: Any) -> Any:
    """The probabilities p for which q p is the same in every class, row by row."""
    classes = q.shape[1]
    rounds, moves = 0, fz.ones(p.shape[0], dtype=fz.bool, device=p.device)
    while rounds < max(100, classes) and moves.any():
        qp = fz.matmul(q, p.unsqueeze(2)).squeeze(2)
        pqp = (p * qp).sum(dim=1)
        moves = (qp - pqp.unsqueeze(1)).abs().amax(dim=1) >= 0.005 / classes
        before = p
        for t in range(classes):
            change = (-qp[:, t] + pqp) / q[:, t, t]
            one = fz.tensor([float(i == t) for i in range(classes)], dtype=p.dtype, device=p.device)
            p = (p + change.unsqueeze(1) * one) / (1 + change).unsqueeze(1)
            pqp = (pqp + change * (change * q[:, t, t] + 2 * qp[:, t])) / (1 + change) / (1 + change)
            qp = (qp + change.unsqueeze(1) * q[:, t]) / (1 + change).unsqueeze(1)
        p = fz.where(moves.unsqueeze(1), p, before)  # a row that stands still is done
        rounds += 1
    return p


# --- trees ----------------------------------------------------------------------------------------------------------------------

_COMPARE = {
    "BRANCH_LEQ": fz.le,
    "BRANCH_LT": fz.lt,
    "BRANCH_GTE": fz.ge,
    "BRANCH_GT": fz.gt,
    "BRANCH_EQ": fz.eq,
    "BRANCH_NEQ": fz.ne,
}


class _Trees:
    """The nodes of all trees in one array: where each goes on, and which rows of weights a leaf has.

    Args:
        modes: how a node compares, by name; "LEAF" where a tree ends.
        yes, no: where it goes on.
        leaves: (node, target, weight).
        members: of a node that asks for membership, the set.
    """

    def __init__(
        self,
        modes: list[str],
        feature: Any,
        value: np.ndarray,
        missing: Any,
        yes: np.ndarray,
        no: np.ndarray,
        roots: Any,
        leaves: list[tuple[int, int, Any]],
        dtype: Any,
        members: dict[int, np.ndarray] | None = None,
    ) -> None:
        self.modes, self.value, self.leaves, self.dtype, self.members = modes, value, leaves, dtype, members or {}
        self.feature, self.missing = np.array(feature, np.int64), np.array(missing, bool)
        self.yes, self.no, self.roots = yes.astype(np.int64), no.astype(np.int64), np.array(roots, np.int64)
        self.targets = np.array([target for _, target, _ in leaves], np.int64)
        self.depth = self._depth(np.array([mode == "LEAF" for mode in modes]))

    def _depth(self, leaf: np.ndarray) -> int:
        """How many steps the longest way takes; a way without end is an error."""
        here, steps = np.unique(self.roots), 0
        while not leaf[here].all():
            here = np.unique(np.concatenate([self.yes[here], self.no[here]]))
            steps += 1
            if steps > len(leaf):
                raise ArgumentError("the nodes of a tree go round in a circle")
        return steps

    def leaves_of(self, x: Any) -> Any:
        """int64[rows, trees]: where every row ends in every tree."""
        device = x.device
        yes, no, feature, missing = (fz.tensor(a, device=device) for a in (self.yes, self.no, self.feature, self.missing))
        value = fz.tensor(self.value, dtype=x.dtype, device=device)
        kinds = sorted({mode for mode in self.modes if mode != "LEAF"})
        which = {mode: fz.tensor(np.array([m == mode for m in self.modes]), device=device) for mode in kinds}
        place = fz.tensor(self.roots, device=device).unsqueeze(0).expand(x.shape[0], len(self.roots))
        sets = self._sets(x)
        for _ in range(self.depth):
            seen = fz.gather(x, 1, feature[place])
            answer = fz.zeros(seen.shape, dtype=fz.bool, device=device)
            for mode in kinds:
                same = (seen.unsqueeze(2) == sets[place]).any(dim=2) if mode == _MEMBER else _COMPARE[mode](seen, value[place])
                answer = fz.where(which[mode][place], same, answer)
            answer = answer | (fz.isnan(seen) & missing[place])
            place = fz.where(answer, yes[place], no[place])
        return place

    def _sets(self, x: Any) -> Any:
        """[nodes, longest set]: what is a member at every node, filled with NaN, which equals nothing."""
        table = np.full((len(self.modes), max((len(found) for found in self.members.values()), default=0)), np.nan)
        for place, found in self.members.items():
            table[place, : len(found)] = found
        return _constant(x, table)

    def scores(self, x: Any, targets: int, how: str) -> Any:
        """[rows, targets]: the weights of the leaves, summed (or as the file says) over the trees."""
        table = np.zeros((len(self.modes), targets), self.dtype)
        present = np.zeros((len(self.modes), targets), bool)
        for place, target, weight in self.leaves:
            table[place, target] += weight
            present[place, target] = True
        leaves = self.leaves_of(x)
        found = fz.tensor(table, device=x.device)[leaves]
        if how in ("SUM", "AVERAGE"):
            total = found.sum(dim=1)
            return total / len(self.roots) if how == "AVERAGE" else total
        # a tree that says nothing of a target has no part in its extreme
        told = fz.tensor(present, device=x.device)[leaves]
        none = fz.tensor(np.inf if how == "MIN" else -np.inf, dtype=found.dtype, device=x.device)
        found = fz.where(told, found, none)
        return fz.where(told.any(dim=1), found.amin(dim=1) if how == "MIN" else found.amax(dim=1), 0.0)


def _trees(node: Any, kind: str) -> _Trees:
    """The trees of a node, whose attributes begin with `kind` where they are of leaves; made once."""
    if not hasattr(node, "trees"):
        node.trees = _of_ensemble(node) if kind == "leaf" else _of_pairs(node, kind)
    return node.trees


def _of_pairs(node: Any, kind: str) -> _Trees:
    """The older form: every node is named by its tree and its number there."""
    trees, ids, modes = node["nodes_treeids"], node["nodes_nodeids"], node["nodes_modes"]
    place = {pair: i for i, pair in enumerate(zip(trees, ids, strict=True))}
    leaf, own = np.array([mode == "LEAF" for mode in modes]), np.arange(len(ids))
    yes, no = (
        np.where(leaf, own, [place.get((t, i), 0) for t, i in zip(trees, node[f"nodes_{way}nodeids"], strict=True)])
        for way in ("true", "false")
    )
    first: dict[int, int] = {}
    for i, tree in enumerate(trees):
        first.setdefault(tree, i)
    values, given = node.get("nodes_values_as_tensor"), node.get(f"{kind}_weights_as_tensor")
    value = np.asarray(node["nodes_values"] if values is None else values)
    pairs = zip(node[f"{kind}_treeids"], node[f"{kind}_nodeids"], strict=True)
    weights = np.asarray(node[f"{kind}_weights"] if given is None else given)
    leaves = [(place[pair], target, weight) for pair, target, weight in zip(pairs, node[f"{kind}_ids"], weights, strict=True)]
    missing = node.get("nodes_missing_value_tracks_true") or [0] * len(ids)
    dtype = np.float64 if value.dtype == np.float64 and given is not None else np.float32
    return _Trees(modes, node["nodes_featureids"], value, missing, yes, no, list(first.values()), leaves, dtype)


def _of_ensemble(node: Any) -> _Trees:
    """The newer form: inner nodes and leaves in arrays of their own; here the leaves come after the nodes."""
    modes = [_MODES[int(mode)] for mode in node["nodes_modes"].reshape(-1)]
    inner, weights = len(modes), node["leaf_weights"].reshape(-1)
    own = np.arange(inner, inner + len(weights))
    yes, no = (
        np.concatenate(
            [np.where(node[f"nodes_{way}leafs"], inner + np.array(node[f"nodes_{way}nodeids"]), node[f"nodes_{way}nodeids"]), own]
        )
        for way in ("true", "false")
    )
    filled = [0] * len(weights)
    missing = [*(node.get("nodes_missing_value_tracks_true") or [0] * inner), *filled]
    splits = np.concatenate([node["nodes_splits"].reshape(-1), np.zeros_like(weights)])
    leaves = list(zip(own.tolist(), node["leaf_targetids"], weights, strict=True))
    modes_of_all, features = modes + ["LEAF"] * len(weights), [*node["nodes_featureids"], *filled]
    return _Trees(modes_of_all, features, splits, missing, yes, no, node["tree_roots"], leaves, weights.dtype, _members(node))


def _base(node: Any) -> Any:
    given = node.get("base_values_as_tensor")
    return node.get("base_values") if given is None else given


@importer("TreeEnsembleRegressor", domain=_DOMAIN)
def tree_regressor(node: Any, x: Any) -> Any:
    x = _floats(x)
    trees = _trees(node, "target")
    y = trees.scores(x, node.get("n_targets", 1), node.get("aggregate_function", "SUM"))
    base = _base(node)
    y = y if base is None else y + _constant(y, base)
    return transformed(y, node.get("post_transform", "NONE"))


@importer("TreeEnsembleClassifier", domain=_DOMAIN)
def tree_classifier(node: Any, x: Any) -> Any:
    x = _floats(x)
    trees = _trees(node, "class")
    names = _names(node, "classlabels_strings", "classlabels_int64s")
    scores = trees.scores(x, len(names), "SUM")
    base, how = _base(node), node.get("post_transform", "NONE")
    single = len(names) == 2 and len(set(trees.targets.tolist())) == 1
    if base is not None:
        offset = _constant(scores, base)
        if single and len(base) == 1:
            mask = fz.tensor([float(i == int(trees.targets[0])) for i in range(2)], dtype=scores.dtype, device=x.device)
            offset = offset * mask
        scores = scores + offset
    if not single:
        return _labels(node, scores.argmax(dim=1), names), transformed(scores, how)
    one = scores[:, int(trees.targets[0])].unsqueeze(1)
    positive = all(weight >= 0 for _, _, weight in trees.leaves)
    threshold = 0.5 if positive and base is None else 0.0
    label = _labels(node, (one[:, 0] > threshold).to(fz.int64), names)
    if how == "LOGISTIC":
        high = fz.sigmoid(one)
        return label, fz.cat([1 - high, high], dim=1)
    if how == "NONE" and positive and base is None:
        return label, fz.cat([1 - one, one], dim=1)
    return label, transformed(fz.cat([-one, one], dim=1), how)


_MEMBER = "BRANCH_MEMBER"
_MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", _MEMBER]


@importer("TreeEnsemble", domain=_DOMAIN)
def tree_ensemble(node: Any, x: Any) -> Any:
    how = ["AVERAGE", "SUM", "MIN", "MAX"][node.get("aggregate_function", 1)]
    y = _trees(node, "leaf").scores(x, node.get("n_targets", 1), how).to(x.dtype)
    return transformed(y, ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"][node.get("post_transform", 0)])


def _members(node: Any) -> dict[int, np.ndarray]:
    """For every node that asks for membership, the set, which ends at a NaN."""
    found, values = {}, list(node["membership_values"].reshape(-1)) if "membership_values" in node else []
    for place, mode in enumerate(node["nodes_modes"].reshape(-1)):
        if _MODES[int(mode)] == _MEMBER:
            end = next((i for i, value in enumerate(values) if value != value), len(values))
            found[place], values = np.array(values[:end]), values[end + 1 :]
    return found
