"""Gradients through scripted loops and branches, and gradients taken inside of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import frazil as fz
from frazil import nn

from .programs import numbers, program
from .programs_python import VEC

MAT = [(numbers(3, 2),), (numbers(4, 2),), (numbers(1, 2),), (numbers(2, 2) + 5,)]


def gradient(*inputs: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Enter a loss as a program that gives its value and gradient."""

    def enter(loss: Any) -> Any:
        def with_gradient(x):
            x = x.detach().requires_grad_()
            y = loss(x)
            (g,) = fz.autograd.grad(y, [x])
            return y.detach(), g

        with_gradient.__name__ = loss.__name__
        program(*inputs)(with_gradient)
        return loss

    return enter


@gradient(*VEC)
def gradient_while(x):
    y = x
    while (y * y).sum() < 50:
        y = y * 1.7 + 0.3
    return y.sum()


@gradient(*VEC)
def gradient_for_if(x):
    s = fz.zeros(())
    for v in x:
        if v > 0:
            s = s + v * v
        else:
            s = s - v * 0.5
    return s


@gradient(*VEC)
def gradient_inplace(x):
    out = fz.zeros(x.shape[0])
    acc = fz.zeros(())
    for i in range(x.shape[0]):
        acc = acc * 0.5 + x[i]
        out[i] = acc * acc
    return out.sum()


@gradient(*VEC)
def gradient_list(x):
    hs = []
    h = fz.zeros(())
    for v in x:
        h = (h + v).tanh()
        hs.append(h * v)
    return fz.stack(hs).sum()


@gradient(*VEC)
def gradient_break(x):
    s = fz.zeros(())
    for v in x:
        s = s + v * v
        if s > 3:
            break
    return s


@gradient(*VEC)
def gradient_return(x):
    for v in x:
        if v < 0:
            return v * v * v
    return x.sum() ** 2


@gradient(*VEC)
def gradient_nested(x):
    s = fz.zeros(())
    for i in range(x.shape[0]):
        for j in range(i + 1):
            s = s + x[i] * x[j]
    return s


@gradient(*VEC)
def gradient_acc(x):
    a = fz.zeros_like(x)
    for k in range(3):
        if x.sum() > k:
            a += x * x
        else:
            a -= x
    return a.sum()


@program(*VEC)
def grad_inside_loop(x):
    w = fz.ones(())
    for v in x:
        w = w.detach().requires_grad_()
        loss = (w * v - 1) ** 2
        (g,) = fz.autograd.grad(loss, [w])
        w = w - 0.05 * g
    return w.detach()


@program(*VEC)
def gd_until(x):
    w = fz.zeros(())
    n = 0
    while n < 50:
        w = w.detach().requires_grad_()
        loss = ((w - x) ** 2).mean()
        (g,) = fz.autograd.grad(loss, [w])
        if g.abs() < 0.1:
            break
        w = w - 0.2 * g
        n += 1
    return w.detach(), n


@program(*VEC)
def vmaplike_grad(x):
    def f(v):
        return v.sin() * v if v > 0 else v * v

    gs = []
    for v in x:
        v = v.detach().requires_grad_()
        gs.append(fz.autograd.grad(f(v), [v])[0])
    return fz.stack(gs)


@program(*MAT)
class RNNGrad(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Linear(4, 2)

    def forward(self, x):
        h = fz.zeros(2)
        for r in x:
            h = self.c(fz.cat([h, r])).tanh()
            if h.sum() > 0.5:
                h = h * 0.5
        loss = (h**2).sum()
        gw, gb = fz.autograd.grad(loss, [self.c.weight, self.c.bias])
        return loss.detach(), gw, gb
