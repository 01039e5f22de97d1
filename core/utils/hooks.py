"""Handles by which a registered hook is taken away again."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, NamedTuple, final

_ids = itertools.count()


class Hook(NamedTuple):
    """One registered function, with what decides when and how it is called."""

    kind: str
    call: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class HookDict(dict[int, Hook]):
    """Registered hooks in calling order. (A subclass, because a plain dict cannot be weakly referenced.)"""

    def register(self, hook: Hook, *, prepend: bool = False) -> RemovableHandle:
        """Add `hook` at the end, or with `prepend` at the front."""
        handle = RemovableHandle(self)
        if prepend:
            others = dict(self)
            self.clear()
            self[handle.id] = hook
            self.update(others)
        else:
            self[handle.id] = hook
        return handle

    def of(self, kind: str) -> list[Hook]:
        """The hooks of one kind, as a list that stays as it is when a hook removes itself."""
        return [hook for hook in self.values() if hook.kind == kind]


class HooksOf(MutableMapping[int, Any]):
    """The functions of one kind by their ids, as PyTorch's `_forward_hooks` has them: what is deleted here is no hook any more.

    >>> import frazil as fz
    >>> layer = fz.nn.ReLU()
    >>> handle = layer.register_forward_hook(lambda module, args, output: None)
    >>> layer._forward_hooks.clear()
    >>> len(layer._forward_hooks), len(layer._hooks)
    (0, 0)
    """

    def __init__(self, hooks: HookDict, kind: str) -> None:
        self.hooks, self.kind = hooks, kind

    def __getitem__(self, key: int) -> Any:
        hook = self.hooks[key]
        if hook.kind != self.kind:
            raise KeyError(key)
        return hook.call

    def __setitem__(self, key: int, call: Any) -> None:
        self.hooks[key] = Hook(self.kind, call)

    def __delitem__(self, key: int) -> None:
        if key not in self:
            raise KeyError(key)
        del self.hooks[key]

    def __iter__(self) -> Iterator[int]:
        return iter([key for key, hook in self.hooks.items() if hook.kind == self.kind])

    def __len__(self) -> int:
        return len(self.hooks.of(self.kind))

    def __repr__(self) -> str:
        return f"OrderedDict({dict(self)!r})"


@final
class RemovableHandle:
    """Handle of a hook, which `register_*_hook` returns: `remove()` takes the hook away; in a `with` statement it is removed at
    the end.

    >>> import frazil as fz
    >>> layer = fz.nn.ReLU()
    >>> with layer.register_forward_hook(lambda module, args, output: output + 1):
    ...     layer(fz.tensor([-1.0, 2.0]))
    tensor([1., 3.])
    """

    def __init__(self, hooks: HookDict) -> None:
        self.id = next(_ids)
        self._hooks = weakref.ref(hooks)

    def remove(self) -> None:
        """Take the hook away. Removing it twice does nothing."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
