"""Writes torch-names.md, which of PyTorch's public names are here: python docs/build_torch_names.py

It asks the installed PyTorch for its names, and `frazil.porting` for what there is to say about each.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from frazil.porting import Use, checked

PAGE = Path(__file__).parent / "torch-names.md"

#: Modules whose names programs use, and classes whose methods they call: what they are called here -> where PyTorch has them.
PLACES = [
    ("torch", "torch"),
    ("Tensor", "torch.Tensor"),
    *((name, name) for name in ("torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.utils", "torch.nn.attention")),
    ("Module", "torch.nn.Module"),
    *((name, name) for name in ("torch.optim", "torch.optim.lr_scheduler", "torch.optim.swa_utils", "torch.autograd")),
    *((name, name) for name in ("torch.autograd.functional", "torch.autograd.graph")),
    *((name, name) for name in ("torch.autograd.forward_ad", "torch.func", "torch.linalg", "torch.fft", "torch.special")),
    *((name, name) for name in ("torch.distributions", "torch.utils.data", "torch.cuda", "torch.jit", "torch.random")),
    ("torch.sparse", "torch.sparse"),
]

HEAD = """# PyTorch's names

Which of the public names of PyTorch {version} are here. `frazil port script.py` tells it of one script, with the lines.
Made by `python docs/build_torch_names.py`.

| module | names | there | with a difference | missing |
|---|---|---|---|---|
"""


def found(where: str) -> Any:
    """The module or class that PyTorch calls so."""
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError:
        before, _, name = where.rpartition(".")
        return getattr(found(before), name)


def names(where: str) -> list[str]:
    """The functions and classes of a module, or the methods of a class, that belong to PyTorch and are not private."""
    thing = found(where)
    listed = getattr(thing, "__all__", None) or dir(thing)
    public = [name for name in listed if not name.startswith("_") and callable(getattr(thing, name, None))]
    if inspect.isclass(thing):
        return sorted(public)
    own = lambda value: str(getattr(value, "__module__", None) or "torch").split(".")[0] in ("torch", "builtins")
    return sorted(name for name in set(public) if own(getattr(thing, name)) and not inspect.ismodule(getattr(thing, name)))


def page() -> str:
    """The page."""
    import torch

    text = HEAD.format(version=torch.__version__.split("+")[0])
    sections = []
    for here, where in PLACES:
        every = [checked(f"{here}.{name}") for name in names(where)]
        count = {status: sum(use.status == status for use in every) for status in ("there", "differs", "missing")}
        text += f"| `{where}` | {len(every)} | {count['there']} | {count['differs']} | {count['missing']} |\n"
        sections.append(section(where, every))
    return text + "".join(sections)


def section(where: str, every: list[Use]) -> str:
    """What is to be said of the names of one module."""
    text = ""
    for status, title in (("differs", "With a difference"), ("missing", "Missing")):
        notes: dict[str, list[str]] = {}
        for use in every:
            if use.status == status:
                notes.setdefault("" if use.note.startswith("did you mean") else use.note, []).append(use.name.rpartition(".")[2])
        if notes:
            text += f"\n{title}:\n\n"
            for note, some in sorted(notes.items()):
                text += f"- {', '.join(f'`{name}`' for name in some)}{': ' + note if note else ''}\n"
    return f"\n## {where}\n{text}" if text else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
