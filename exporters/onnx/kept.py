"""All that a training step can change, kept and put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

from frazil.autograd.modes import no_grad
from frazil.random import default_generator
from frazil.recorder.world import World
from frazil.tensor import Tensor

from .oracle import from_host, host
from .uses import contents, global_names

if TYPE_CHECKING:
    from .stage import Stage


@final
class Kept:
    """All that a step can change, to be put back: Python's side always, with `data` the numbers of the tensors too."""

    def __init__(self, stage: Stage, *, data: bool = False) -> None:
        self.world = World(stage.step, list(stage.modules.values()))
        self.grads = [(leaf, leaf.grad, host(leaf.grad) if data and leaf.grad is not None else None) for leaf in stage.leaves()]
        self.places: list[tuple[Any, dict[Any, Any]]] = []
        for optimizer in stage.optimizers.values():
            self._keep(vars(optimizer))
            self._keep(optimizer.state)
            for container in (*optimizer.param_groups, *optimizer.state.values()):
                self._keep(container)
        for scheduler in stage.schedulers.values():
            for part in (scheduler, *getattr(scheduler, "_schedulers", ())):
                self._keep(vars(part))
        for scaler in stage.scalers.values():
            self._keep(scaler._checked)
        self.seeds = [(generator, generator._seed) for generator in (default_generator, *stage.generators.values())]
        self.cells = [
            (cell, value) for function in stage.found.functions for cell in function.__closure__ or () for value in contents(cell)
        ]
        self.spaces = [
            (function.__globals__, {name: function.__globals__[name] for name in names if name in function.__globals__})
            for function in stage.found.functions
            for names in [global_names(function.__code__)]
        ]
        tensors = [default_generator.state, *(generator.state for generator in stage.generators.values())]
        for module in stage.modules.values():
            tensors += [*module.parameters(), *module.buffers()]
        tensors += [*stage.leaves(), *stage.found.of(Tensor).values(), *stage.others.values()]
        tensors += [t for scaler in stage.scalers.values() for t in scaler.numbers().values()]
        for optimizer in stage.optimizers.values():
            tensors += [v for slots in optimizer.state.values() for v in slots.values() if isinstance(v, Tensor)]
            tensors += [group["lr"] for group in optimizer.param_groups if isinstance(group["lr"], Tensor)]
        self.data = [(t, host(t)) for t in {id(t): t for t in tensors}.values()] if data else []

    @classmethod
    @contextlib.contextmanager
    def whole(cls, stage: Stage) -> Iterator[None]:
        """Whatever steps are made inside, everything is as it was afterwards."""
        kept = cls(stage, data=True)
        try:
            yield
        finally:
            kept.restore()

    def _keep(self, container: Any) -> None:
        self.places.append((container, dict(container)))

    def restore(self) -> None:
        """Put everything back."""
        self.world.put_back()
        for place, before in self.places:
            place.clear()
            place.update(before)
        for generator, seed in self.seeds:
            generator._seed = seed
        for cell, value in self.cells:
            cell.cell_contents = value
        for space, names in self.spaces:
            space.update(names)
        with no_grad():
            for t, array in self.data:
                t.copy_(from_host(array, t))
            for leaf, grad, numbers in self.grads:
                leaf.grad = grad
                if grad is not None and numbers is not None:
                    grad.copy_(from_host(numbers, grad))
