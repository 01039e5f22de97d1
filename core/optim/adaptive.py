"""Optimisers that scale every step by past gradients: RMSprop, Adagrad, Adadelta, Adamax, NAdam, RAdam.

They are written in ordinary in-place operations, so their steps record; the learning rate may be a 0-d tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..creation import ones, zeros_like
from ..ops.common import is_number
from ..ops.optim import one_minus_power
from ..tensor import Tensor
from .optimizer import Optimizer, Params, check_options, real


class _Adaptive(Optimizer):
    """Common part: counts steps, applies weight decay and the direction to the gradient."""

    #: Zeros that every parameter starts with, besides the step counter.
    _names: tuple[str, ...] = ()

    def _started(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return self._slots(param, *self._names)

    def _prepared(self, group: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor, dict[str, Any]]]:
        """(parameter, gradient to follow downwards, state with the step counted) of every parameter that has a gradient."""
        decay = group.get("weight_decay", 0)
        for param, grad in self._graded(group):
            state = self._started(param, group)
            if group.get("differentiable"):  # what backward keeps of the last step must not be written to
                state.update({name: value.clone() for name, value in state.items()})
            state["step"].add_(1)
            grad = real(-grad if group.get("maximize") else grad)
            if param.dtype.is_complex:
                param, state = real(param), {name: real(value) for name, value in state.items()}
            if is_number(decay, 0):
                pass
            elif group.get("decoupled_weight_decay"):
                param.mul_(1 - group["lr"] * decay)
            else:
                grad = grad + param * decay
            yield param, grad, state


def _average_(average: Tensor, value: Tensor, keep: float) -> None:
    """average = keep * average + (1 - keep) * value."""
    average.mul_(keep).add_(value * (1 - keep))


class RMSprop(_Adaptive):
    """Divide by a moving root mean square of the gradient, as `torch.optim.RMSprop`.

    Source: Hinton's lecture 6e, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf; centred: Graves,
    https://arxiv.org/abs/1308.0850.

    >>> import frazil as fz
    >>> w = fz.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = fz.optim.RMSprop([w], lr=0.01, alpha=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9900, -0.9900], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _started(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        names = ["square_avg"] + ["momentum_buffer"] * (not is_number(group["momentum"], 0)) + ["grad_avg"] * group["centered"]
        return self._slots(param, *names)

    def _update(self, group: dict[str, Any]) -> None:
        alpha, momentum = group["alpha"], group["momentum"]
        for param, grad, state in self._prepared(group):
            square_avg = state["square_avg"]
            _average_(square_avg, grad * grad, alpha)
            if group["centered"]:
                _average_(state["grad_avg"], grad, alpha)
                spread = (square_avg - state["grad_avg"] * state["grad_avg"]).sqrt()
            else:
                spread = square_avg.sqrt()
            direction = grad / (spread + group["eps"])
            if not is_number(momentum, 0):
                direction = state["momentum_buffer"].mul_(momentum).add_(direction)
            param.sub_(direction * group["lr"])


class Adagrad(_Adaptive):
    """Divide by the root of the sum of all squared gradients, as `torch.optim.Adagrad`.

    Source: Duchi, Hazan and Singer, http://jmlr.org/papers/v12/duchi11a.html.
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_options(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # PyTorch's Adagrad has its state from the start
            for param in group["params"]:
                self._started(param, group)

    _takes_sparse = True

    def share_memory(self) -> None:
        """Accepted for PyTorch programs, as `Tensor.share_memory_` of the state."""
        for param in self._params():
            self.state[param]["sum"].share_memory_()

    def _started(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = self._slots(param)
        if "sum" not in state:
            state["sum"] = zeros_like(param)
            real(state["sum"]).add_(group["initial_accumulator_value"])
        return state

    def _update(self, group: dict[str, Any]) -> None:
        for param, grad, state in self._prepared(group):
            rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
            state["sum"].add_(grad * grad)
            param.sub_(grad * rate / (state["sum"].sqrt() + group["eps"]))


class Adadelta(_Adaptive):
    """Scale by the ratio of past steps to past gradients, as `torch.optim.Adadelta`. Source: Zeiler, https://arxiv.org/abs/1212.5701."""

    _names = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Params,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        if rho > 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        rho, eps = group["rho"], group["eps"]
        for param, grad, state in self._prepared(group):
            _average_(state["square_avg"], grad * grad, rho)
            delta = grad * ((state["acc_delta"] + eps).sqrt() / (state["square_avg"] + eps).sqrt())
            _average_(state["acc_delta"], delta * delta, rho)
            param.sub_(delta * group["lr"])


class Adamax(_Adaptive):
    """Adam with the largest gradient in place of the second moment, as `torch.optim.Adamax`. Source: https://arxiv.org/abs/1412.6980."""

    _names = ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Params,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_options(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        for param, grad, state in self._prepared(group):
            _average_(state["exp_avg"], grad, beta1)
            state["exp_inf"].copy_((state["exp_inf"] * beta2).maximum(grad.abs() + group["eps"]))
            rate = group["lr"] / one_minus_power(beta1, state["step"])
            param.sub_(state["exp_avg"] / state["exp_inf"] * rate)


class NAdam(_Adaptive):
    """Adam with Nesterov momentum, as `torch.optim.NAdam`. Source: Dozat, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ."""

    _names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _started(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            self._slots(param)
            state["mu_product"] = ones((), device=param.device)
            for name in self._names:
                state[name] = zeros_like(param)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]

        def momentum_at(step: Tensor) -> Tensor:
            # 0.96 ** (step * momentum_decay), as a power of e so that a tensor may stand in the exponent
            return beta1 * (1.0 - 0.5 * (step * (group["momentum_decay"] * math.log(0.96))).exp())

        for param, grad, state in self._prepared(group):
            step, product = state["step"], state["mu_product"]
            now, following = momentum_at(step), momentum_at(step + 1)
            product.mul_(now)
            _average_(state["exp_avg"], grad, beta1)
            _average_(state["exp_avg_sq"], grad * grad, beta2)
            spread = (state["exp_avg_sq"] / one_minus_power(beta2, step)).sqrt() + group["eps"]
            move = grad * ((1.0 - now) / (1.0 - product)) + state["exp_avg"] * (following / (1.0 - product * following))
            param.sub_(move / spread * group["lr"])


class RAdam(_Adaptive):
    """Adam that adapts only once its variance is known well enough, as `torch.optim.RAdam`. Source: https://arxiv.org/abs/1908.03265."""

    _names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        longest = 2.0 / (1.0 - beta2) - 1.0  # length of the moving average in the long run
        for param, grad, state in self._prepared(group):
            step = state["step"]
            _average_(state["exp_avg"], grad, beta1)
            _average_(state["exp_avg_sq"], grad * grad, beta2)
            mean = state["exp_avg"] / one_minus_power(beta1, step)
            rest = one_minus_power(beta2, step)
            length = longest - 2.0 * step * (1.0 - rest) / rest
            known = (length > 5.0).to(length.dtype)
            above = length.clamp(min=5.0)  # keeps the root real where it is not used
            rectified = ((above - 4.0) * (above - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * above)).sqrt()
            adapted = rectified * rest.sqrt() / (state["exp_avg_sq"].sqrt() + group["eps"])
            param.sub_(mean * (known * adapted + (1.0 - known)) * group["lr"])
