"""Files with bytes changed, cut off, put in: each is read, or refused by one of frazil's errors; nothing else ever happens."""

from __future__ import annotations

import builtins
import io
import os
import random
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import frazil as fz
from frazil.config import reload
from frazil.errors import ConfigError, FrazilError

from .crafted import HEAD, OLD, process, safetensors_file, tensor, torch_file
from .test_files import TRAPS
from .test_models import DRAWN, REFUSED, doubling

#: Opcodes and operands that pickles of other tests are cut together from.
PIECES = [
    b"N", b"K\x03", b"J\xff\xff\xff\x7f", b"\x8a\x09" + b"\xff" * 9, b"G" + b"\x7f" * 8, b"X\x01\0\0\0a",
    b"X\xff\xff\xff\x7f", b"(", b")", b"]", b"}", b"\x8f", b"t", b"\x85", b"\x86", b"\x87", b"2", b"0", b"1", b"a",
    b"e", b"s", b"u", b"\x90", b"\x91", b"q\0", b"h\0", b"q\x01", b"h\x01", b"r\xff\xff\xff\x7f", b"j\0\0\0\0",
    b"\x94", b"R", b"b", b"Q", b"\x81", b"\x92", b"o", b"i", b"\x82\x01", b"\x93", b"P0\n", b".", b"ctorch\nfloat32\n",
    b"ctorch\nSize\n", b"ctorch\ndevice\n", b"ccollections\nOrderedDict\n", b"ccollections\ndefaultdict\n",
    b"ccollections\nCounter\n", b"c__builtin__\nset\n", b"c__builtin__\ncomplex\n", b"c_codecs\nencode\n",
    b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nFloatStorage\n", b"cos\nsystem\n", b"cbuiltins\neval\n",
    b"X\x07\0\0\0storage", b"\x88", b"\x89", tensor(b"K\x02\x85", b"K\x01\x85"), b"\x8e" + b"\xff" * 8,
]  # fmt: skip


def _seeds() -> dict[str, list[bytes]]:
    checkpoint = {"w": fz.arange(12.0).reshape(3, 4), "n": (1, 2.5, None, "é", b"x", {3}), "b": fz.ones(2, dtype=fz.bool)}
    named = {}
    for suffix in ("pt", "safetensors"):
        file = io.BytesIO()
        file.name = f"x.{suffix}"
        fz.save(checkpoint, file)
        named[suffix] = file.getvalue()
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"7X\x03\0\0\0cpuK\x04NtQ"
    old_tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0K\x04\x85K\x01\x85\x89NtR"
    old = OLD + HEAD + b"M\xe9\x03." + HEAD + b"}." + HEAD + old_tensor + b"." + HEAD + b"]X\x01\0\0\0" + b"7a."
    net = fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.ReLU())
    return {
        "pt": [named["pt"], torch_file(HEAD + b"}X\x01\0\0\0a" + tensor(b"K\x04\x85", b"K\x01\x85") + b"s.", numbers=bytes(16))],
        "old": [old + (4).to_bytes(8, "little") + bytes(16)],
        "safetensors": [
            named["safetensors"],
            safetensors_file({"x": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}, b"abcd"),
        ],
        "onnx": [fz.onnx.export(net, fz.ones(1, 2), verify=False).model_bytes, DRAWN["escapes and scripts"], doubling(3)],
        "toml": [
            b'backend = "numpy"\nstrict = true\n[opencl]\ndevice = 0\n[limits]\nvalues = 5\n',
            b"tool = 3\nx = [[[{a = 1979-05-27}]]]\n",
        ],
    }


SEEDS = _seeds()


