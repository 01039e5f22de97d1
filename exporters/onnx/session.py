"""`TrainingSession`: trains by a file of `export_step`, with onnxruntime alone."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, final

import numpy as np
import onnxruntime

import frazil as fz
from frazil.errors import ArgumentError
from frazil.optim.options import Option
from frazil.pytree import flatten
from frazil.tensor import Tensor

#: Where the file tells what its state is.
METADATA = "frazil.training"

Path_ = str | os.PathLike[str]


def state_path(path: Path_) -> Path:
    """Return where the initial values of a step's state are: `step.state.safetensors` for `step.onnx`."""
    return Path(path).with_suffix(".state.safetensors")


@final
class TrainingSession:
    """Runs a training step that `fz.onnx.export_step` wrote. The state stays in onnxruntime from step to step.

    Args:
        path: the file.
        state: the values to begin with; default: the file beside it, `step.state.safetensors`.
        options: `onnxruntime.SessionOptions`, to set threads.

    >>> import frazil as fz, numpy as np
    >>> w = fz.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = fz.optim.SGD([w], lr=0.25)
    >>> def step(x):
    ...     loss = ((w * x) ** 2).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> report = fz.onnx.export_step(step, fz.ones(2), "step.onnx")
    >>> session = fz.onnx.TrainingSession("step.onnx")
    >>> [float(session.step(np.ones(2, np.float32))) for _ in range(3)]
    [5.0, 1.25, 0.3125]
    >>> session.state["optimizer.lr"] = 0.5
    >>> float(session.step(fz.ones(2)))
    0.078125
    >>> session.state["w"]
    array([0., 0.], dtype=float32)
    """

    def __init__(self, path: Path_, state: Path_ | None = None, *, options: onnxruntime.SessionOptions | None = None) -> None:
        if options is None:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA)
        if text is None:
            raise ArgumentError(f"TrainingSession: {os.fspath(path)!r} is not a file of fz.onnx.export_step")
        told = json.loads(text)
        self.inputs: list[str] = told["inputs"]
        self.outputs: list[str] = told["outputs"]
        self._objects: dict[str, Any] = told["objects"]
        self._in_file: list[str] = told["states"]
        self._written: list[str] = told["written"]
        self._arrays = {name: t.numpy() for name, t in fz.load(state_path(path) if state is None else state).items()}
        missing = [name for name in self._in_file if name not in self._arrays]
        if missing:
            raise ArgumentError(f"TrainingSession: the state has no {missing[0]!r}, which the file needs")
        # Two buffers for whatever a step writes: it reads the one and writes the other, then they change places.
        self._spare = {name: np.empty_like(self._arrays[name]) for name in self._written}
        self._bindings = (self._binding(self._arrays, self._spare), self._binding(self._spare, self._arrays))
        self.state = SessionState(self)

    # --- running

    def step(self, *batch: Any) -> Any:
        """One step on a batch: arrays or tensors, nested as the exported function takes them, or one dict by names (`inputs`).
        Returns what the function returned: an array, or a list where there are several.
        """
        given = self._by_name(batch)
        binding = self._bindings[0]
        for name, value in given.items():
            binding.bind_cpu_input(
                name, np.ascontiguousarray(value.detach().cpu()._array() if isinstance(value, Tensor) else value)
            )
        for name in self.outputs:
            binding.bind_output(name)  # anew: its size may be another one
        self._session.run_with_iobinding(binding)
        self._bindings = self._bindings[::-1]
        for name in self._written:
            self._arrays[name], self._spare[name] = self._spare[name], self._arrays[name]
        found = [np.array(value.numpy()) for value in binding.get_outputs()[: len(self.outputs)]]
        found = [array[()] if array.ndim == 0 else array for array in found]
        return found[0] if len(found) == 1 else found

    def _by_name(self, batch: tuple[Any, ...]) -> dict[str, Any]:
        if len(batch) == 1 and isinstance(batch[0], Mapping) and set(batch[0]) == set(self.inputs):
            return dict(batch[0])
        leaves = flatten(batch)[0]
        if len(leaves) != len(self.inputs):
            raise ArgumentError(f"step: takes {len(self.inputs)} arrays ({', '.join(self.inputs)}), given {len(leaves)}")
        return dict(zip(self.inputs, leaves, strict=True))

    def _binding(self, read: Mapping[str, np.ndarray], written: Mapping[str, np.ndarray]) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        for name in self.outputs:
            binding.bind_output(name)  # first, so that they come first
        for name in self._in_file:
            array = read[name] if name in self._spare else self._arrays[name]
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
        for name in self._written:
            binding.bind_ortvalue_output(f"{name}.out", onnxruntime.OrtValue.ortvalue_from_numpy(written[name]))
        return binding

    # --- checkpoints

    def save(self, path: Path_) -> None:
        """Write the state into a safetensors file, which `TrainingSession(file, state=path)` goes on from."""
        fz.save({name: fz.tensor(array) for name, array in self._arrays.items()}, path)

    def state_dict(self) -> dict[str, Any]:
        """The state as the objects of the eager program know it, by the step's own names for them.

        So `model.load_state_dict(found["model"])`, `optimizer.load_state_dict(found["optimizer"])`, and the same for a schedule.
        What belongs to none of them is there by its name in the file: `fz.default_generator.set_state(found["random_state"])`.
        """
        found: dict[str, Any] = {}
        used: set[str] = set()
        for name, told in self._objects.items():
            found[name] = getattr(self, f"_{told['kind']}_dict")(told, used)
        found.update({name: fz.tensor(array) for name, array in self._arrays.items() if name not in used})
        return found

    def _tensor(self, name: str, used: set[str]) -> Tensor:
        used.add(name)
        return fz.tensor(self._arrays[name])

    def _number(self, name: str, used: set[str]) -> float:
        """A learning rate, or another number, as the shortest number that is it, which is what somebody wrote."""
        used.add(name)
        return float(str(self._arrays[name][()]))

    def _module_dict(self, told: Mapping[str, Any], used: set[str]) -> dict[str, Tensor]:
        return {key: self._tensor(name, used) for key, name in told["entries"].items()}

    def _optimizer_dict(self, told: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
        groups = []
        for parts in told["groups"]:
            group = {key: tuple(value) if isinstance(value, list) else value for key, value in parts["options"].items()}
            for option, called in parts["set"].items():
                Option.named(group, option).hold(self._number(called, used))
            groups.append(group)
        state = {int(k): {slot: self._tensor(name, used) for slot, name in slots.items()} for k, slots in told["slots"].items()}
        return {"state": state, "param_groups": groups}

    def _schedule_dict(self, told: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
        used.add(told["epoch"])
        epoch = int(self._arrays[told["epoch"]])
        taken = epoch - told["first"]
        found = {**told["options"], "last_epoch": epoch, "_last_lr": [self._number(name, used) for name in told["rates"]]}
        if "_step_count" in found:
            found["_step_count"] += taken
        return found

    def _scaler_dict(self, told: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
        return {**told["options"], **{key: self._tensor(name, used).item() for key, name in told["entries"].items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave, or what eager objects give: {"model": model.state_dict(), "optimizer":
        optimizer.state_dict(), ...}; or values by their names in the file. What is not given stays.
        """
        values: dict[str, Any] = {}
        for name, value in state_dict.items():
            told = self._objects.get(name)
            if told is None:
                values[name] = value
            elif told["kind"] == "module":
                values.update(_matched(name, told["entries"], value))
            elif told["kind"] == "schedule":
                values[told["epoch"]] = value["last_epoch"] if "last_epoch" in value else value["_schedulers"][0]["last_epoch"]
            elif told["kind"] == "scaler":
                _check_options(name, told["options"], value)
                values.update(_matched(name, told["entries"], {k: v for k, v in value.items() if k not in told["options"]}))
            else:
                values.update(self._of_optimizer(name, told, value))
        fitting = {name: self.state.fitting(name, value) for name, value in values.items()}
        for name, array in fitting.items():  # all of it, or nothing where something does not fit
            np.copyto(self._arrays[name], array)

    def _of_optimizer(self, name: str, told: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
        groups = value["param_groups"]
        if len(groups) != len(told["groups"]):
            raise ArgumentError(
                f"load_state_dict: {name} has {len(told['groups'])} parameter groups in the file, {len(groups)} are given"
            )
        found = {}
        for parts, given in zip(told["groups"], groups, strict=True):
            fixed = {key: value for key, value in parts["options"].items() if key != "initial_lr"}
            for option, called in parts["set"].items():
                found[called] = Option.named(given, option).held()
                Option.named(fixed, option).hold(found[called])
            _check_options(name, fixed, given)
        state = {str(number): slots for number, slots in value["state"].items()}
        for number, slots in told["slots"].items():
            if number not in state and all(called in told["begins"] for called in slots.values()):
                # an optimiser that has not made a step with it yet
                found.update({c: np.full_like(self._arrays[c], told["begins"][c]) for c in slots.values()})
            else:
                loaded = _matched(f"{name}, parameter {number}", slots, state.get(number, {}))
                for called, count in loaded.items():
                    if called in found and float(found[called]) != float(count):
                        raise ArgumentError(
                            f"load_state_dict: the file has one counter {called!r}, but the parameters differ in it"
                        )
                found.update(loaded)
        return found


@final
class SessionState(MutableMapping[str, Any]):
    """The state of a session by the names of the file. Reading copies, and writing writes into it."""

    def __init__(self, session: TrainingSession) -> None:
        self._session = session

    def __getitem__(self, name: str) -> np.ndarray:
        return self._session._arrays[name].copy()

    def __setitem__(self, name: str, value: Any) -> None:
        array = self.fitting(name, value)
        np.copyto(self._session._arrays[name], array)

    def __delitem__(self, name: str) -> None:
        raise ArgumentError(f"the state of a training step is as it was exported: {name!r} cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._session._arrays)

    def __len__(self) -> int:
        return len(self._session._arrays)

    def fitting(self, name: str, value: Any) -> np.ndarray:
        """The value as an array that can be the new one of this name."""
        old = self._session._arrays.get(name)
        if old is None:
            near = difflib.get_close_matches(name, [*self, *self._session._objects], 1)
            raise ArgumentError(f"the training step has no state {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        array = value.detach().cpu()._array() if isinstance(value, Tensor) else np.asarray(value)
        if array.dtype == np.uint8 and array.shape == (old.nbytes,) and old.dtype == np.int64:
            array = np.ascontiguousarray(array).view(np.int64)  # what a generator's get_state gives
        number = array.ndim == 0 and array.dtype.kind in "iuf"
        if array.shape != old.shape or (array.dtype != old.dtype and not number):
            raise ArgumentError(
                f"the state {name!r} is {old.dtype}{list(old.shape)}, and is given {array.dtype}{list(array.shape)}"
            )
        for told in self._session._objects.values():
            if told["kind"] == "schedule" and told["epoch"] == name:
                first, count = told["first"], told["count"]
                if not first <= int(array) <= first + count:
                    raise ArgumentError(
                        f"the file knows the schedule from epoch {first} to {first + count}, not from {int(array)}"
                    )
        return array.astype(old.dtype)


def _matched(what: str, names: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """name in the file -> value, where the keys are the same."""
    if set(names) != set(given):
        odd = sorted(set(names) ^ set(given))
        side = "lacks" if odd[0] in names else "has"
        raise ArgumentError(f"load_state_dict: what is given for {what} {side} {odd[0]!r}, unlike the file")
    return {name: given[key] for key, name in names.items()}


def _check_options(name: str, options: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for key, fixed in options.items():
        if key in given and not _same(fixed, given[key]):
            raise ArgumentError(
                f"load_state_dict: {name} has {key}={given[key]!r}; the file computes with {fixed!r}: export it again"
            )


def _same(a: Any, b: Any) -> bool:
    return list(a) == list(b) if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) else bool(a == b)
