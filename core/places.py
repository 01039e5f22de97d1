"""PyTorch's modules that are no files here: the names of `frazil.optim.adamw` are those of `frazil.optim`, where it stands.

Programs import a name from where PyTorch defines it as well as from where it shows it. `HOMES` says which modules there are and
where their names stand; an import of one makes a module that looks its names up there.
"""

from __future__ import annotations

import importlib
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

#: Where names stand -> the modules of PyTorch that define them.
HOMES = {
    "": "functional",
    "amp": "amp.autocast_mode amp.grad_scaler",
    "autograd": "autograd.anomaly_mode autograd.grad_mode autograd.variable",
    "cuda.amp": "cuda.amp.autocast_mode cuda.amp.grad_scaler",
    "distributions": (
        "distributions.beta distributions.binomial distributions.cauchy distributions.chi2 distributions.continuous_bernoulli "
        "distributions.exp_family distributions.fishersnedecor distributions.generalized_pareto distributions.geometric "
        "distributions.gumbel distributions.half_cauchy distributions.half_normal distributions.inverse_gamma "
        "distributions.kumaraswamy distributions.lkj_cholesky distributions.log_normal "
        "distributions.lowrank_multivariate_normal distributions.mixture_same_family distributions.multinomial "
        "distributions.negative_binomial distributions.one_hot_categorical distributions.pareto distributions.poisson "
        "distributions.relaxed_bernoulli distributions.relaxed_categorical distributions.studentT distributions.von_mises "
        "distributions.weibull distributions.wishart"
    ),
    "library": "_custom_ops",
    "nn": ("nn.modules.channelshuffle nn.modules.flatten nn.modules.fold nn.modules.pixelshuffle nn.modules.upsampling"),
    "nn.modules.batchnorm": "nn.modules.instancenorm",
    "nn.parallel": "nn.parallel.distributed nn.parallel.scatter_gather",
    "optim": (
        "optim.adadelta optim.adagrad optim.adamax optim.adamw optim.asgd optim.nadam optim.radam optim.rmsprop optim.rprop "
        "optim.sparse_adam"
    ),
    "profiler": "profiler.profiler",
    "utils.data": "utils.data._utils",
    "utils.data.collate": "utils.data._utils.collate",
    "utils.data.fetch": "utils.data._utils.fetch",
    "utils.data.worker": "utils.data._utils.worker",
}


@lru_cache(maxsize=1)
def places() -> dict[str, str]:
    """Return the modules by name, and the module where the names of each stand.

    >>> from frazil.places import places
    >>> places()["frazil.optim.adamw"]
    'frazil.optim'
    """
    return {f"frazil.{path}": f"frazil.{home}".rstrip(".") for home, paths in HOMES.items() for path in paths.split()}


class _Place(ModuleType):
    """A module whose names stand elsewhere."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(places()[self.__name__]), name)
        if isinstance(found, _Place):  # `optim.adadelta` the module, where `adadelta` the function was meant
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return found

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(places()[self.__name__]))


class _Finder:
    """Finds what `places` lists; asked last, for names that are no files."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if not fullname.startswith("frazil.") or fullname not in places():
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(fullname, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> ModuleType:
        return _Place(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: names are looked up when they are asked for."""


def connect() -> None:
    """Let imports find them, from now on."""
    sys.meta_path.append(_Finder())