def damaged(content: bytes, dice: random.Random) -> bytes:
    """`content` with a few faults."""
    found = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(6):
            case 0:
                del found[at:]
            case 1:
                found[at:at] = dice.randbytes(dice.randrange(1, 9))
            case 2:
                del found[at : at + dice.randrange(1, 9)]
            case 3:
                found[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
            case 4:
                found[at : at + 1] = found[: dice.randrange(20)]
            case _:
                if at < len(found):
                    found[at] ^= 1 << dice.randrange(8)
    return bytes(found)


def made_up(kind: str, dice: random.Random) -> bytes:
    """A file with a structure that no program writes, or a damaged one."""
    if kind in ("pt", "old") and dice.random() < 0.5:
        pickled = HEAD + b"".join(dice.choices(PIECES, k=dice.randrange(1, 40))) + b"."
        if kind == "pt":
            return torch_file(pickled, numbers=bytes(16))
        return OLD + HEAD + b"M\xe9\x03." + HEAD + b"}." + pickled + HEAD + b"]."
    if kind == "safetensors" and dice.random() < 0.3:
        odd = [0, 1, -1, 2**62, 2**64, 2**70, "F32", None, [], [0, 4], [4, 0], {}, "BF16", [2**62, 0], [1] * 70, 1.5]
        entry = {name: dice.choice(odd) for name in ("dtype", "shape", "data_offsets")}
        return safetensors_file({dice.choice(("x", "__metadata__")): entry}, bytes(4))
    return damaged(dice.choice(SEEDS[kind]), dice)


def read(kind: str, content: bytes, folder: Path) -> Any:
    """Use the file as a program would."""
    if kind == "onnx":
        (folder / "m.onnx").write_bytes(content)
        drawing = fz.drawing.read(folder / "m.onnx")
        fz.drawing.draw(drawing, folder / "m.svg")
        return fz.drawing.listing(drawing)
    if kind == "toml":
        (folder / "frazil.toml").write_bytes(content)
        reload()
        return fz.config.get("strict")
    return fz.load(io.BytesIO(content))


class Ran(BaseException):
    """A file made Python do something."""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Whatever runs a program or code is a failure; the configuration is the one of `folder`."""

    def ran(*_: Any, **__: Any) -> None:
        raise Ran

    for kind in ("onnx", "pt"):  # what is imported for it runs code of its own
        read(kind, SEEDS[kind][0], folder)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((os, "system"), (os, "popen"), (subprocess, "Popen"), (builtins, "eval")):
            patch.setattr(owner, name, ran)
        patch.setenv("FRAZIL_CONFIG", str(folder / "frazil.toml"))
        (folder / "frazil.toml").write_text("")
        reload()
        yield
    reload()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[None]:
    with guarded(tmp_path):
        yield


def peak() -> int:
    """The most memory this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


#: What a file may ask for.
SECONDS, BYTES = 2, 256 * 2**20


def outcome(kind: str, content: bytes, folder: Path) -> str:
    """`read`, `refused` (by an error of frazil's), or how it went wrong."""
    start, memory = time.process_time(), peak()
    try:
        read(kind, content, folder)
        found = "read"
    except FrazilError as error:
        found = "refused" if "\x1b" not in str(error) else "an escape in a message"
    except Ran:
        found = "executed"
    except BaseException as error:
        found = f"traceback: {type(error).__name__}: {error}"
    if time.process_time() - start > SECONDS:
        return "over 2 s"
    return found if peak() - memory < BYTES else "over 256 MB"


def tries(kind: str, count: int, seed: int, folder: Path, make: Callable[[str, random.Random], bytes] = made_up) -> Counter[str]:
    """What happened in so many tries; anything but reading and refusing is raised."""
    dice = random.Random(seed)
    before, memory = process(), peak()
    happened: Counter[str] = Counter()
    for number in range(count):
        content = make(kind, dice)
        found = outcome(kind, content, folder)
        happened[found] += 1
        assert found in ("read", "refused"), f"{kind} {seed}:{number}: {found}; {content[:300]!r}"
    assert process() == before and peak() - memory < BYTES
    return happened


def trap(kind: str, dice: random.Random) -> bytes:
    """One of the small traps, with a few faults."""
    return damaged(dice.choice(SMALL[kind]), dice)


#: Traps that are small enough to be cut and bent by the thousand.
SMALL = {
    "pt": [content for content, _ in TRAPS.values() if isinstance(content, bytes) and len(content) < 10_000],
    "onnx": [content for content in (*DRAWN.values(), *(c for c, _ in REFUSED.values())) if len(content) < 10_000],
}


@pytest.mark.parametrize("kind", SEEDS)
def test_a_damaged_file_is_read_or_refused(kind: str, tmp_path: Path, watched: None) -> None:
    happened = tries(kind, 80, 0, tmp_path)
    assert happened["refused"] > 20, happened


@pytest.mark.slow
@pytest.mark.parametrize("kind", SEEDS)
def test_many_damaged_files_are_read_or_refused(kind: str, tmp_path: Path, watched: None) -> None:
    happened = tries(kind, 2500, 1, tmp_path)
    assert happened["refused"] > 500, happened


@pytest.mark.slow
def test_traps_with_faults_are_refused_or_read(tmp_path: Path, watched: None) -> None:
    tries("pt", 2500, 2, tmp_path, trap)
    tries("onnx", 500, 3, tmp_path, trap)


def test_the_configuration_is_told_when_it_is_wrong(tmp_path: Path, watched: None) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        read("toml", b"\xff", tmp_path)
