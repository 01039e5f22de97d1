"""`fz.export`: what programs that go by `torch.export` need for a file. Programs are recorded by running them."""

from __future__ import annotations

from typing import Any, final

from .recorder.dims import Dim as Dim
from .recorder.graph import Graph
from .recorder.trace import Program, trace
from .spelling import tell_names as _tell_names


@final
class ExportedProgram:
    """A recorded program, under the name that PyTorch gives it: `fz.onnx.export` takes it, `module()` runs it."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def module(self) -> Program:
        """Return what can be called like the module that was recorded."""
        return self.program

    @property
    def graph(self) -> Graph:
        """The recorded operations."""
        return self.program.graph

    def __str__(self) -> str:
        return str(self.program)


def export(
    mod: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    strict: bool = False,
) -> ExportedProgram:
    """Record a module, as `fz.jit.trace`; sizes are those of the arguments unless `dynamic_shapes` frees them. `strict` is
    PyTorch's choice between two ways of recording, of which there is one here.

    >>> import frazil as fz
    >>> program = fz.export.export(fz.nn.ReLU(), (fz.ones(2),), dynamic_shapes=({0: fz.export.Dim("n")},))
    >>> program.module()(fz.tensor([-1.0, 2.0, 3.0]))
    tensor([0., 2., 3.])
    """
    return ExportedProgram(trace(mod, args, kwargs, dynamic_shapes=dynamic_shapes))


def dims(*names: str, min: int | None = None, max: int | None = None) -> tuple[Dim, ...]:
    """Return several `Dim`s.

    >>> import frazil as fz
    >>> fz.export.dims("batch", "length")
    (Dim('batch'), Dim('length'))
    """
    return tuple(Dim(name, min=min, max=max) for name in names)


_tell_names(__name__)
