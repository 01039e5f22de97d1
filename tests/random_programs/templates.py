"""Texts with templates of statements."""

from __future__ import annotations

import re


def templates(text: str) -> tuple[str, ...]:
    """Templates of statements, separated by bars."""
    return tuple(" ".join(part.split()) for part in re.split(r"\s\|\s+", text.strip()))
