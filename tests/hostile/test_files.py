"""Files that were made to do harm: refused in a sentence, quickly, and nothing in the process changes."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FileError, SerializationError

from .crafted import HEAD, OLD, process, safetensors_file, tensor, torch_file

NAME = b"X\x04\0\0\0nameX\x04\0\0\0evils"
NUMBERS = bytes(16)


def pt(opcodes: bytes, *, numbers: bytes = NUMBERS, packed: bool = False) -> bytes:
    return torch_file(HEAD + opcodes, numbers=numbers, packed=packed)


#: What the file holds (the great ones are made when their test runs), and what is said.
TRAPS: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "renames a dtype": (pt(b"ctorch\nfloat32\n}" + NAME + b"b."), "changes the state of a dtype"),
    "changes a class": (pt(b"ctorch\nSize\n}X\x05\0\0\0numelK\x07sb."), "changes the state of a known object"),
    "slots of a class": (pt(b"ctorch\nSize\nN}X\x05\0\0\0numelK\x07s\x86b."), "changes the state of"),
    "changes a method": (pt(b"ccollections\nOrderedDict\n)R}X\x05\0\0\0itemsK\x07sb."), "replaces 'items'"),
    "sets items of a class": (pt(b"ctorch\nSize\nK\0K\0s."), "items of what is no dict"),
    "appends to a class": (pt(b"ctorch\nSize\nK\0a."), "appends to what is no list"),
    "calls a dtype": (pt(b"ctorch\nfloat32\n)R."), "calls what is no function"),
    "a function as factory": (
        pt(b"ccollections\ndefaultdict\nctorch._utils\n_rebuild_tensor\n\x85R."),
        "a defaultdict makes",
    ),
    "is a function": (pt(b"ctorch\nSize\n."), "holds a function or a type"),
    "runs a program": (pt(b"cos\nsystem\nX\x01\0\0\0a\x85R."), "contains a os.system"),
    "runs a program, INST": (pt(b"(X\x01\0\0\0aios\nsystem\n."), "asks for more than data"),
    "escapes in a name": (pt(b"c\x1b[31m\nx\n."), r"contains a \\x1b\[31m.x"),
    "memo index": (OLD + HEAD + b"Nr\xff\xff\xff\x7f.", "counts its values from 2,147,483,647 on"),
    "3 million tuples": (lambda: pt(b")" + b"\x85" * 3_000_000 + b".", packed=True), "holds more than 500,000 values"),
    "nested tuples": (pt(b")" + b"\x85" * 5000 + b"."), "200 others around each other"),
    "contains itself": (pt(b"]2a."), "contains itself"),
    "doubles": (pt(b")" + b"2\x86" * 60 + b"."), "holds more than 500,000 values"),
    "doubles as a key": (pt(b"})" + b"2\x86" * 60 + b"Ns."), "key of a dict"),
    "long text": (pt(b"X\xff\xff\xff\xff."), "ends too early"),
    "longer bytes": (pt(b"\x8e" + b"\xff" * 8 + b"."), "ends too early"),
    "expanded": (pt(tensor(b"J\0\0\0\x40\x85", b"K\0\x85") + b"."), "more than four times its size"),
    "overlapping": (
        pt(tensor(b"J\0\x80\0\0J\0\x80\0\0\x86", b"K\0K\0\x86") + b"."),
        "more than four times its size",
    ),
    "deflated": (
        lambda: pt(tensor(b"K\x01\x85", b"K\x01\x85") + b".", numbers=bytes(80_000_000), packed=True),
        "more than four times its size",
    ),
    "outside": (pt(tensor(b"K\x05\x85", b"K\x01\x85") + b"."), "outside of its numbers"),
    "negative stride": (pt(tensor(b"K\x02\x85", b"J\xff\xff\xff\xff\x85") + b"."), "not described"),
    "0 x 2**62": (
        pt(tensor(b"K\0\x8a\x08" + (2**62).to_bytes(8, "little") + b"\x86", b"K\0K\0\x86") + b"."),
        r"no tensor can have the shape \(0, 4611686018427387904\)",
    ),
    "70 dimensions": (
        pt(tensor(b"(" + b"K\x01" * 70 + b"t", b"(" + b"K\x01" * 70 + b"t") + b"."),
        "has 70 dimensions; 64 are the most",
    ),
    "safetensors, 65 dimensions": (
        safetensors_file({"x": {"dtype": "F32", "shape": [1] * 65, "data_offsets": [0, 4]}}, b"abcd"),
        "has 65 dimensions",
    ),
    "safetensors, 0 x 2**62": (
        safetensors_file({"x": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
        "no tensor can have the shape",
    ),
    "safetensors, 300 000 entries": (
        lambda: safetensors_file({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(300_000)}),
        "holds more than 500,000 values",
    ),
    "safetensors, 60 000 entries": (
        lambda: safetensors_file({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(60_000)}),
        "holds more than 50,000 tensors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_and_changes_nothing(trap: str) -> None:
    content, message = TRAPS[trap]
    content = content() if callable(content) else content
    before = process()
    with pytest.raises(SerializationError, match=message) as caught:
        fz.load(io.BytesIO(content))
    assert process() == before and "\x1b" not in str(caught.value)


def test_limits_can_be_raised() -> None:
    content = pt(b"(" + b"N" * 600_000 + b"t.")
    with pytest.raises(SerializationError, match=r"raise the limit: with fz.config\(limits__values=...\)"):
        fz.load(io.BytesIO(content))
    with fz.config(limits__values=2_000_000):
        assert len(fz.load(io.BytesIO(content))) == 600_000


def test_a_small_expanded_tensor_is_read() -> None:
    content = pt(tensor(b"K\x02K\x03\x86", b"K\0K\x01\x86") + b".", numbers=np.arange(4, dtype="<f4").tobytes())
    assert fz.load(io.BytesIO(content)).tolist() == [[0, 1, 2], [0, 1, 2]]


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.ones(2))
    return file.getvalue()


def onnx_file() -> bytes:
    return fz.onnx.export(lambda x: x * 2, fz.ones(2), verify=False).model_bytes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged: it is empty"),
        (bytes(64), "nothing but zeros"),
        (gzip.compress(b"x", mtime=0), "compressed with gzip"),
        (b"\x93NUMPY\x01\0", r"a NumPy array \(.npy\)"),
        (npz(), r"NumPy arrays \(.npz\)"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), "HDF5"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"model.bin".ljust(257, b"\0") + b"ustar" + bytes(250), "tar archive"),
        (pickle.dumps({"a": 1}), "is a pickle"),
        (b'{"a": [1]}   ', "JSON"),
            (onnx_file, r"is an ONNX model: fz.onnx.load\(path\) makes it a module"),
    ],
)  # fmt: skip
def test_files_of_other_kinds_are_named(content: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(content() if callable(content) else content)
    with pytest.raises(SerializationError, match=message):
        fz.load(tmp_path / "it")


def test_a_folder_and_a_device_are_named(tmp_path: Path) -> None:
    fz.save({}, tmp_path / "a.pt")
    with pytest.raises(FileError, match=r"is a folder with a.pt in it: name a file"):
        fz.load(tmp_path)
    with pytest.raises(FileError, match="is a device, not a file"):
        fz.load("/dev/zero")


# ------------------------------------------------------------------------------------------------------------------ writing

NAMES = ["a.safetensors", "a.pt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_is_written_to_and_stays(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / name).read_bytes()))
    reader.start()
    fz.save({"w": fz.ones(3)}, tmp_path / name)
    reader.join(20)
    assert fz.load(io.BytesIO(got[0]))["w"].tolist() == [1, 1, 1]
    assert stat.S_ISFIFO((tmp_path / name).stat().st_mode) and os.listdir(tmp_path) == [name]


def test_a_device_is_written_to_and_stays() -> None:
    fz.save({"w": fz.ones(3)}, os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(FileError, match="'/dev/full' was not written: No space left on device"):
        fz.save({"w": fz.ones(3)}, "/dev/full")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_link_points_to_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "there" / name)
    fz.save({"w": 1}, tmp_path / name)
    (tmp_path / "there" / name).chmod(0o640)
    fz.save({"w": 2}, tmp_path / name)
    assert (tmp_path / name).is_symlink() and fz.load(tmp_path / "there" / name) == {"w": 2}
    assert (tmp_path / "there" / name).stat().st_mode & 0o777 == 0o640


def test_folders_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="it is a folder; name a file in it"):
        fz.save(1, tmp_path)
    with pytest.raises(FileError, match="there is no folder .*gone"):
        fz.save(1, tmp_path / "gone" / "a.pt")
    with pytest.raises(FileError, match="it is a folder"):
        fz.onnx.export(lambda x: x, fz.ones(1), tmp_path, verify=False)


KILLED = """
import os, signal, sys
import frazil as fz
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
fz.save({"w": fz.ones(1000)}, sys.argv[1])
"""


@pytest.mark.parametrize("name", NAMES)
def test_what_a_killed_save_left_is_gone_after_the_next(tmp_path: Path, name: str) -> None:
    fz.save({"w": 1}, tmp_path / name)
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path / name], timeout=60)
    assert ended.returncode == -signal.SIGKILL and len(os.listdir(tmp_path)) == 2 and fz.load(tmp_path / name) == {"w": 1}
    fz.save({"w": 2}, tmp_path / name)
    assert os.listdir(tmp_path) == [name] and fz.load(tmp_path / name) == {"w": 2}


def test_what_another_program_is_writing_stays(tmp_path: Path) -> None:
    from frazil.files import beside

    with beside(tmp_path / "a.pt") as folder:
        fz.save(1, tmp_path / "a.pt")
        assert os.path.isdir(folder)


def test_export_to_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "m.onnx").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match=r"m.onnx' was not written: No space left on device. What was there before is as it was"):
        fz.onnx.export(lambda x: x, fz.ones(1), tmp_path / "m.onnx", verify=False)
    assert os.listdir(tmp_path) == ["m.onnx"] and (tmp_path / "m.onnx").read_text() == "old"
    monkeypatch.undo()
    assert fz.onnx.export(lambda x: x, fz.ones(1), os.devnull, verify=False).file_bytes > 0


def test_too_deep_for_python_is_told(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for name in NAMES:
        with pytest.raises(SerializationError, match="nested too deeply"):
            fz.save(deep, tmp_path / name)
    while deep:  # let it go level by level
        deep = deep[0]
