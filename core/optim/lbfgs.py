"""Limited-memory BFGS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..autograd.modes import enable_grad, no_grad
from ..creation import zeros_like
from ..nn.utils.convert_parameters import parameters_to_vector
from ..ops.shape import cat
from ..tensor import Tensor
from .optimizer import Closure, Optimizer, Params, check_options, real


class LBFGS(Optimizer):
    """Limited-memory BFGS, as `torch.optim.LBFGS`: a quasi-Newton method for smooth losses of all data at once.

    `step` needs a closure that clears the gradients, computes the loss, calls backward and returns the loss; it is called several
    times, and the steps depend on the numbers, so a step cannot be recorded. All parameters are in one group.

    Args:
        lr: the length of a step, or of the first one tried by the line search.
        max_iter: at most this many directions per step; `max_eval`: at most this many calls of the closure (default: 5/4 of it).
        tolerance_grad, tolerance_change: a step ends when the largest gradient, or the change, is at most this.
        history_size: how many past steps make up the estimate of the curvature.
        line_search_fn: None or "strong_wolfe".

    >>> import frazil as fz
    >>> w = fz.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = fz.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - fz.tensor([1.0, 2.0])) ** 2 * fz.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> first = optimizer.step(closure)
    >>> w.round(decimals=3).tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_options(lr=lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn must be None or 'strong_wolfe', given {line_search_fn!r}")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS: all parameters must be in one group, they share one step")

    def step(self, closure: Closure | None = None) -> Any:
        """Take up to `max_iter` steps; returns the loss before the first one."""
        if closure is None:
            raise ValueError("LBFGS: step needs a closure that computes the loss and its gradients; see optim.LBFGS")
        with no_grad():
            return self._steps(closure)

    def _steps(self, closure: Closure) -> Any:
        (group,) = self.param_groups
        params, limit = group["params"], group["max_eval"]
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> Any:
            with enable_grad():
                loss = closure()
            state["func_evals"] += 1
            return loss

        def moved(start: Tensor, length: Any) -> tuple[float, Tensor]:
            """Loss and gradient at `start + length * direction`."""
            _write(params, start + direction * length)
            return float(evaluate()), _gradient(params)

        first_loss = evaluate()
        evaluations, loss, gradient = 1, float(first_loss), _gradient(params)
        if gradient.abs().max().item() <= group["tolerance_grad"]:
            return first_loss
        memory = {name: state[name] for name in _MEMORY if name in state}
        for iteration in range(group["max_iter"]):
            state["n_iter"] += 1
            first_ever = state["n_iter"] == 1
            if first_ever:
                memory = {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1}
                direction = -gradient
            else:
                if "al" not in state:
                    state["al"] = [None] * group["history_size"]
                direction = _direction(memory, state["al"], gradient, group["history_size"])
            length = (1.0 / gradient.abs().sum()).clamp(max=1.0) * group["lr"] if first_ever else group["lr"]
            slope = gradient.dot(direction).item()
            previous_loss = loss
            memory |= {"d": direction, "t": length, "prev_flat_grad": gradient, "prev_loss": loss}
            if slope > -group["tolerance_change"]:
                break
            start = parameters_to_vector([real(p) for p in params])
            if group["line_search_fn"] is not None:
                length, loss, gradient, used = _strong_wolfe(
                    lambda t, start=start: moved(start, t),  # type: ignore[misc]
                    direction,
                    (float(length), loss, gradient, slope),
                    tolerance=group["tolerance_change"],
                )
                _write(params, start + direction * length)
                evaluations += used
            elif iteration + 1 < group["max_iter"]:
                loss, gradient = moved(start, length)
                evaluations += 1
            else:  # nobody asks for the loss after the last one
                _write(params, start + direction * length)
            memory["t"] = length
            if (
                evaluations >= limit
                or gradient.abs().max().item() <= group["tolerance_grad"]
                or (direction * length).abs().max().item() <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                break
        state.update((name, memory[name]) for name in _MEMORY)
        return first_loss


#: What is known of the curvature, in the order of PyTorch's state dicts.
_MEMORY = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


def _direction(memory: dict[str, Any], parts: list[Any], gradient: Tensor, history_size: int) -> Tensor:
    """Where to go: minus the gradient, times an estimate of the inverse curvature from past steps.

    `parts`: where the share that each past step has in it is noted.
    """
    changes, steps, weights = memory["old_dirs"], memory["old_stps"], memory["ro"]
    change, step = gradient - memory["prev_flat_grad"], memory["d"] * memory["t"]
    curvature = change.dot(step)
    if curvature > 1e-10:
        if len(changes) == history_size:
            del changes[0], steps[0], weights[0]
        changes.append(change)
        steps.append(step)
        weights.append(1.0 / curvature)
        memory["H_diag"] = curvature / change.dot(change)
    direction = -gradient
    for i in reversed(range(len(changes))):
        parts[i] = steps[i].dot(direction) * weights[i]
        direction = direction - changes[i] * parts[i]
    direction = direction * memory["H_diag"]
    for i in range(len(changes)):
        direction = direction + steps[i] * (parts[i] - changes[i].dot(direction) * weights[i])
    return direction


def _gradient(params: list[Tensor]) -> Tensor:
    return cat([real(zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in params])


def _write(params: list[Tensor], values: Tensor) -> None:
    """Put `values`, one long vector, into the parameters."""
    offset = 0
    for p in map(real, params):
        p.copy_(values[offset : offset + p.numel()].reshape(p.shape))
        offset += p.numel()


#: A point of a line search: length, loss, gradient, slope along the direction.
Point = tuple[float, float, Tensor, float]


def _strong_wolfe(
    at: Callable[[float], tuple[float, Tensor]],
    direction: Tensor,
    given: tuple[float, float, Tensor, float],
    *,
    tolerance: float,
    decrease: float = 1e-4,
    flatter: float = 0.9,
    limit: int = 25,
) -> tuple[float, float, Tensor, int]:
    """A length along `direction` where the loss is lower by enough and the slope flatter by enough (Nocedal and Wright,
    Numerical Optimization, algorithms 3.5 and 3.6, with cubic interpolation). Returns length, loss, gradient, evaluations."""
    length, loss0, gradient0, slope0 = given
    size = direction.abs().max().item()

    def point(t: float) -> Point:
        loss, gradient = at(t)
        return t, loss, gradient, gradient.dot(direction).item()

    def too_high(p: Point) -> bool:
        return not p[1] <= loss0 + decrease * p[0] * slope0

    def flat(p: Point) -> bool:
        return abs(p[3]) <= -flatter * slope0

    before: Point = (0.0, loss0, gradient0, slope0)
    low = high = here = point(length)
    used = 1
    while True:  # lengthen until a good point is passed
        if too_high(here) or (used > 1 and here[1] >= before[1]):
            low, high = before, here
            break
        if flat(here):
            return here[0], here[1], here[2], used
        if here[3] >= 0:
            low, high = here, before
            break
        if used == limit:
            return here[0], here[1], here[2], used
        least, most = here[0] + 0.01 * (here[0] - before[0]), here[0] * 10
        before, here = here, point(_cubic_minimum(before, here, least, most))
        used += 1
    stuck = False
    while used < limit and abs(high[0] - low[0]) * size >= tolerance:  # narrow down
        least, most = min(low[0], high[0]), max(low[0], high[0])
        t = _cubic_minimum(low, high, least, most)
        margin = 0.1 * (most - least)
        if min(most - t, t - least) < margin:  # close to an end: once is allowed, unless it is at the end itself
            if stuck or t >= most or t <= least:
                t = most - margin if abs(t - most) < abs(t - least) else least + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        here = point(t)
        used += 1
        if too_high(here) or here[1] >= low[1]:
            high = here
            continue
        if flat(here):
            low = here
            break
        if here[3] * (high[0] - low[0]) >= 0:
            high = low
        low = here
    return low[0], low[1], low[2], used


def _cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is smallest, within bounds; the middle if it has no minimum."""
    (t1, f1, _, s1), (t2, f2, _, s2) = (a, b) if a[0] <= b[0] else (b, a)
    if t1 == t2 or not all(map(math.isfinite, (f1, f2, s1, s2))):
        return (least + most) / 2
    d1 = s1 + s2 - 3 * (f1 - f2) / (t1 - t2)
    square = d1 * d1 - s1 * s2
    if square < 0:
        return (least + most) / 2
    d2 = math.sqrt(square)
    t = t2 - (t2 - t1) * ((s2 + d2 - d1) / (s2 - s1 + 2 * d2))
    return min(max(t, least), most)
