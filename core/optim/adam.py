"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from ..ops.optim import adam_step_, amsgrad_step_, scheduled_adam_step_
from ..tensor import Tensor
from .optimizer import Optimizer, Params, check_options, real


class Adam(Optimizer):
    """Adam, as `torch.optim.Adam`. Source: Kingma and Ba, https://arxiv.org/abs/1412.6980.

    `weight_decay` is added to the gradient, or with `decoupled_weight_decay` shrinks the parameters, as in `AdamW`. `foreach`,
    `capturable` and `fused` are accepted for PyTorch's sake; every step is fused. With `differentiable` it is recorded for
    backward.

    >>> import frazil as fz
    >>> w = fz.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = fz.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -0.5000], requires_grad=True)
    >>> list(optimizer.state_dict()["state"][0])
    ['step', 'exp_avg', 'exp_avg_sq']
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_options(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        tensors = [isinstance(beta, Tensor) for beta in betas]
        if any(tensors) != all(tensors):
            raise ValueError("betas must be either both floats or both Tensors")
        for name, given in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
            if isinstance(given, Tensor) and foreach and not capturable:
                raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
        betas = (float(betas[0]), float(betas[1]))
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, (beta1, beta2), amsgrad = group["lr"], group["betas"], group["amsgrad"]
        names = ("beta1", "beta2", "eps", "weight_decay")
        numbers = (beta1, beta2, group["eps"], group["weight_decay"])
        options = {"decoupled": group["decoupled_weight_decay"], "maximize": group["maximize"]}
        scheduled = [number if isinstance(number, Tensor) else None for number in numbers]
        if amsgrad or all(number is None for number in scheduled):
            options |= zip(names, numbers, strict=True)
            step, scheduled = amsgrad_step_ if amsgrad else adam_step_, []
        else:
            options["numbers"] = tuple(0.0 if isinstance(number, Tensor) else float(number) for number in numbers)
            step = scheduled_adam_step_
        slots = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg", "exp_avg_sq")
        for param, grad in self._graded(group):
            state = self._slots(param, *slots)
            moments = [real(t) for t in (param, *(state[name] for name in slots))]
            step(*moments, state["step"], real(grad), lr, *scheduled, **options)


class AdamW(Adam):
    """Adam with decoupled weight decay, as `torch.optim.AdamW`. Source: Loshchilov and Hutter, https://arxiv.org/abs/1711.05101."""

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
