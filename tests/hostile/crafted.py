"""Files that were made to do harm, and a look at everything in this process that they might have changed."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import frazil as fz

HEAD = b"\x80\x02"
#: The versions that begin the old format.
OLD = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def torch_file(pickled: bytes, *, numbers: bytes = b"", packed: bool = False) -> bytes:
    """A file of torch.save around a pickle, with one storage."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", numbers)
    return file.getvalue()


def tensor(size: bytes, stride: bytes, count: bytes = b"K\x04") -> bytes:
    """Opcodes that make a tensor of float32."""
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpu" + count + b"tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0" + size + stride + b"\x89NtR"


def safetensors_file(header: Any, numbers: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def process() -> Any:
    """What a file could change: dtypes, classes and functions that a program uses."""
    import collections

    dtypes = {name: (str(dtype), repr(dtype), dtype.numpy) for name, dtype in fz.dtypes.ALL.items()}
    classes = (fz.Size, fz.Tensor, fz.nn.Parameter, fz.device, type(fz.float32), collections.Counter)
    return dtypes, [dict(vars(kind)) for kind in classes], dict(vars(fz.dtypes)), str(fz.device("cpu"))
