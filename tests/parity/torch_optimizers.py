"""PyTorch's own samples of its optimisers (`optim_db`), run through frazil. `python -m tests.parity.torch_optimizers` prints
figures."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

import frazil as fz

from .torch_modules import weighted_gradients
from .torch_samples import differences, torch
from .torch_samples import to_frazil as tensors_to_frazil

with mock.patch.object(torch.backends, "disable_global_flags"):
    from torch.testing._internal import common_optimizers as samples
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

DTYPES = ("float32", "float64", "complex64", "complex128")
STEPS = 5


def names() -> list[str]:
    return [info.name for info in optim_db]


def find(name: str) -> Any:
    return getattr(fz.optim, name, None)


def info_of(name: str) -> Any:
    return next(info for info in optim_db if info.name == name)


def _to_frazil(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.layout is torch.sparse_coo:
        value = value.coalesce()
        return fz.sparse_coo_tensor(*map(_to_frazil, (value.indices(), value.values())), tuple(value.shape))
    if isinstance(value, torch.Tensor) and value.is_complex():
        return fz.tensor(value.detach().resolve_conj().numpy()).requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: _to_frazil(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)([_to_frazil(v) for v in value])
    return tensors_to_frazil(value, [])


def _to_torch(value: Any) -> Any:
    if isinstance(value, fz.Tensor):
        return torch.tensor(value.detach().numpy())
    if isinstance(value, dict):
        return {k: _to_torch(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)([_to_torch(v) for v in value])
    return value


def _line(value: Any) -> str:
    return " ".join(repr(value).split())


class Both:
    """A parameter list, gradients and an optimiser, in PyTorch and in frazil."""

    def __init__(self, info: Any, dtype: str, kwargs: dict[str, Any], values: bool = True) -> None:
        self.info, self.kwargs, self.values = info, kwargs, values
        rng = np.random.default_rng(0)
        shapes = [(4, 3), (2, 6)] if info.name == "Muon" else [(4, 3), (5,), (), (2, 3, 2), (2, 0)]
        if info.only_supports_sparse_grads:
            shapes.remove(())
        if info.name == "Adafactor":  # which divides by the number of elements
            shapes.pop()

        def draw(shape: tuple[int, ...]) -> Any:
            numbers = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if "complex" in dtype else 0)
            return torch.tensor(numbers.astype(dtype))

        self.theirs = [draw(shape) for shape in shapes]
        self.grads = [[draw(shape) for shape in shapes] for _ in range(STEPS)]
        self.grads[1][1] = None if info.name != "LBFGS" else self.grads[1][1]  # one that got none this time
        self.differentiable = kwargs.get("differentiable", False)
        #: Past steps of LBFGS are differences of nearly equal numbers: in single precision those are noise.
        self.noisy = info.name == "LBFGS" and dtype in ("float32", "complex64")
        self.only_sparse = info.only_supports_sparse_grads
        self.ours = [_to_frazil(p) for p in self.theirs]
        for p in [*self.theirs, *self.ours]:
            p.requires_grad_()
        if self.differentiable:  # steps are part of a graph, which leaves cannot be changed in
            self.leaves = list(zip(self.theirs, self.ours, strict=True))
            self.theirs, self.ours = [p.clone() for p in self.theirs], [p.clone() for p in self.ours]
        self.optimisers()

    def _groups(self, params: list[Any]) -> list[Any]:
        if not self.info.supports_param_groups:
            return params
        return [{"params": params[:1]}, {"params": params[1:], "lr": 0.02}]

    def optimisers(self) -> None:
        """Fresh ones, for the same parameters."""
        kwargs = copy.deepcopy(self.kwargs)
        errors: list[Any] = []
        for cls, params, given in (
            (self.info.optim_cls, self.theirs, kwargs),
            (find(self.info.name), self.ours, _to_frazil(kwargs)),
        ):
            try:
                errors.append(cls(self._groups(params), **given))
            except Exception as error:
                errors.append(error)
        self.their_optimiser, self.our_optimiser = errors

    def refused(self) -> str | None:
        """What one of both refuses and the other does not; "" where both refuse."""
        theirs, ours = (isinstance(o, Exception) for o in (self.their_optimiser, self.our_optimiser))
        if theirs and ours:
            return ""
        if theirs or ours:
            return f": {_line(self.our_optimiser)} for {_line(self.their_optimiser)}"
        return None

    def step(self, n: int) -> None:
        for p, q, grad in zip(self.theirs, self.ours, self.grads[n], strict=True):
            if grad is not None and self.only_sparse:
                grad = torch.where(torch.arange(p.numel()).reshape(p.shape) % 2 == n % 2, grad, 0)
                grad = grad.to_sparse(1) if grad.ndim else grad.to_sparse()
            p.grad, q.grad = grad, None if grad is None else _to_frazil(grad)
            if self.differentiable:
                self.leaves.append((p.grad.requires_grad_(), q.grad.requires_grad_()))
        if self.info.step_requires_closure:
            self.their_optimiser.step(self._closure(torch, self.theirs, self.their_optimiser))
            self.our_optimiser.step(self._closure(fz, self.ours, self.our_optimiser))
        else:
            self.their_optimiser.step(), self.our_optimiser.step()

    def _closure(self, library: Any, params: list[Any], optimiser: Any) -> Any:
        def closure() -> Any:
            optimiser.zero_grad()
            loss = sum(((p * p.conj()).real if p.is_complex() else (p - 1) ** 2).sum() * (1 + i) for i, p in enumerate(params))
            loss.backward()
            return loss

        return closure

    def unlike(self, at: str) -> Iterator[str]:
        for i, (a, b) in enumerate(zip(self.ours, self.theirs, strict=True)):
            yield from differences(a, b, at=f" {at}: parameter {i}", values=self.values)
        ours, theirs = self.our_optimiser.state_dict(), self.their_optimiser.state_dict()
        for i, group in enumerate(theirs["param_groups"]):
            if set(ours["param_groups"][i]) != set(group):
                yield f" {at}: options {sorted(set(ours['param_groups'][i]) ^ set(group))}"
        if list(ours["state"]) != list(theirs["state"]):
            yield f" {at}: state of parameters {list(ours['state'])} for {list(theirs['state'])}"
            return
        for number, state in theirs["state"].items():
            if list(ours["state"][number]) != list(state):
                yield f" {at}: state {list(ours['state'][number])} for {list(state)}"
            else:
                for key, value in state.items():
                    where = f" {at}: state {number} {key}"
                    yield from differences(ours["state"][number][key], value, at=where, values=self.values and not self.noisy)


def case(info: Any, dtype: str, kwargs: dict[str, Any], values: bool = True) -> Iterator[str]:
    """In what an optimiser differs in one configuration: text, steps, state; for steps on a graph, gradients."""
    both = Both(info, dtype, kwargs, values)
    refused = both.refused()
    if refused is not None:
        yield from [refused] if refused else []
        return
    if repr(both.our_optimiser) != repr(both.their_optimiser):
        yield f": repr {_line(both.our_optimiser)} for {_line(both.their_optimiser)}"
    for n in range(1 if both.differentiable else 3):
        both.step(n)
        yield from both.unlike(f"step {n}")
    if both.differentiable:
        # PyTorch's own gradient fails for complex numbers, and does not go through the first momentum of SGD
        if "complex" in dtype or (info.name == "SGD" and kwargs.get("momentum")):
            return
        yield from weighted_gradients(both.ours, both.theirs, both.leaves)
        return
    theirs, ours = copy.deepcopy(both.their_optimiser.state_dict()), copy.deepcopy(both.our_optimiser.state_dict())
    both.optimisers()
    both.their_optimiser.load_state_dict(_to_torch(ours))
    both.our_optimiser.load_state_dict(_to_frazil(theirs))
    both.step(3)
    yield from both.unlike("step 3, with each other's state")
    for optimiser in (both.their_optimiser, both.our_optimiser):
        optimiser.load_state_dict(optimiser.state_dict())
    both.step(4)
    yield from both.unlike("step 4")


def configurations(info: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what it is, keyword arguments): PyTorch's samples with every implementation it has, and those for graphs on GPUs."""
    for sample in samples._get_optim_inputs_including_global_cliquey_kwargs("cpu", None, info):
        kwargs = dict(sample.kwargs)
        if "foreach" in info.supported_impls and not any(kwargs.get(flag) for flag in info.supported_impls):
            yield f"{sample.desc} & no flag", {k: v for k, v in kwargs.items() if k not in info.supported_impls}
        yield sample.desc, kwargs


