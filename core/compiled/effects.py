"""What comes out of a run: what the program gives back, and what it leaves changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from ..alias import assign
from ..autograd.modes import no_grad
from ..pytree import unflatten
from ..recorder.graph import Value
from ..recorder.trace import Program
from ..state import STATE
from ..tensor import Tensor
from ..views import bump
from .outside import Outside
from .watched import Watched


@final
class Effects:
    """Results of the pure graph (`result`: a place among them) made into those of the program, and its changes.

    `place_of` says which of the graph's inputs a result is, if it is one; arguments come first among those, then `outside`.
    """

    def __init__(
        self,
        program: Program,
        call: Watched,
        outside: Outside,
        grads: Mapping[int, Tensor],
        arguments: int,
        place_of: Mapping[Value, int],
    ) -> None:
        graph = program.graph
        result_of = {value: i for i, value in enumerate(dict.fromkeys(program._results))}
        #: (result, what is written, where): a tensor's "data", the "gradient of" a leaf that has one, the attribute "grad" of
        #: a tensor, or an "argument" by its position.
        self.targets: list[tuple[int, str, Any]] = []
        for state in graph.states:
            leaf = grads.get(id(state.tensor))
            kind = "grad" if state.attribute == "grad" else "gradient of" if leaf is not None else "data"
            self.targets.append((result_of[state.output], kind, leaf if kind == "gradient of" else state.tensor))
        for position, value in program.changed_inputs.items():
            self.targets.append((result_of[value], "argument", position))
        input_of = {id(t): arguments + i for i, t in enumerate(outside.tensors)}
        #: The inputs that are written, and whatever else is.
        self.changed = {input_of.get(id(where)) if kind == "data" else where for _, kind, where in self.targets if kind != "grad"}
        #: Result -> input whose new numbers it is.
        self.donated = {r: input_of[id(where)] for r, kind, where in self.targets if kind == "data" and id(where) in input_of}
        self._clears = list(call.recorder.clears_grad)
        self._steps, self._schedules = call.steps, call.schedules
        self._tree, self._plain = call.tree, call.plain
        count = len(graph.outputs) - len(call.extras)
        self._attributes = [
            (slot.module, slot.name, result_of[v]) for slot, v in zip(call.extras, graph.outputs[count:], strict=True)
        ]
        written = {result: (kind, where) for result, kind, where in self.targets}
        #: What is given back, tensor by tensor: "fresh" and "copy" are a result, "size" is one as a number, "written" is the
        #: tensor that was written, "input" one that goes in.
        self._given: list[tuple[str, Any]] = []
        for k, value in enumerate(graph.outputs[:count]):
            result, place = result_of[value], place_of.get(value)
            if k in program.sizes_out:
                self._given.append(("size", result))
            elif result in written:
                self._given.append(("written", written[result]))
            elif place is not None and place not in self.changed:
                self._given.append(("input", place))
            else:
                self._given.append(("copy" if value.producer is None else "fresh", result))

    def computed(self) -> list[int]:
        """The results that are given back as they were computed."""
        return [result for kind, result in self._given if kind == "fresh"]

    def attributes(self) -> list[int]:
        """The results that become attributes of modules."""
        return [result for _, _, result in self._attributes]

    def uses(self, result: int) -> int:
        """Return how often a result is given back or written."""
        read = [r for r, _, _ in self.targets] + [where for kind, where in self._given if kind not in ("input", "written")]
        return [*read, *self.attributes()].count(result)

    def is_one_tensor(self) -> bool:
        """Return whether the program does nothing but give back one tensor that it computed."""
        effects = (self.targets, self._clears, self._steps, self._schedules, self._attributes, self._plain)
        return len(self._given) == 1 and self._given[0][0] == "fresh" and self._tree.kind is None and not any(effects)

    def finish(self, tensors: Sequence[Tensor], outside: Sequence[Tensor], found: list[Any]) -> Any:
        """Write what the program changes, and give its results. `found` are tensors of their own memory, where they may be."""
        if self.targets:
            self._write(tensors, found)
        for leaf in self._clears:
            leaf._grad = None
        for optimizer, count in self._steps:
            optimizer._steps_taken += count
        for module, name, result in self._attributes:
            object.__setattr__(module, name, found[result])
        for schedule in self._schedules:
            schedule.step()
        out: list[Any] = []
        for kind, where in self._given:
            if kind == "input":
                out.append(tensors[where] if where < len(tensors) else outside[where - len(tensors)])
            elif kind == "size":
                out.append(int(found[where]))
            elif kind == "written":
                what, target = where
                out.append(tensors[target] if what == "argument" else target if what == "data" else target._grad)
            else:
                out.append(found[where])
        for position, value in self._plain:
            out.insert(position, value)
        return out[0] if self._tree.kind is None else unflatten(self._tree, out)

    def _write(self, tensors: Sequence[Tensor], found: list[Any]) -> None:
        for result, kind, where in self.targets:
            new = found[result]
            if new is None:
                continue  # an engine has written into its memory
            if kind == "data":
                array = new._a
                if array is where._a:  # an engine has written into its memory
                    bump(where)
                elif not where._aliased and where._base is None and where._dev is new._dev and not new._aliased:
                    where._a = array  # nobody else looks at its memory: take the result's
                    bump(where)
                else:
                    with no_grad():
                        assign("a compiled function", where, new)
            elif kind == "grad":
                where._grad = new
            elif kind == "argument" and STATE.grad:
                assign("a compiled function", tensors[where], new)
            else:
                with no_grad():
                    assign("a compiled function", tensors[where] if kind == "argument" else where._grad, new)
