"""What `inference_mode` makes, as in PyTorch: who is such a tensor, who may write to it, what autograd refuses to save."""

from __future__ import annotations

import copy
import io
import re

import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

pytestmark = pytest.mark.parity

#: Programs with `n` and `p` from outside (`p` requires grad), `a`, `v`, `w`, `r` from inside: a tensor, a view of `n`, a result
#: of `p`, and a leaf that requires grad. "in: " those that run inside.
LINES = [
    "a.is_inference(), v.is_inference(), w.is_inference(), r.is_inference(), n.is_inference(), w.requires_grad, r.requires_grad",
    "a[1:].is_inference(), a.detach().is_inference(), a.data.is_inference(), a.view(3, 1).is_inference()",
    "(a * 2).is_inference(), a.clone().is_inference(), (a + n).is_inference(), xp.cat([a, n]).is_inference()",
    "copy.deepcopy(a).is_inference(), loaded(xp, a).is_inference(), xp.as_tensor(a) is a",
    "xp.nn.Parameter(a, requires_grad=False).is_inference(), a.requires_grad_(False).is_inference()",
    "xp.is_inference_mode_enabled(), xp.is_grad_enabled(), xp.is_inference(a)",
    "a._version",
    "a.add_(1)",
    "a.zero_()",
    "a.__setitem__(0, 1.0)",
    "a.view(3, 1).add_(1)",
    "a.copy_(n)",
    "n.copy_(a), n.add_(a), n.is_inference(), n._version",
    "v.add_(1), n",
    "xp.add(n, n, out=a)",
    "a.requires_grad_()",
    "setattr(a, 'requires_grad', True)",
    "xp.nn.Parameter(a)",
    "p * a",
    "p / a",
    "a / p",
    "p @ a",
    "p + a",
    "p - a",
    "xp.cat([p, a]).requires_grad, xp.stack([p, a]).requires_grad",
    "xp.where(a.clone() > 0, p, p)",
    "xp.nn.functional.linear(a[None], p[None])",
    "xp.nn.functional.linear(p[None], a[None])",
    "(p * a.clone()).sum().backward(), p.grad",
    "(p.detach() * a).requires_grad",
    "r + 1, (r + 1).requires_grad",
    "in: a.add_(1), a.zero_(), a.copy_(n), n.add_(1), n.is_inference(), n._version",
    "in: xp.tensor(1.0).is_inference(), xp.randn(2).is_inference(), xp.arange(3).is_inference(), n.clone().is_inference()",
    "in: xp.from_numpy(a.numpy()).is_inference(), xp.nn.Linear(2, 2).weight.is_inference(), n[:1].is_inference()",
    "in: [t.is_inference() for t in (*xp.ones(4).split(2), *xp.ones(4).topk(2), *n.unbind(), n.expand(2, 3), n.detach())]",
    "in: [t.is_inference() for t in (n.contiguous(), n.reshape(3, 1), n.to(xp.float32), n.to(xp.float64), n.data, n.flip(0))]",
    "in: xp.is_inference_mode_enabled(), xp.is_grad_enabled(), (p * 2).requires_grad, (r * 2).requires_grad",
    "in: a.requires_grad_().requires_grad, a.is_leaf",
    "in: a._version",
    "in: (p * 2).sum().backward()",
    "in: under(xp.enable_grad(), lambda: (p * 2).requires_grad)",
    "in: under(xp.inference_mode(False), lambda: ((p * 2).requires_grad, (p * 2).is_inference(), xp.is_grad_enabled()))",
    "in: under(xp.no_grad(), lambda: under(xp.inference_mode(False), lambda: xp.is_grad_enabled()))",
]


def loaded(xp, tensor):
    file = io.BytesIO()
    xp.save(tensor, file)
    file.seek(0)
    return xp.load(file)


def under(mode, function):
    with mode:
        return function()


def told(xp, line):
    """What a line gives, as text, or that it is refused."""
    n, p = xp.ones(3), xp.ones(3, requires_grad=True)
    with xp.inference_mode():
        a, v, w, r = xp.ones(3), n[:], p * 2, xp.ones(3, requires_grad=True)
    names = {"xp": xp, "n": n, "p": p, "a": a, "v": v, "w": w, "r": r, "copy": copy, "loaded": loaded, "under": under}
    inside = line.startswith("in: ")
    try:
        with xp.inference_mode(inside) if inside else xp.enable_grad():
            return str(eval(line.removeprefix("in: "), names))
    except RuntimeError:
        return "refused"


@pytest.mark.parametrize("line", LINES)
def test_a_program_sees_what_it_sees_in_pytorch(line):
    assert told(fz, line) == told(torch, line)


def test_the_refusals_say_what_to_do():
    for line, said in (("a.add_(1)", ".clone() is one of its own"), ("p * a", "no_grad"), ("a.requires_grad_()", ".clone()")):
        with fz.inference_mode():
            a = fz.ones(3)
        with pytest.raises(fz.errors.AutogradError, match=re.escape(said)):
            eval(line, {"a": a, "p": fz.ones(3, requires_grad=True)})


def test_a_number_that_was_first_used_inside_is_one_that_autograd_saves():
    with fz.inference_mode():
        fz.ones(2) * 0.123456
    p = fz.ones(2, requires_grad=True)
    (p * 0.123456).sum().backward()
    assert p.grad.tolist() == pytest.approx([0.123456] * 2)


def test_other_threads_make_tensors_as_before():
    import threading

    made = []
    with fz.inference_mode():
        worker = threading.Thread(target=lambda: made.append(fz.ones(2) + 1))
        worker.start()
        worker.join()
        assert fz.ones(1).is_inference()
    assert [t.is_inference() for t in (*made, fz.ones(1))] == [False, False]