def schedules(info: Any) -> Iterator[str]:
    """In which of PyTorch's schedules for an optimiser the rates differ."""
    for makers in info.scheduler_inputs:
        both = Both(info, "float32", {"lr": 0.1})
        theirs = [make(both.their_optimiser) for make in makers]
        ours_of = {name: getattr(fz.optim.lr_scheduler, name) for name in SCHEDULES}
        with mock.patch.multiple(samples, **ours_of):
            ours = [make(both.our_optimiser) for make in makers]
        for n in range(STEPS):
            both.step(n)
            for a, b in zip(ours, theirs, strict=True):
                arguments = (1.0 + n,) if isinstance(b, torch.optim.lr_scheduler.ReduceLROnPlateau) else ()
                a.step(*arguments), b.step(*arguments)
            rates = [[group["lr"] for group in o.param_groups] for o in (both.our_optimiser, both.their_optimiser)]
            if not np.allclose(*rates, rtol=1e-7):
                yield f": step {n}: rates {rates[0]} for {rates[1]} with {[type(t).__name__ for t in theirs]}"
                break


SCHEDULES = [n for n in dir(samples) if n.endswith("LR") or n == "ReduceLROnPlateau"]


def error_case(info: Any, sample: Any) -> Iterator[str]:
    """Whether what PyTorch refuses, or warns of, is refused or warned of."""
    misuse = sample.optimizer_error_input
    params = torch.nn.Parameter(torch.randn(1, 1)) if misuse.params is None else misuse.params
    params = [params] if misuse.params is None else params
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            seen: dict[int, Any] = {}
            given = _same(params, seen)
            optimiser = find(info.name)(given, **_to_frazil(misuse.kwargs))
            if sample.error_on is OptimizerErrorEnum.STEP_ERROR:
                for p in seen.values():
                    p.grad = fz.rand_like(p)
                optimiser.step()
            yield f": nothing said, where PyTorch says {sample.error_regex}"
        except sample.error_type:
            pass
        except Exception as error:
            yield f": {type(error).__name__} ({error}) for {sample.error_type.__name__} ({sample.error_regex})"


