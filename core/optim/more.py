"""Optimisers of single ideas: ASGD (averages), Rprop (signs), Adafactor (rows and columns), SparseAdam (sparse gradients), Muon
(orthogonal steps).

As in `adaptive.py`: ordinary in-place operations, so their steps record, but for SparseAdam's.
"""

from __future__ import annotations

import math
from typing import Any

from ..creation import ones, zeros, zeros_like
from ..dtypes import finfo
from ..errors import DTypeError
from ..ops.common import is_number
from ..ops.elementwise import where
from ..tensor import Tensor
from .adaptive import _Adaptive
from .optimizer import Optimizer, Params, check_options, real


def _common(lr: Any, foreach: bool | None, maximize: bool, differentiable: bool, **options: Any) -> dict[str, Any]:
    return {"lr": lr, **options, "foreach": foreach, "maximize": maximize, "differentiable": differentiable}


def _refuse_complex(optimizer: Optimizer, param: Tensor) -> None:
    if param.dtype.is_complex:
        raise DTypeError(
            f"{type(optimizer).__name__}: complex parameters are not supported, given {param.dtype} {list(param.shape)}; use Adam"
        )


class ASGD(_Adaptive):
    """Gradient descent whose state `ax` averages the parameters from step `t0` on, as `torch.optim.ASGD`.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.

    >>> import frazil as fz
    >>> w = fz.tensor([1.0], requires_grad=True)
    >>> optimizer = fz.optim.ASGD([w], lr=0.1, lambd=0.0)
    >>> (w * w).sum().backward(); optimizer.step(); w
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_options(lr=lr, weight_decay=weight_decay)
        options = {"lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "capturable": capturable}
        super().__init__(params, _common(lr, foreach, maximize, differentiable, **options))

    def _started(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            state["step"] = zeros((), device=param.device)
            state["eta"] = zeros((), device=param.device) + group["lr"]
            state["mu"] = ones((), device=param.device)
            state["ax"] = zeros_like(param)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        lr, lambd = group["lr"], group["lambd"]
        for param, grad, state in self._prepared(group):
            eta, mu, ax, step = state["eta"].clone(), state["mu"].clone(), state["ax"], state["step"]
            param.mul_(1 - lambd * eta).sub_(grad * eta)
            ax.copy_(where(mu == 1, param, ax + (param - ax) * mu))
            state["eta"].copy_(lr / (1 + lambd * lr * step) ** group["alpha"])
            state["mu"].copy_(1 / (step - group["t0"]).clamp(min=1))


class Rprop(_Adaptive):
    """Steps whose size grows while the sign of the gradient stays and shrinks when it changes, as `torch.optim.Rprop`.

    Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: RPROP", 1993.

    >>> import frazil as fz
    >>> w = fz.tensor([1.0], requires_grad=True)
    >>> optimizer = fz.optim.Rprop([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step(); w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        options = {"etas": etas, "step_sizes": step_sizes, "capturable": capturable}
        super().__init__(params, _common(lr, foreach, maximize, differentiable, **options))

    def _started(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            state["step"] = zeros((), device=param.device)
            state["prev"] = zeros_like(param)
            size = zeros_like(param)
            real(size).add_(group["lr"])
            state["step_size"] = size  # whole: what a state is at first is what it is when it is put there
        return state

    def _update(self, group: dict[str, Any]) -> None:
        (less, more), (low, high) = group["etas"], group["step_sizes"]
        for param, grad, state in self._prepared(group):
            turned = grad * state["prev"]
            factor = where(turned > 0, more, where(turned < 0, less, 1.0))
            size = state["step_size"].mul_(factor).clamp_(low, high)
            grad = where(turned < 0, 0.0, grad)
            param.sub_(grad.sign() * size)
            state["prev"].copy_(grad)


class Adafactor(Optimizer):
    """Second moments kept by rows and columns, as `torch.optim.Adafactor`.

    Source: Shazeer and Stern, https://arxiv.org/abs/1804.04235.

    >>> import frazil as fz
    >>> w = fz.ones(2, 2, requires_grad=True)
    >>> optimizer = fz.optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step(); w
    tensor([[0.9000, 0.9000],
            [0.9000, 0.9000]], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_options(lr=lr, weight_decay=weight_decay)
        if not beta2_decay <= 0 or not d >= 1 or not (eps[0] is None or eps[0] >= 0) or not eps[1] >= 0:
            raise ValueError("Adafactor: beta2_decay is at most 0, d at least 1, and neither eps is negative")
        options = {"beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
        super().__init__(params, {"lr": lr, **options, "foreach": foreach, "maximize": maximize})

    def _update(self, group: dict[str, Any]) -> None:
        lr, decay, (eps1, eps2), d = group["lr"], group["beta2_decay"], group["eps"], group["d"]
        for param, grad in self._graded(group):
            _refuse_complex(self, param)
            grad = -grad if group["maximize"] else grad
            state = self.state[param]
            if not state:
                state["step"] = zeros((), device=param.device)
                if param.ndim > 1:
                    state["row_var"] = zeros_like(grad[..., :1])
                    state["col_var"] = zeros_like(grad[..., :1, :])
                else:
                    state["variance"] = zeros_like(param)
            step = state["step"].add_(1)
            new = step**decay  # the weight of this gradient in the averages
            rate = (1 / step.sqrt()).clamp(max=lr)
            size = param.detach().norm() / math.sqrt(param.numel() or 1)
            rate = size.clamp(min=eps2) * rate
            if not is_number(group["weight_decay"], 0):
                param.mul_(1 - lr * group["weight_decay"])
            tiny = finfo(param.dtype).eps if eps1 is None else eps1
            if param.ndim > 1:
                row, column = state["row_var"], state["col_var"]
                row.add_(((grad * grad).mean(-1, keepdim=True) - row) * new)
                column.add_(((grad * grad).mean(-2, keepdim=True) - column) * new)
                variance = row @ column / row.mean(-2, keepdim=True).clamp(min=tiny)
            else:
                variance = state["variance"].add_((grad * grad - state["variance"]) * new)
            update = variance.clamp(min=tiny * tiny).rsqrt() * grad
            spread = (update.norm() / (math.sqrt(update.numel() or 1) * d)).clamp(min=1.0)
            param.sub_(update * (rate / spread))


class SparseAdam(Optimizer):
    """Adam for sparse gradients, as `torch.optim.SparseAdam`: only where the gradient has entries, moments and parameters change.

    >>> import frazil as fz
    >>> table = fz.nn.Embedding(4, 2, sparse=True)
    >>> optimizer = fz.optim.SparseAdam(table.parameters(), lr=0.1)
    >>> before = table.weight.detach().clone()
    >>> table(fz.tensor([1, 3])).sum().backward(); optimizer.step()
    >>> (table.weight != before).all(dim=1)
    tensor([False,  True, False,  True])
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_options(lr=lr, betas=betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        if any(param.dtype.is_complex for param in self._params()):
            raise ValueError("SparseAdam does not support complex parameters")
        sparse = [i for i, param in enumerate(self._params()) if param.is_sparse]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")

    def _update(self, group: dict[str, Any]) -> None:
        (beta1, beta2), eps = group["betas"], group["eps"]
        for param in group["params"]:
            if param.grad is None:
                continue
            if not param.grad.is_sparse:
                raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
            grad = param.grad.coalesce()
            state = self.state[param]
            if not state:
                state["step"] = 0
                state["exp_avg"], state["exp_avg_sq"] = zeros_like(param), zeros_like(param)
            state["step"] += 1
            at, values = tuple(grad.indices()), -grad.values() if group["maximize"] else grad.values()
            mean, square = state["exp_avg"][at], state["exp_avg_sq"][at]
            mean = mean + (values - mean) * (1 - beta1)
            square = square + (values * values - square) * (1 - beta2)
            state["exp_avg"][at], state["exp_avg_sq"][at] = mean, square
            size = group["lr"] * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
            param[at] = param[at] - mean / (square.sqrt() + eps) * size


class Muon(Optimizer):
    """Momentum whose direction is made orthogonal, for the matrices of a network, as `torch.optim.Muon`.

    Source: Jordan et al., https://kellerjordan.github.io/posts/muon.

    >>> import frazil as fz
    >>> w = fz.eye(2).requires_grad_()
    >>> optimizer = fz.optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward(); optimizer.step(); (w[0, 0] < 1).item()
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_options(lr=lr, weight_decay=weight_decay, momentum=momentum)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        options = {
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
        }
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **options, "adjust_lr_fn": adjust_lr_fn})
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {param.size()}")

    def _update(self, group: dict[str, Any]) -> None:
        keep = group["momentum"]
        for param, grad in self._graded(group):
            _refuse_complex(self, param)
            state = self.state[param]
            if not state:
                state["momentum_buffer"] = zeros_like(grad)
            buffer = state["momentum_buffer"]
            buffer.add_((grad - buffer) * (1 - keep))
            update = grad + (buffer - grad) * keep if group["nesterov"] else buffer
            update = orthogonalized(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
            rows, columns = param.shape
            if group["adjust_lr_fn"] == "match_rms_adamw":
                ratio = 0.2 * math.sqrt(max(rows, columns))
            else:
                ratio = math.sqrt(max(1, rows / columns))
            param.mul_(1 - group["lr"] * group["weight_decay"])
            param.sub_(update * (group["lr"] * ratio))


def orthogonalized(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Return about the nearest matrix whose singular values are 1, by `steps` of a Newton-Schulz iteration.

    PyTorch does this in bfloat16; here it has the dtype of the matrix.

    >>> import frazil as fz
    >>> from frazil.optim.more import orthogonalized
    >>> x = orthogonalized(fz.tensor([[2.0, 0.0], [0.0, 1.0]]), (1.5, -0.5, 0.0), 20, 1e-7); x
    tensor([[1., 0.],
            [0., 1.]])
    """
    a, b, c = coefficients
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = x * a + (gram * b + gram @ gram * c) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
