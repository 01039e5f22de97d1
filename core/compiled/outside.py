"""The tensors that go in beside the arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, final

from ..recorder.graph import Graph
from ..recorder.recording import Recorder
from ..tensor import Tensor
from .watched import Setting


@final
class Outside:
    """Tensors that a program reads without being given them: parameters, buffers, learning rates, gradients from before, ...

    Settings, and the gradients of the leaves in `grads`, are looked for in every call; all others are the tensors that were met
    in the recording. `values` are their places in the recorded graph.
    """

    def __init__(
        self,
        graph: Graph,
        recorder: Recorder,
        settings: Sequence[Setting],
        grads: Mapping[int, Tensor],
        groups: Sequence[dict[str, Any]],
    ) -> None:
        by_id = {id(setting.tensor): setting for setting in settings}
        self.values = [v for v in graph.captured if id(v.tensor) in recorder.met]
        self.tensors: list[Any] = [v.tensor for v in self.values]
        found = [(i, by_id.get(id(t)), grads.get(id(t))) for i, t in enumerate(self.tensors)]
        self._special = [(i, setting, leaf) for i, setting, leaf in found if setting is not None or leaf is not None]
        self._fixed = [self.tensors[i] for i, setting, leaf in found if setting is None and leaf is None]
        self._flags = [t._rg for t in self._fixed]
        self._kinds = [(t._a.shape, t._a.dtype, t._dev) for t in self._fixed]
        self._seen = [t._a for t in self._fixed]
        self._grad_leaves = list(recorder.reads_grad.values())
        self._grad_flags = [leaf._grad is None for leaf in self._grad_leaves]
        self._options = [setting for setting in settings if not setting.is_rate]
        self._rate_kinds = [(group, isinstance(group["lr"], Tensor)) for group in groups]
        self._names = {id(v.tensor): _named(v.kind, v.name) for v in graph.captured}
        #: What the program asked Python's numbers of (`int(self.pointer)`): they are part of what was recorded.
        self._numbers = [
            (t, by_id.get(id(t)), grads.get(id(t)), _bytes_of(t)) for t in recorder.numbers_read.values() if not t._dev.recording
        ]
        self._names |= {id(t): _named(*recorder.name_of(t)) for t, *_ in self._numbers}
        self._names |= {id(setting.tensor): str(setting) for setting in settings}
        #: Of the tensors whose memory another argument may share.
        self.bases = {id(t if t._base is None else t._base) for t in self._fixed}

    def now(self) -> Sequence[Tensor]:
        """The tensors as they are now."""
        if not self._special:
            return self.tensors
        given = list(self.tensors)
        for i, setting, leaf in self._special:
            given[i] = setting.now() if setting is not None else leaf._grad  # type: ignore[union-attr]
        return given

    def change(self) -> str | None:
        """Say what is no longer as it was in the recording, and decided what was recorded."""
        fixed = self._fixed
        flags = [t._rg for t in fixed]
        if flags != self._flags:
            changed = next(t for t, now, before in zip(fixed, flags, self._flags, strict=True) if now is not before)
            return f"requires_grad of {self._name_of(changed)} is {changed._rg} now"
        arrays = [t._a for t in fixed]
        if not all(map(is_, arrays, self._seen)):  # an array keeps its shape, so those that were seen need no other look
            for t, a, (shape, dtype, device) in zip(fixed, arrays, self._kinds, strict=True):
                if a.shape != shape or a.dtype != dtype or t._dev is not device:
                    return f"{self._name_of(t)} has another shape, dtype or device"
            self._seen = arrays
        missing = [leaf._grad is None for leaf in self._grad_leaves]
        if missing != self._grad_flags:
            kept = zip(self._grad_leaves, missing, self._grad_flags, strict=True)
            leaf = next(leaf for leaf, now, before in kept if now is not before)
            return f"the gradient of {self._name_of(leaf)} is {'None' if leaf._grad is None else 'there'} before the call"
        for group, is_tensor in self._rate_kinds:
            if isinstance(group["lr"], Tensor) is not is_tensor:
                return "a learning rate is a tensor now, or no longer"
        for option in self._options:
            if (option.option.held() == 0) is not option.is_zero:
                return f"{option} is {'no longer ' if option.is_zero else ''}0"
        for t, setting, owner, numbers in self._numbers:
            read = setting.now() if setting is not None else t if owner is None else owner._grad
            if read is None or _bytes_of(read) != numbers:
                return f"the program reads the numbers of {self._name_of(t)}, which have changed"
        return None

    def _name_of(self, t: Tensor) -> str:
        return self._names.get(id(t), "a parameter")


def _bytes_of(t: Tensor) -> bytes:
    return t._dev.to_host(t._a).tobytes()


def _named(kind: str | None, name: str) -> str:
    """What a tensor is called in messages."""
    shown = {"param": "parameter", "buffer": "buffer"}.get(kind or "")
    return "a tensor from outside" if shown is None else f"{shown} {name}"
