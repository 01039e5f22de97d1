"""What comes from outside: how much a file may ask for, what kind of file it is, and how its texts are shown.

The limits themselves are keys of the configuration, `limits.*` in `config.py`.
"""

from __future__ import annotations

from typing import Any, final

from .config import config
from .errors import SerializationError

#: Values may be nested so deep.
DEPTH = 200
#: NumPy arrays have at most this many dimensions, and so tensors on the CPU.
DIMENSIONS = 64

#: How files of other kinds begin, and what to say about them.
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", "is a NumPy array (.npy): read it with fz.from_numpy(numpy.load(path))"),
    (b"\x1f\x8b", "is compressed with gzip: unpack it first (gunzip)"),
    (b"BZh", "is compressed with bzip2: unpack it first (bunzip2)"),
    (b"\xfd7zXZ\0", "is compressed with xz: unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it first (unzstd)"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it first"),
    (b"Rar!", "is a RAR archive: unpack it first"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, of Keras or h5py: read it with h5py and make tensors of its arrays"),
    (b"version https://git-lfs", "is a pointer of git-lfs, not the file itself: fetch it with `git lfs pull`"),
    (b"GGUF", "is a GGUF file, of llama.cpp, whose weights are quantised: get the model as .safetensors"),
    (b"\x89PNG", "is a PNG picture, not weights"),
    (b"\xff\xd8\xff", "is a JPEG picture, not weights"),
    (b"%PDF", "is a PDF document, not weights"),
    (b"\x7fELF", "is a program or a library, not weights"),
)
_FETCH = "is a web page, not weights: the download failed or asked for a login; fetch the file itself"


def kind_of(content: bytes) -> str | None:
    """Return what a file is that is neither of frazil, nor safetensors, nor of `torch.save`; None if it is not known.

    >>> from frazil.outside import kind_of
    >>> kind_of(b"BZh9...")
    'is compressed with bzip2: unpack it first (bunzip2)'
    """
    if not content.strip(b"\0"):
        return f"is damaged: {'it has nothing but zeros in it' if content else 'it is empty'}. Use another copy of the file"
    for magic, words in _KINDS:
        if content.startswith(magic):
            return words
    head = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return _FETCH
    if content[257:262] == b"ustar":
        return "is a tar archive: unpack it first (tar -xf); if PyTorch before 0.2 wrote it, load and save it again with PyTorch"
    if content[4:8] == b"TFL3":
        return "is a TensorFlow Lite model, which only TensorFlow runs"
    if _is_onnx(content):
        return "is an ONNX model: fz.onnx.load(path) makes it a module, `frazil graph` shows what is in it. fz.load reads weights"
    if content[:1] == b"\x80" and content[1:2] <= b"\x05" and content.rstrip()[-1:] == b".":
        return "is a pickle, which could run any code when it is read, so it is not: save it again with fz.save or torch.save"
    if head[:1] in (b"{", b"["):
        return "is JSON: read it with json.load"
    return None


def _is_onnx(content: bytes) -> bool:
    """An IR version, and then one of the next fields: producer, its version, domain, model version, doc, graph, opsets."""
    return (
        content[:1] == b"\x08"
        and b"\0" < content[1:2] < b"\x40"
        and content[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x28", b"\x32", b"\x3a", b"B")
    )


def plain(words: Any) -> str:
    """A text of unknown origin, where characters that would command a terminal are spelt out.

    >>> from frazil.outside import plain
    >>> print(plain("red: \\x1b[31m"))
    red: \\x1b[31m
    """
    words = str(words)
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def one_line(error: BaseException) -> str:
    """The type and the text of an exception, whose text may be anything.

    >>> from frazil.outside import one_line
    >>> one_line(ValueError("a\\nb"))
    'ValueError: a b'
    """
    try:
        words = str(error)
    except BaseException as second:
        words = f"(its text cannot be told: {type(second).__name__})"
    return plain(f"{type(error).__name__}: {' '.join(words.split())}"[:2000])


@final
class Budget:
    """Amounts that one file may still ask for while it is read."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self._left = {
            "values": config.get("limits.values"),
            "tensors": config.get("limits.tensors"),
            # Files without tricks take less.
            "bytes": 4 * size + config.get("limits.expansion"),
        }

    def spend(self, what: str, count: int = 1) -> None:
        """Count something that the file asks for. Raises SerializationError at the limit."""
        self._left[what] -= count
        if self._left[what] < 0:
            key = "expansion" if what == "bytes" else what
            limit = config.get(f"limits.{key}")
            asked = (
                f"takes over {limit:,} bytes of memory more than four times its size"
                if what == "bytes"
                else f"holds more than {limit:,} {what}"
            )
            limits = "limits__tensors=..., limits__values=..." if what == "tensors" else f"limits__{key}=..."  # each has values
            raise SerializationError(
                f"load: {self.name} {asked}, which looks like a trap. If you trust it, raise the limit: "
                f"with fz.config({limits}): fz.load(...)"
            )
