"""The demo's model, trained for one epoch on a backend and on NumPy from the same seed, has the same weights.

In float64: in float32, sums of another order turn some ReLU or pooling window to its other side, and Adam makes whole steps
of that: weights 1e-3 apart say nothing of the backend then.

Usage: python .ci/demo_weights.py BACKEND
"""

from __future__ import annotations

import sys

import numpy as np
from rich.progress import Progress

import frazil as fz
from frazil.plugins import device_type_of, digits
from frazil.plugins.commands.demo import ConvNet, train

_ALLOWED = 1e-6


def weights(backend: str) -> list[np.ndarray]:
    """The weights after one epoch."""
    fz.manual_seed(0)
    data = digits.load()[0]
    with fz.device(device_type_of(backend)):
        model = ConvNet().to(fz.float64)
        train(model, data._replace(images=data.images.astype(np.float64)), 1, Progress(disable=True))
    return [p.detach().cpu().numpy() for p in model.parameters()]


def main() -> int:
    """Print the largest difference; 1 if it is too large."""
    backend = sys.argv[1]
    difference = max(float(np.abs(a - b).max()) for a, b in zip(weights(backend), weights("numpy"), strict=True))
    print(f"{backend}: after one epoch no weight differs from NumPy's by more than {difference:.1e} (allowed: {_ALLOWED:.0e})")
    return int(difference > _ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
