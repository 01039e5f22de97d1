"""The states of random numbers on CUDA devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..random import default_generator_of
from ..random import manual_seed as _manual_seed
from ..random import seed as _seed
from ..spelling import tell_names as _tell_names
from ..tensor import Tensor
from .devices import device_count
from .devices import named as _named


def manual_seed(seed: int) -> None:
    """The seed of all devices: one generator definition serves them all.

    >>> import frazil as fz
    >>> fz.cuda.manual_seed(0)
    """
    _manual_seed(seed)


manual_seed_all = manual_seed


def seed() -> None:
    """Give the generators of all devices a seed nobody can foretell.

    >>> import frazil as fz
    >>> fz.cuda.seed()
    """
    _seed()


seed_all = seed


def initial_seed() -> int:
    """The seed of the first CUDA device. DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> found = fz.cuda.initial_seed() if fz.cuda.is_available() else 0
    """
    return default_generator_of(_named(None)).initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """A copy of the state of a CUDA device's generator. DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> found = fz.cuda.get_rng_state() if fz.cuda.is_available() else None
    """
    return default_generator_of(_named(device)).get_state()


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Bring the generator of a CUDA device into a state that `get_rng_state` returned.

    >>> import frazil as fz
    >>> if fz.cuda.is_available(): fz.cuda.set_rng_state(fz.cuda.get_rng_state())
    """
    default_generator_of(_named(device)).set_state(new_state)


def get_rng_state_all() -> list[Tensor]:
    """The states of all CUDA devices: an empty list without one.

    >>> import frazil as fz
    >>> len(fz.cuda.get_rng_state_all()) == fz.cuda.device_count()
    True
    """
    return [get_rng_state(index) for index in range(device_count())]


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Bring all CUDA devices into states that `get_rng_state_all` returned.

    >>> import frazil as fz
    >>> fz.cuda.set_rng_state_all(fz.cuda.get_rng_state_all())
    """
    for index, state in enumerate(new_states):
        set_rng_state(state, index)


_tell_names(__name__)