def _same(value: Any, seen: dict[int, Any]) -> Any:
    """Parameters for frazil; the same one where it is the same."""
    if isinstance(value, torch.Tensor):
        return seen.setdefault(id(value), _to_frazil(value))
    if isinstance(value, dict):
        return {k: _same(v, seen) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_same(v, seen) for v in value])
    return value


def cases(name: str, values: bool = True) -> Iterator[tuple[str, str]]:
    """(what was tried, the first difference or "") of every sample of an optimiser; without `values` of dtypes and shapes."""
    info = info_of(name)
    tried = [
        (f"{name} {dtype}, {said}", lambda dtype=dtype, kwargs=kwargs: case(info, dtype, kwargs, values))
        for dtype in DTYPES
        if info.supports_complex or "complex" not in dtype
        for said, kwargs in configurations(info)
        if not (kwargs.get("fused") and "complex" in dtype)  # PyTorch has no kernels for these
    ]
    if info.supports_param_groups and not info.only_supports_sparse_grads:
        tried.append((f"{name} schedules", lambda: schedules(info)))
    for sample in info.optim_error_inputs_func("cpu", torch.float32):
        tried.append((f"{name} refuses: {sample.optimizer_error_input.desc}", lambda sample=sample: error_case(info, sample)))
    for said, run in tried:
        try:
            yield said, next(run(), "")
        except Exception as error:
            yield said, f": {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def main() -> None:
    """Print what is missing, what is wrong and the figures."""
    warnings.simplefilter("ignore")
    there = [name for name in names() if find(name) is not None]
    print("missing:", *(name for name in names() if name not in there))
    right, tried, good = 0, 0, 0
    for name in sys.argv[1:] or there:
        found = list(cases(name))
        wrong = [said + problem for said, problem in found if problem]
        right, tried, good = right + (not wrong), tried + len(found), good + len(found) - len(wrong)
        for problem in wrong[: 40 if sys.argv[1:] else 8]:
            print(f"{len(wrong):3} of {len(found):3}", problem[:400], flush=True)
    print(f"{len(names())} optimisers, {len(there)} there, {right} right; {tried} cases, {good} right")


if __name__ == "__main__":
    main()
