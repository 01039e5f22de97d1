"""English text that every Python has on disk: the help pages of its own language reference."""

from __future__ import annotations

from pydoc_data.topics import topics

import frazil as fz

#: Ends a page. Texts are bytes in UTF-8, so this is all the vocabulary there is to keep: 256 tokens.
END = 0
VOCABULARY = 256


def encode(text: str) -> fz.Tensor:
    """int64[T]: the bytes of a text."""
    return fz.tensor(list(text.encode()), dtype=fz.int64)


def decode(tokens: fz.Tensor) -> str:
    """The text of tokens [T], without the end."""
    return bytes(token for token in tokens.tolist() if token != END).decode(errors="replace")


def corpus() -> fz.Tensor:
    """int64[T]: all pages, each with END after it."""
    return encode("".join(f"{topics[name].strip()}\0" for name in sorted(topics)))


def batches(text: fz.Tensor, size: int, length: int, steps: int):
    """`steps` pairs of (tokens, the tokens that follow them), both int64[size, length], from random places."""
    for _ in range(steps):
        starts = fz.randint(0, len(text) - length - 1, (size, 1))
        places = starts + fz.arange(length)
        yield text[places], text[places + 1]
