"""Texts, as arrays on the host: what files need to read categories."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import frazil as fz

from .registry import importer

#: Operators that move elements and compute nothing, for which the place of a text in a list does as well.
MOVES_TEXTS = frozenset(
    "Compress Concat Expand Flatten Gather GatherElements GatherND Reshape ReverseSequence ScatterElements ScatterND Slice "
    "Split Squeeze Tile Transpose Unique Unsqueeze Where".split()
)


def decoded(x: np.ndarray) -> np.ndarray:
    """The array with str for its texts."""
    return np.asarray(np.frompyfunc(lambda item: item.decode() if isinstance(item, bytes) else str(item), 1, 1)(x), object)


@importer("StringConcat", raw=True)
def string_concat(node: Any, a: Any, b: Any) -> Any:
    return np.asarray(decoded(a) + decoded(b), object)


@importer("StringSplit", raw=True)
def string_split(node: Any, x: Any) -> Any:
    """The pieces of every text, filled up with empty ones, and how many there are."""
    separator, most = node.get("delimiter") or None, node.get("maxsplit", -1)
    pieces = [text.split(separator, most) for text in decoded(x).reshape(-1)]
    width = max(map(len, pieces), default=0)
    found = np.array([[*row, *[""] * (width - len(row))] for row in pieces], object).reshape(*x.shape, width)
    counts = np.array([len(row) for row in pieces], np.int64).reshape(x.shape)
    return found, node.tensor(counts)


@importer("RegexFullMatch", raw=True)
def regex_full_match(node: Any, x: Any) -> Any:
    pattern = re.compile(node.get("pattern", ""))
    found = [pattern.fullmatch(text) is not None for text in decoded(x).reshape(-1)]
    return fz.tensor(np.array(found, bool).reshape(x.shape), device=node.device)


@importer("StringNormalizer", raw=True)
def string_normalizer(node: Any, x: Any) -> Any:
    """Without stop words, in lower or upper case; at least one empty text is left."""
    how, sensitive = node.get("case_change_action", "NONE"), node.get("is_case_sensitive", 0)
    stop = node.get("stopwords", [])
    stop = {word if sensitive else word.lower() for word in stop}
    rows = []
    for row in decoded(x).reshape(-1, x.shape[-1]):
        kept = [word for word in row if (word if sensitive else word.lower()) not in stop]
        rows.append([word.lower() if how == "LOWER" else word.upper() if how == "UPPER" else word for word in kept])
    width = max(map(len, rows), default=0) or 1
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    return np.array(filled, object).reshape(*x.shape[:-1], width)


@importer("Tokenizer", domain="com.microsoft", raw=True)
def tokenizer(node: Any, x: Any) -> Any:
    """The tokens of every text, filled up: what an expression finds, or what stands between separators, or single characters."""
    least = node.get("mincharnum", 1)
    rows = [[t for t in _tokens(node, text) if len(t) >= least] for text in decoded(x).reshape(-1)]
    if node.get("mark", 0) and any(rows):
        rows = [["\x02", *row, "\x03"] for row in rows]
    width, fill = max(map(len, rows), default=0), node.get("pad_value", "")
    filled = np.array([[*row, *[fill] * (width - len(row))] for row in rows], object)
    return filled.reshape(*x.shape, width)


def _tokens(node: Any, text: str) -> list[str]:
    separators = node.get("separators")
    if separators == [""]:
        return list(text)
    if separators is None:
        return [found.group() for found in re.finditer(node["tokenexp"], text, re.ASCII)]
    parts = [text]
    for separator in separators:
        parts = [piece for part in parts for piece in re.split(f"(?:{separator})", part, flags=re.ASCII)]
    return [part for part in parts if part]


@importer("TfIdfVectorizer", raw=True)
def tf_idf(node: Any, x: Any) -> Any:
    """Return how often every n-gram of the pool occurs, with gaps of up to `max_skip_count`, weighted or as a flag."""
    starts, places = node["ngram_counts"], node["ngram_indexes"]
    pool = node.get("pool_int64s") or node.get("pool_strings")
    weights = node.get("weights")
    shortest, longest, gap = node["min_gram_length"], node["max_gram_length"], node["max_skip_count"]
    grams: dict[Any, int] = {}
    for n, start in enumerate(starts, 1):
        end = starts[n] if n < len(starts) else len(pool)
        for begin in range(start, end, n):
            grams.setdefault((n, *pool[begin : begin + n]), len(grams))
    given = x.detach().cpu().numpy() if hasattr(x, "_dev") else x
    rows = given.reshape(-1, given.shape[-1]) if given.ndim > 1 else given.reshape(1, -1)
    rows = [[item.decode() if isinstance(item, bytes) else item for item in row] for row in rows.tolist()]
    width = max(places, default=-1) + 1
    found = np.zeros((len(rows), width), np.float32)
    for counts, row in zip(found, rows, strict=True):
        for n in range(shortest, longest + 1):
            for step in range(1, gap + 2) if n > 1 else (1,):
                for begin in range(len(row) - (n - 1) * step):
                    place = grams.get((n, *row[begin : begin + n * step : step]))
                    if place is not None:
                        counts[places[place]] += 1
    if node["mode"] in ("IDF", "TFIDF"):
        scale = np.ones(width, np.float32)
        if weights:
            scale[places] = weights
        found = ((found > 0) if node["mode"] == "IDF" else found) * scale
    return fz.tensor(found.astype(np.float32).reshape(*given.shape[:-1], width), device=node.device)
