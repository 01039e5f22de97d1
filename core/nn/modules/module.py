"""`Module`, where PyTorch's programs import it from."""

from ..module import Module as Module
