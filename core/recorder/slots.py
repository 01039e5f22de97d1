"""What a program binds or writes to, as it was before: tensors, and attributes of modules."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeAlias

from ..alias import assign
from ..tensor import Tensor, wrap
from .graph import user_source
from .traced import TracedArray

if TYPE_CHECKING:
    from .recording import Recorder


class TensorSlot:
    """A tensor from outside of a branch or body, as it was before."""

    _FIELDS = ("_a", "_dev", "_rg", "_node")

    def __init__(self, t: Tensor) -> None:
        self.tensor = t
        self.before = [getattr(t, name) for name in self._FIELDS]

    @property
    def key(self) -> Any:
        """Equal for slots of one tensor."""
        return id(self.tensor)

    def label(self, recorder: Recorder) -> str:
        """Return what to call it in messages."""
        return recorder.value_of(self.tensor).name

    @property
    def touched(self) -> bool:
        """Return whether it holds something else now."""
        return self.tensor._a is not self.before[0]

    @property
    def changed(self) -> bool:
        """Return whether it was written to; views follow the tensor they look at, a detached one its own tape."""
        t = self.tensor
        return self.touched and (t._base is None or (t._path[1] == "detach" and t._node is not self.before[3]))

    def read(self) -> Any:
        """Return what it holds now."""
        t = self.tensor
        y = wrap(t._a, t._dev)
        y._rg, y._node = t._rg, t._node
        return y

    def write(self, y: Any) -> None:
        """Let it hold `y`."""
        assign("a branch or loop body", self.tensor, y)

    def restore(self) -> None:
        """Let it hold what it held before."""
        for name, value in zip(self._FIELDS, self.before, strict=True):
            setattr(self.tensor, name, value)


_MISSING = object()


class AttributeSlot:
    """An attribute of a module that is bound to another tensor, as it was before."""

    def __init__(self, module: Any, name: str) -> None:
        self.module, self.name = module, name
        self.before = self.read()
        self.plain = name not in module._buffers and name not in module._parameters
        self.source = user_source()

    @property
    def key(self) -> Any:
        """Equal for slots of one attribute."""
        return id(self.module), self.name

    def label(self, recorder: Recorder) -> str:
        """Return what to call it in messages."""
        return f"{type(self.module).__name__}.{self.name}"

    @property
    def changed(self) -> bool:
        """Return whether it is another tensor now."""
        return self.read() is not self.before

    def read(self) -> Any:
        """The tensor it is bound to; to the recorder this is no read by the program."""
        for look_up in (object.__getattribute__, type(self.module).__getattr__):
            try:
                return look_up(self.module, self.name)
            except AttributeError:
                continue
        return _MISSING

    def forgotten(self, read: Collection[Any]) -> bool:
        """Return whether the new value is only there to be looked at: a plain attribute that was not read before it was
        written."""
        kept = isinstance(self.before, Tensor) and isinstance(self.before._a, TracedArray)
        return self.plain and not kept and (id(self.module), self.name) not in read

    def write(self, y: Any) -> None:
        """Bind it to `y`."""
        setattr(self.module, self.name, y)

    def restore(self) -> None:
        """Bind it to what it was before."""
        if self.before is not _MISSING:
            setattr(self.module, self.name, self.before)
        elif self.read() is not _MISSING:
            delattr(self.module, self.name)


Slot: TypeAlias = TensorSlot | AttributeSlot
