"""PyTorch's arrays as a backend of frazil: `FRAZIL_BACKEND=torch-arrays`."""

import torch
from array_api_compat import torch as xp

from frazil.backends.array_api import ArrayAPIBackend


class TorchArrays(ArrayAPIBackend):
    name = device_type = "torch-arrays"
    contract = 2

    def __init__(self):
        super().__init__(xp)

    def kernels(self, index=0):
        return {**super().kernels(index), "erf": torch.erf}
