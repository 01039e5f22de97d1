"""`Module`: the base class of layers and models."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ..creation import empty_like, zeros_like
from ..device import device
from ..dtypes import bfloat16, float16, float32, float64
from ..spelling import missing
from ..state import RECORDINGS, STATE
from ..tensor import Tensor
from ..transfer import parse_to
from ..utils.hooks import Hook, HookDict, HooksOf, RemovableHandle
from ..warn import without_effect
from .hooks import OF_ALL, OF_REGISTRATION, call_with_hooks, registered
from .parameter import Parameter, persistence
from .state import IncompatibleKeys, StateDict, as_value, assign_later, copy_later, loading_problem, note_module, quoted

M = TypeVar("M", bound="Module")
_EXTRA_STATE = "_extra_state"


class Module:
    """Base class of all layers and models, as `torch.nn.Module`.

    Parameters, buffers and child modules assigned as attributes are found by `parameters()`, `state_dict()`, `to()` and so on.

    >>> import frazil as fz
    >>> class Twice(fz.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = fz.nn.Linear(3, 3)
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x))
    >>> Twice()
    Twice(
      (inner): Linear(in_features=3, out_features=3, bias=True)
    )
    >>> [name for name, _ in Twice().named_parameters()]
    ['inner.weight', 'inner.bias']
    """

    #: Accepted for PyTorch's sake.
    dump_patches = call_super_init = False
    #: Raised by a subclass whose state dict changes; read by its `_load_from_state_dict`.
    _version: int = 1
    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]
    _hooks: HookDict
    _state_hooks: HookDict

    def __init__(self) -> None:
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _modules={},
            _hooks=HookDict(),
            _state_hooks=HookDict(),
        )

    # -- calling -------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if RECORDINGS[0] and STATE.recorder is not None:
                with STATE.recorder.inside(self):
                    if self._hooks or OF_ALL:
                        return call_with_hooks(self, self._hooks, args, kwargs)
                    return self.forward(*args, **kwargs)
            if self._hooks or OF_ALL:
                return call_with_hooks(self, self._hooks, args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            note_module(error, self)
            raise

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the results of the module; every subclass defines it."""
        raise NotImplementedError(f'Module [{self._get_name()}] is missing the required "forward" function')

    @property
    def _forward_pre_hooks(self) -> HooksOf:
        return HooksOf(self._hooks, "forward_pre")

    @property
    def _forward_hooks(self) -> HooksOf:
        return HooksOf(self._hooks, "forward")

    @property
    def _backward_hooks(self) -> HooksOf:
        return HooksOf(self._hooks, "backward")

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns, if not None, replaces the arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)` and may return `(args, kwargs)`.
        """
        return self._hooks.register(Hook("forward_pre", hook, with_kwargs), prepend=prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns, if not None, replaces the output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`; with `always_call` it also runs when `forward` raised.
        """
        return self._hooks.register(Hook("forward", hook, with_kwargs, always_call), prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` in backward, before the module's own; it may return another `grad_output`."""
        return self._hooks.register(Hook("backward_pre", hook), prepend=prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the gradients of the inputs are known; it may return another
        `grad_input`."""
        return self._hooks.register(Hook("backward", hook), prepend=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`register_full_backward_hook` by its old name."""
        return self.register_full_backward_hook(hook)

    # -- attributes ----------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:  # runs only when normal lookup failed
        state = self.__dict__
        if "_parameters" in state:  # written out, because every forward comes here for its weights
            members = state["_parameters"]
            if name in members:
                return members[name]
            members = state["_modules"]
            if name in members:
                return members[name]
            members = state["_buffers"]
            if name in members:
                return members[name]
        message = f"'{type(self).__name__}' object has no attribute '{name}'"
        if "_parameters" not in state:
            message += f": {type(self).__name__}.__init__ must call super().__init__() first"
        raise missing(message, name, lambda: dir(self) if "_parameters" in state else ())

    def __setattr__(self, name: str, value: Any) -> None:
        if RECORDINGS[0] and STATE.recorder is not None and isinstance(value, Tensor):
            STATE.recorder.note_attribute(self, name)
        if isinstance(value, Parameter):
            self._forget(name, keep="_parameters", kind="parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._forget(name, keep="_modules", kind="module")
            self._modules[name] = registered("module", self, name, value) if OF_REGISTRATION else value
        elif isinstance(value, Tensor) and (persistent := persistence(value)) is not None:
            self._forget(name, keep="_buffers", kind="buffers")
            self.register_buffer(name, value, persistent)
        elif not self._set_registered(name, value):
            object.__setattr__(self, name, value)

    def _forget(self, name: str, *, keep: str, kind: str) -> None:
        """Make room for a registered member called `name`, leaving its place in the registry `keep`."""
        state = self.__dict__
        if keep not in state:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        state.pop(name, None)
        for registry in ("_parameters", "_buffers", "_modules"):
            if registry != keep:
                state[registry].pop(name, None)
        state["_non_persistent_buffers_set"].discard(name)

    def _set_registered(self, name: str, value: Any) -> bool:
        """Assign to the existing parameter, buffer or child called `name`; False when there is none."""
        state = self.__dict__
        for registry, noun, accepted in _REGISTRIES:
            members = state.get(registry)
            if members is None or name not in members:
                continue
            if value is not None and not (registry == "_buffers" and isinstance(value, Tensor)):
                given = type(value).__name__
                raise TypeError(f"cannot assign '{given}' as {noun} '{name}' ({accepted} or None expected)")
            if OF_REGISTRATION and registry != "_parameters":
                value = registered(noun.removeprefix("child "), self, name, value)
            members[name] = value
            return True
        return False

    def __delattr__(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            if name in registry:
                del registry[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[:1].isdigit())

    def _check_name(self, noun: str, name: Any, registry: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{noun} name should be a string, got {type(name).__name__}")
        if name == "":
            raise KeyError(f'{noun} name can\'t be empty string ""')
        if "." in name:
            raise KeyError(f'{noun} name can\'t contain ".", got: {name}')
        if name not in registry and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter that is reached as `module.<name>`. None reserves the name, as layers without bias do."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' (frazil.nn.Parameter or None required)"
            )
        if param is not None and param._node is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To express "
                f"'{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = registered("parameter", self, name, param) if OF_REGISTRATION and param is not None else param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not trained, such as running statistics.

        It moves with `to()`; it is part of the `state_dict` if `persistent`.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (frazil.Tensor or None required)")
        self._buffers[name] = registered("buffer", self, name, tensor) if OF_REGISTRATION else tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module that is reached as `module.<name>`."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = registered("module", self, name, module) if OF_REGISTRATION else module

    register_module = add_module

    # -- finding members -----------------------------------------------------------------------------------------------

    def _named_members(
        self, members: Callable[[Module], Iterable[tuple[str, Any]]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in members(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Pairs of dotted name and parameter, each parameter once (unless `remove_duplicate=False`)."""
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once; with `recurse=False` only the module's own."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Pairs of dotted name and buffer."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Pairs of name and module for the direct children, each once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct child modules, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Pairs of dotted name and module, this one first (as `prefix`), each once (unless `remove_duplicate=False`)."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def get_submodule(self, target: str) -> Module:
        """The module with the dotted name `target`; the empty name is this one.

        >>> import frazil as fz
        >>> fz.nn.Sequential(fz.nn.Sequential(fz.nn.ReLU())).get_submodule("0.0")
        ReLU()
        """
        module = self
        for name in target.split(".") if target else []:
            module = module._member(name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` in the place with the dotted name `target`; with `strict` the place must exist."""
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            parent.get_submodule(name)  # raises when there is no such module
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with the dotted name `target`."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._member(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with the dotted name `target`."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        module._member(name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        found = module._buffers[name]
        assert found is not None
        return found

    def _member(self, name: str) -> Any:
        if not hasattr(self, name):
            raise AttributeError(f"{self._get_name()} has no attribute `{name}`")
        return getattr(self, name)

    # -- changing everything below -------------------------------------------------------------------------------------

    def apply(self: M, fn: Callable[[Module], object]) -> M:
        """Call `fn` on every module below and then on this one, for example to initialise."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self: M, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> M:
        """Replace the value of every parameter, gradient and buffer by `fn` of it. Parameters stay the same objects."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for param in self._parameters.values():
            if param is not None:
                grad = param.grad
                param.data = fn(param.data)
                if grad is not None:
                    param._grad = fn(grad.data).requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: M, *args: Any, **kwargs: Any) -> M:
        """Move parameters and buffers, in place: `to(device)`, `to(dtype)`, `to(device, dtype)` or `to(tensor)`.

        A dtype must be floating and changes only floating members.

        >>> import frazil as fz
        >>> fz.nn.Linear(2, 2).to(fz.float64).weight.dtype
        frazil.float64
        """
        target, wanted, _ = parse_to(args, kwargs)
        if wanted is not None and not (wanted.is_floating_point or wanted.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={wanted}")

        def convert(tensor: Tensor) -> Tensor:
            cast = wanted if tensor.dtype.is_floating_point or tensor.dtype.is_complex else None
            if target is not None:
                tensor = tensor.to(target)
            return tensor if cast is None else tensor.to(cast)

        return self._apply(convert)

    def to_empty(self: M, *, device: str | device | None, recurse: bool = True) -> M:
        """Move parameters and buffers to `device` without their values."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse)

    def cpu(self: M) -> M:
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self: M, device: int | str | device | None = None) -> M:
        """Move all parameters and buffers to the CUDA device with the given index."""
        place = f"cuda:{device or 0}" if device is None or isinstance(device, int) else device
        return self._apply(lambda tensor: tensor.to(place))

    def type(self: M, dst_type: Any) -> M:
        """Cast all parameters and buffers, integer ones too, to `dst_type`: a dtype, or what `Tensor.type` takes."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self: M) -> M:
        """Cast floating parameters and buffers to float32."""
        return self._apply(lambda tensor: tensor.to(float32) if tensor.dtype.is_floating_point else tensor)

    def double(self: M) -> M:
        """Cast floating parameters and buffers to float64."""
        return self._apply(lambda tensor: tensor.to(float64) if tensor.dtype.is_floating_point else tensor)

    def half(self: M) -> M:
        """Cast floating parameters and buffers to float16."""
        return self._apply(lambda tensor: tensor.to(float16) if tensor.dtype.is_floating_point else tensor)

    def bfloat16(self: M) -> M:
        """Cast floating parameters and buffers to bfloat16."""
        return self._apply(lambda tensor: tensor.to(bfloat16) if tensor.dtype.is_floating_point else tensor)

    def share_memory(self: M) -> M:
        """This module. Processes get copies of it, of which the first call in a process warns."""
        for tensor in [*self.parameters(), *self.buffers()]:
            tensor.share_memory_()
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted for PyTorch's sake; the arguments are those of `fz.compile`. The first call in a process warns."""
        without_effect("Module.compile", "a module stays as it is; fz.compile(model) gives one that is compiled")

    def train(self: M, mode: bool = True) -> M:
        """Set training mode here and below; it changes what layers such as Dropout and BatchNorm do."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: M) -> M:
        """Set evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Say for all parameters whether they are trained."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with `set_to_none=False` fill them with zeros instead."""
        for param in self.parameters():
            if param.grad is not None:
                param.grad = None if set_to_none or param.grad.is_sparse else zeros_like(param.grad)

    # -- state ---------------------------------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """Override, with `set_extra_state`, to keep more than tensors in the state dict."""
        raise RuntimeError(f"{self._get_name()} has no extra state: override get_extra_state and set_extra_state together")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(f"{self._get_name()} has no extra state: override get_extra_state and set_extra_state together")

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Module.get_extra_state

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's part of a `state_dict` is made."""
        return self._state_hooks.register(Hook("state_dict_pre", hook))

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after it is made."""
        return self._state_hooks.register(Hook("state_dict_post", hook))

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before
        the module's part of a state dict is read."""
        return self._state_hooks.register(Hook("load_pre", hook))

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any], with_module: bool = False) -> RemovableHandle:
        return self.register_load_state_dict_pre_hook(hook if with_module else lambda _module, *args: hook(*args))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after the values have been loaded; it may edit the two lists of keys."""
        return self._state_hooks.register(Hook("load_post", hook))

    def state_dict(self, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False) -> dict[str, Any]:
        """All parameters and persistent buffers by dotted name, detached (unless `keep_vars`) but sharing memory.

        >>> import frazil as fz
        >>> list(fz.nn.Linear(2, 3).state_dict(prefix="head."))
        ['head.weight', 'head.bias']
        """
        if destination is None:
            destination = StateDict()
        metadata = {"version": self._version}
        if isinstance(destination, StateDict):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_hooks.of("state_dict_pre"):
            hook.call(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_hooks.of("state_dict_post"):
            replaced = hook.call(self, destination, prefix, metadata)
            destination = destination if replaced is None else replaced
        return destination

    def _own_state(self) -> dict[str, Tensor]:
        """The module's own parameters and persistent buffers."""
        members = {**self._parameters, **self._buffers}
        return {k: v for k, v in members.items() if v is not None and k not in self._non_persistent_buffers_set}

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Write the module's own state into `destination`; a subclass may override it together with `_load_from_state_dict`."""
        for name, value in self._own_state().items():
            destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Compare the module's own state with `state_dict` and note the copies to make.

        The copies are put off until the whole model has been compared, so that a bad state dict changes nothing; they are
        made at once when this is called on its own.
        """
        for hook in self._state_hooks.of("load_pre"):
            hook.call(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        copies: list[Callable[[], object]] = []
        own = self._own_state()
        for name, current in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            value = as_value(state_dict[key])
            assign = bool(local_metadata.get("assign_to_params_buffers"))
            problem = loading_problem(key, current, value, assign)
            if problem:
                error_msgs.append(problem)
            elif assign:
                copies.append(assign_later(self, name, current, value))
            else:
                if current.is_meta and not value.is_meta:
                    what = "load_state_dict: what is on the device 'meta' stays without numbers: pass assign=True"
                    warnings.warn(what, stacklevel=2)
                copies.append(copy_later(current, value))
        extra_key = prefix + _EXTRA_STATE
        if self._has_extra_state():
            if extra_key in state_dict:
                copies.append(lambda: self.set_extra_state(state_dict[extra_key]))
            elif strict:
                missing_keys.append(extra_key)
        if strict:
            for key in state_dict:
                if not key.startswith(prefix) or (key == extra_key and self._has_extra_state()):
                    continue
                head = key[len(prefix) :].split(".", 1)[0]
                is_child_key = head in self._modules and key != prefix + head
                if not is_child_key and key[len(prefix) :] not in own:
                    unexpected_keys.append(key)
        postponed = local_metadata.get("postponed_copies")
        if postponed is not None:
            postponed += copies
        elif not error_msgs:
            for copy in copies:
                copy()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy values from `state_dict` into the parameters and buffers with the same names.

        Every missing key, unexpected key and wrong shape is reported in one error, and then nothing has been changed.
        `strict=False` tolerates missing and unexpected keys and returns them. `assign` takes the tensors themselves
        (with their dtype and device) instead of copying their values.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        copies: list[Callable[[], object]] = []
        visited: list[Module] = []
        metadata: Mapping[str, Any] = getattr(state_dict, "_metadata", None) or {}
        working = OrderedDict(state_dict)  # hooks may rename keys in it

        def load(module: Module, local: dict[str, Any], prefix: str) -> None:
            info = {**metadata.get(prefix[:-1], {}), "postponed_copies": copies, "assign_to_params_buffers": assign}
            module._load_from_state_dict(local, prefix, info, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    child_prefix = f"{prefix}{name}."
                    load(child, {k: v for k, v in local.items() if k.startswith(child_prefix)}, child_prefix)
            visited.append(module)

        load(self, working, "")
        if strict:
            if unexpected:
                errors.insert(0, f"Unexpected key(s) in state_dict: {quoted(unexpected)}. ")
            if missing:
                errors.insert(0, f"Missing key(s) in state_dict: {quoted(missing)}. ")
        if errors:
            raise RuntimeError(f"Error(s) in loading state_dict for {self._get_name()}:\n\t" + "\n\t".join(errors))
        for copy in copies:
            copy()
        result = IncompatibleKeys(missing, unexpected)
        for module in visited:
            for hook in module._state_hooks.of("load_post"):
                hook.call(module, result)
        return result

    # -- text ----------------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return self.__class__.__name__

    def extra_repr(self) -> str:
        """Return what stands between the parentheses in `repr`, before the children."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [(name, repr(module).replace("\n", "\n  ")) for name, module in self._modules.items()]
        return module_repr(self._get_name(), extra.split("\n") if extra else [], [f"({k}): {text}" for k, text in children])


_REGISTRIES = (
    ("_parameters", "parameter", "frazil.nn.Parameter"),
    ("_modules", "child module", "frazil.nn.Module"),
    ("_buffers", "buffer", "frazil.Tensor"),
)


def module_repr(name: str, extra_lines: list[str], child_lines: list[str]) -> str:
    """PyTorch's layout: `Name(extra)` on one line when there are no children, else one indented line for each."""
    if len(extra_lines) == 1 and not child_lines:
        return f"{name}({extra_lines[0]})"
    lines = extra_lines + child_lines
    return f"{name}(" + "".join(f"\n  {line}" for line in lines) + ("\n)" if lines else ")")
