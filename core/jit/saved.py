"""`fz.jit.save` and `fz.jit.load`: recorded programs in files, and as modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from .. import pytorch_file, serialization
from ..creation import empty
from ..errors import ArgumentError, RecordError, SerializationError
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..recorder.saved import EXTRA, MARK, content_of, from_data
from ..recorder.trace import Program
from ..script import is_scripted
from ..serialization import File, MapLocation
from ..tensor import Tensor

M = TypeVar("M", bound="RecursiveScriptModule")


class _Scripted(type):
    """The type of `ScriptModule`: recorded programs and scripted modules are instances, whatever made them."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is ScriptModule and (isinstance(instance, Program) or is_scripted(instance))


class ScriptModule(Module, metaclass=_Scripted):
    """The type of what `trace` and `script` of a module give, and `load`, for programs that ask with `isinstance`.

    A subclass is a module whose methods are scripted one by one, by `script_method`.

    >>> import frazil as fz
    >>> isinstance(fz.jit.trace(fz.nn.ReLU(), fz.ones(2)), fz.jit.ScriptModule)
    True
    """


class RecursiveScriptModule(ScriptModule):
    """A recorded program as a module, which `load` makes: its parameters and buffers have the names they had.

    It does what was recorded, whatever `training` says. Its children hold the parameters; they cannot be called one by one.
    """

    def __init__(self, original_name: str, program: Program | None = None) -> None:
        super().__init__()
        self.original_name = original_name
        self.program = program

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the recorded program."""
        self._bind()
        return self._recorded()(*args, **kwargs)

    def _recorded(self) -> Program:
        if self.program is None:
            raise RecordError(f"{self.original_name}: it was recorded as a part of the module around it, which can be called")
        return self.program

    def _bind(self) -> None:
        """Let the program read the tensors that are the module's now."""
        graph, changed = self._recorded().graph, {}
        for value, module, name in self._links:
            now = module._parameters.get(name)
            now = module._buffers.get(name) if now is None else now
            if now is not value.tensor:
                changed[id(value.tensor)] = now
                value.tensor = now
        if changed:
            graph.states = [replace(state, tensor=changed.get(id(state.tensor), state.tensor)) for state in graph.states]

    @property
    def graph(self) -> Any:
        """The recorded operations."""
        return self._recorded().graph

    @property
    def code(self) -> str:
        """The recorded operations as text, with the lines that they come from."""
        return str(self.graph)

    def save(self, f: File, _extra_files: dict[str, Any] | None = None) -> None:
        """As `fz.jit.save`."""
        save(self, f, _extra_files)

    def train(self: M, mode: bool = True) -> M:
        """Set `training`. The program stays as it was recorded, of which a warning tells where that matters."""
        if self.program is not None:
            self.program.warn_of_mode(self.training, mode)
        return super().train(mode)

    def _apply(self: M, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> M:
        program = self.program
        if program is not None:
            for dtype in {value.spec.dtype for value in program.graph.captured}:
                made = fn(empty(0, dtype=dtype)).dtype
                if made is not dtype:
                    raise ArgumentError(
                        f"{self.original_name}: a recorded program computes in the dtypes it was recorded in, here {dtype.name}, "
                        f"asked for {made.name}: convert the model and record it again"
                    )
            for value in program.graph.captured:
                if value.kind == "constant" and value.tensor is not None:
                    value.tensor = fn(value.tensor)
        return super()._apply(fn, recurse)

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        return f"original_name={self.original_name}"

    def __reduce__(self) -> Any:
        return _from_bytes, (content_of(self._recorded(), {}),)


def save(m: Any, f: File, _extra_files: dict[str, Any] | None = None) -> None:
    """Write a recorded program to the file `f` (a path or a binary file object): its operations, with their control flow and
    free sizes, and the parameters and buffers of its module.

    Args:
        m: what `fz.jit.trace` or `fz.jit.load` gave. A scripted function or module has no recording before `trace` of it.
        f: the file; whatever its name, it holds frazil's own form, data and no code. PyTorch does not read it: for other
            programs there is `fz.onnx.export`.
        _extra_files: texts or bytes by name, which go into the file.

    >>> import frazil as fz, io
    >>> file, model = io.BytesIO(), fz.nn.Linear(3, 2)
    >>> fz.jit.save(fz.jit.trace(model, fz.ones(1, 3)), file)
    >>> _ = file.seek(0)
    >>> loaded = fz.jit.load(file)
    >>> bool((loaded(fz.ones(5, 3)) == model(fz.ones(5, 3))).all()), [name for name, _ in loaded.named_parameters()]
    (True, ['weight', 'bias'])
    """
    if isinstance(m, RecursiveScriptModule):
        m._bind()
        m = m._recorded()
    if not isinstance(m, Program):
        what = "a scripted module or function" if is_scripted(m) else f"a {type(m).__name__}"
        raise ArgumentError(
            f"save: needs a recorded program, given {what}, of which nothing says what its inputs are: "
            "fz.jit.save(fz.jit.trace(m, example_inputs), f)"
        )
    m.save(f, _extra_files)


def load(
    f: File, map_location: MapLocation = None, _extra_files: dict[str, Any] | None = None, _restore_shapes: bool = False
) -> RecursiveScriptModule:
    """Read what `fz.jit.save` wrote: a module that runs the program. Its parameters can be trained, moved, and loaded from a
    state dict; its dtypes, its sizes where the program fixed them, and its mode are those of the recording.

    Args:
        f: a path or a binary file object.
        map_location: as for `fz.load`.
        _extra_files: a dict whose values become those of the file's extra files of that name.
        _restore_shapes: accepted for PyTorch's sake; a program knows the shapes of its inputs.

    Raises SerializationError for other files: TorchScript archives hold code of a language that is not here.
    """
    name, content = serialization.content_of(f)
    if content.startswith((pytorch_file.ZIP, pytorch_file.LEGACY)):
        raise SerializationError(
            f"load: {name} is a file of PyTorch's; a TorchScript archive holds code of a language that frazil does not run. In "
            "PyTorch, write torch.onnx.export(module, ...), which fz.onnx.load reads, or torch.save(module.state_dict(), ...)"
        )
    data = serialization.read(name, content, map_location)
    if not isinstance(data, dict) or MARK not in data:
        raise SerializationError(
            f"load: {name} holds no recorded program: fz.load reads what fz.save wrote, fz.onnx.load ONNX files"
        )
    if _extra_files is not None:
        held = dict(data[EXTRA])
        _extra_files.update({wanted: held[wanted] for wanted in _extra_files if wanted in held})
    return _module(name, data)


def _from_bytes(content: bytes) -> RecursiveScriptModule:
    return _module("the program", serialization.read("the program", content))


def _module(name: str, data: dict[str, Any]) -> RecursiveScriptModule:
    parts = from_data(name, data)
    root = RecursiveScriptModule(parts.modules[""][0])
    for path, (kind, training, first) in parts.modules.items():
        module = root if not path else root.get_submodule(first) if first != path else RecursiveScriptModule(kind)
        module.__dict__["training"] = training
        if path:
            above, _, last = path.rpartition(".")
            root.get_submodule(above).add_module(last, module)
    held: dict[int, tuple[Module, str]] = {}
    for path, tensor in parts.parameters.items():
        if not isinstance(tensor, Parameter):
            raise SerializationError(f"load: {name} is damaged: {path} in it is no parameter")
        home, last = _home(root, path)
        home.register_parameter(last, tensor)
        held[id(tensor)] = home, last
    for path, (tensor, persistent) in parts.buffers.items():
        home, last = _home(root, path)
        home.register_buffer(last, tensor, persistent)
        held[id(tensor)] = home, last
    program = Program(root, parts.graph, parts.static, parts.changed_inputs, parts.sizes_out, None)
    program.asks = program.gradients = parts.gradients
    root.program = program
    root.__dict__["_links"] = [(v, *held[id(v.tensor)]) for v in parts.graph.captured if id(v.tensor) in held]
    return root


def _home(root: Module, path: str) -> tuple[Module, str]:
    """The module that holds what is called `path`, made where the program read it of a module that is not its own."""
    *above, last = path.split(".")
    for name in above:
        if name not in root._modules:
            root.add_module(name, RecursiveScriptModule(name))
        root = root.get_submodule(name)
    return root, last
