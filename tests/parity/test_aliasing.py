"""Views, in-place operations and their gradients: random programs do in frazil what they do in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import frazil as fz

from .test_ops import torch

pytestmark = pytest.mark.parity

#: name -> what it does: (frazil or torch, the chosen tensor, another one, a number) -> a new tensor, or None.
VIEWS = {
    "t.view(-1)": lambda xp, t, other, k: t.view(-1),
    "t.reshape(-1)": lambda xp, t, other, k: t.reshape(-1),
    "t.reshape(k, -1)": lambda xp, t, other, k: t.reshape(k + 1, -1),
    "t.transpose(0, -1)": lambda xp, t, other, k: t.transpose(0, -1),
    "t[k:]": lambda xp, t, other, k: t[k:],
    "t[:, ::2]": lambda xp, t, other, k: t[:, ::2],
    "t[..., k]": lambda xp, t, other, k: t[..., k],
    "t[k]": lambda xp, t, other, k: t[k],
    "t.unsqueeze(k)": lambda xp, t, other, k: t.unsqueeze(k),
    "t.squeeze()": lambda xp, t, other, k: t.squeeze(),
    "t.diagonal()": lambda xp, t, other, k: t.diagonal(),
    "t.narrow(0, k, 1)": lambda xp, t, other, k: t.narrow(0, k, 1),
    "t.expand(2, ...)": lambda xp, t, other, k: t.expand(2, *t.shape),
    "t.detach()": lambda xp, t, other, k: t.detach(),
    "t.permute": lambda xp, t, other, k: t.permute(*reversed(range(t.ndim))),
    "t.flatten()": lambda xp, t, other, k: t.flatten(),
    "t.contiguous()": lambda xp, t, other, k: t.contiguous(),
}
WRITES = {
    "t.mul_(k)": lambda xp, t, other, k: t.mul_(k - 1.5),
    "t.add_(other)": lambda xp, t, other, k: t.add_(other),
    "t.add_(1)": lambda xp, t, other, k: t.add_(1),
    "t.mul_(t)": lambda xp, t, other, k: t.mul_(t),
    "t.copy_(other)": lambda xp, t, other, k: t.copy_(other),
    "t.zero_()": lambda xp, t, other, k: t.zero_(),
    "t.fill_(k)": lambda xp, t, other, k: t.fill_(k),
    "t.tanh_()": lambda xp, t, other, k: t.tanh_(),
    "t.sigmoid_()": lambda xp, t, other, k: t.sigmoid_(),
    "t.clamp_(-1, 1)": lambda xp, t, other, k: t.clamp_(-1, 1),
    "t[k] = 5": lambda xp, t, other, k: t.__setitem__(k, 5.0),
    "t[0] += 1": lambda xp, t, other, k: t.__setitem__(0, t[0].add_(1)),
    "t[t > 0] = 0": lambda xp, t, other, k: t.__setitem__(t > 0, 0.0),
    "t[[0, -1]] = k": lambda xp, t, other, k: t.__setitem__([0, -1], float(k)),
    "t[...] = other": lambda xp, t, other, k: t.__setitem__(Ellipsis, other),
    "t.masked_fill_": lambda xp, t, other, k: t.masked_fill_(t < 0, 0.5),
    "t.data[0] = 2": lambda xp, t, other, k: t.data.__setitem__(0, 2.0),
    "t += other": lambda xp, t, other, k: t.__iadd__(other),
    "t *= 2": lambda xp, t, other, k: t.__imul__(2),
    "t.index_add_": lambda xp, t, other, k: t.index_add_(0, xp.tensor([k]), other[:1]),
}
PURE = {
    "t * other": lambda xp, t, other, k: t * other,
    "t.clone()": lambda xp, t, other, k: t.clone(),
    "t.exp()": lambda xp, t, other, k: (t * 0.1).exp(),
    "t * k": lambda xp, t, other, k: t * k,
    "t.sum(0)": lambda xp, t, other, k: t.sum(0),
    "t[mask]": lambda xp, t, other, k: t[[k]],
}
STEPS = {**VIEWS, **WRITES, **PURE}

step = st.tuples(
    st.one_of(st.sampled_from(sorted(VIEWS)), st.sampled_from(sorted(WRITES)), st.sampled_from(sorted(PURE))),
    st.integers(0, 7),
    st.integers(0, 7),
    st.integers(0, 2),
    st.booleans(),
)


def run(xp: Any, steps: Any, requires_grad: bool) -> list[Any]:
    """All that can be seen of a program: which steps were refused, the values of all tensors, the gradients of the leaves."""
    x = xp.tensor(np.arange(12.0).reshape(3, 4) / 5 - 1, requires_grad=requires_grad)
    w = xp.tensor(np.linspace(-1, 1, 12).reshape(3, 4), requires_grad=requires_grad)
    pool = [x.clone(), w * 2, x * w]
    seen: list[Any] = []
    for name, i, j, k, without_grad in steps:
        t, other = pool[i % len(pool)], pool[j % len(pool)].clone()  # PyTorch refuses operands that overlap the result
        overlaps = any(n > 1 and d == 0 for n, d in zip(t.shape, t.stride(), strict=True))
        if overlaps and name in WRITES and name not in ("t[k] = 5", "t[0] += 1", "t.data[0] = 2"):
            continue  # PyTorch allows some writes to expanded tensors, with a warning that it will stop
        try:
            if without_grad and name not in VIEWS:
                with xp.no_grad():
                    result = STEPS[name](xp, t, other, k)
            else:
                result = STEPS[name](xp, t, other, k)
        except (RuntimeError, IndexError, TypeError, ValueError):
            seen.append((name, "refused"))
            continue
        if name in WRITES:
            seen.append(name)
        else:
            pool.append(result)
    seen += [(tuple(t.shape), t.detach().numpy().tolist()) for t in pool]
    seen.append([t.requires_grad for t in pool])
    if requires_grad:
        loss = sum((t * (i + 1)).sum() for i, t in enumerate(pool) if t.requires_grad)
        try:
            loss.backward()
        except RuntimeError:
            return [*seen, "backward refused"]
        seen += [t.grad.numpy().tolist() if t.grad is not None else np.zeros(t.shape).tolist() for t in (x, w)]
    return seen


def close(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))
    return bool(a == b)


def difference(ours: list[Any], theirs: list[Any]) -> str:
    """The first things that differ."""
    wrong = [f"{i}: {a}, in PyTorch {b}" for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if not close(a, b)]
    return "\n".join(wrong[:2] or [f"{len(ours)} and {len(theirs)} things: {ours[-1]}, in PyTorch {theirs[-1]}"])


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(step, max_size=9), st.booleans())
def test_random_programs(steps, requires_grad):
    ours, theirs = run(fz, steps, requires_grad), run(torch, steps, requires_grad)
    if theirs[-1] == "backward refused" and ours[-1] != "backward refused":
        theirs = [*theirs[:-1], *ours[len(theirs) - 1 :]]
    assert close(ours, theirs), difference(ours, theirs)


def test_a_result_changed_in_place_is_computed_again_for_its_gradient():
    """PyTorch's pooling remembers where the maxima were, so published networks write into its result."""
    found = []
    for xp in (torch, fz):
        x = xp.tensor(np.random.default_rng(0).normal(size=(1, 2, 6, 6)), requires_grad=True)
        y = xp.nn.functional.max_pool2d(x * 1, 2)
        y += 1
        y = xp.nn.functional.relu(xp.nn.functional.max_pool2d(y * y, 3), inplace=True)
        (gradient,) = xp.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = xp.autograd.grad((gradient**2).sum(), x)
        found.append((gradient.detach().numpy(), second.numpy()))
    np.testing.assert_allclose(*found)

    x = fz.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y += 1
    with pytest.raises(fz.errors.AutogradError, match="backward of exp: its result was modified in place"):
        y.sum().backward()
