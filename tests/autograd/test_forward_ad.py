"""Dual tensors: tangents of results are directional derivatives."""

from __future__ import annotations

import pytest

import frazil as fz
import frazil.autograd.forward_ad as fwAD

#: Functions of two tensors float64[2, 3].
FUNCTIONS = {
    "products": lambda x, y: x @ y.T + (x * y).sum(),
    "bodies": lambda x, y: fz.nn.functional.softplus(x).logsumexp(1) * fz.softmax(y, 0).amax(1),
    "in place": lambda x, y: x.mul_(2).exp_() * y[0],
    "one only": lambda x, y: x.tanh() * y.detach(),
    "linear": lambda x, y: x.reshape(-1)[:2] - 3 * y[0, 1:],
    "several": lambda x, y: fz.linalg.qr(x).R * y[0, 0],
    "flat": lambda x, y: x.floor() + y.sign(),
}


def made(seed):
    return fz.tensor([[0.5, -1.5, 2.25], [1.0, 0.25, -0.75]], dtype=fz.float64) + seed / 8


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tangents_are_directional_derivatives(name):
    f, given = FUNCTIONS[name], [made(i) for i in range(4)]
    expected = fz.func.jvp(lambda x, y: f(x * 1, y * 1), tuple(given[:2]), tuple(given[2:]))
    for outside in (True, False):
        x, y = given[0].clone(), given[1].clone()
        with fz.set_grad_enabled(outside):
            with fwAD.dual_level():
                primal, tangent = fwAD.unpack_dual(f(fwAD.make_dual(x, given[2]), fwAD.make_dual(y, given[3])))
            assert fz.is_grad_enabled() == outside
        assert not primal.requires_grad and not tangent.requires_grad and not x.requires_grad
        fz.testing.assert_close(primal, expected[0])
        fz.testing.assert_close(tangent, expected[1])


def test_a_dual_lies_in_the_memory_of_its_tensor_and_what_has_no_tangent_says_so():
    x = made(0)
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, made(1))
        dual.mul_(2)
        fz.testing.assert_close(x, made(0) * 2)
        assert fwAD.unpack_dual(dual).tangent.tolist() == (made(1) * 2).tolist()
        other = fz.ones(2, requires_grad=True) * 2
        assert fwAD.unpack_dual(other) == (other, None) and fwAD.unpack_dual(dual > 0).tangent is None
        with fz.no_grad():
            assert fwAD.unpack_dual(dual * 2).tangent is None
    assert fwAD.unpack_dual(dual).tangent is None


def test_tangents_are_differentiated_backwards():
    """Hessian times vector, forwards and then backwards."""
    x, v = made(0).requires_grad_(), made(1)
    with fwAD.dual_level():
        primal, tangent = fwAD.unpack_dual((fwAD.make_dual(x, v) ** 3).sum())
    assert primal.requires_grad
    fz.testing.assert_close(fz.autograd.grad(tangent, x, retain_graph=True)[0], 6 * x.detach() * v)
    fz.testing.assert_close(fz.autograd.grad(primal, x)[0], 3 * x.detach() ** 2)
    w = made(2).requires_grad_()
    with fwAD.dual_level():
        fwAD.unpack_dual((fwAD.make_dual(made(0), v) * w).sum()).tangent.backward()
    fz.testing.assert_close(w.grad, v)


def test_duals_in_functions_of_many_samples_and_in_recordings():
    @fwAD.dual_level()
    def f(x, t):
        return fwAD.unpack_dual(fwAD.make_dual(x, t).exp().sum())[1]

    expected = (made(0).exp() * made(1)).sum(1)
    fz.testing.assert_close(fz.func.vmap(f)(made(0), made(1)), expected)
    recorded = fz.jit.trace(lambda x: f(x, x + 0.125), (fz.ones(3, dtype=fz.float64),))
    fz.testing.assert_close(recorded(made(0)[0]), expected[0])


def test_wrong_use_is_explained():
    x = fz.ones(2)
    with pytest.raises(RuntimeError, match="no level"):
        fwAD.make_dual(x, x)
    with fwAD.dual_level():
        for error, match, call in (
            (RuntimeError, "around it", fwAD.enter_dual_level),
            (RuntimeError, "already", lambda: fwAD.make_dual(fwAD.make_dual(x, x) * 1, x)),
            (RuntimeError, r"shape \[3\]", lambda: fwAD.make_dual(x, fz.ones(3))),
            (ValueError, "int64", lambda: fwAD.make_dual(x.long(), x)),
            (ValueError, "the tangent must be .* given a float", lambda: fwAD.make_dual(x, 1.0)),
            (RuntimeError, "not 1", lambda: fwAD.exit_dual_level(level=1)),
        ):
            with pytest.raises(error, match=match):
                call()
