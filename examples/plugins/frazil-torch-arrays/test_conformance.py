import frazil as fz


class TestTorchArrays(fz.testing.BackendConformance):
    backend = "torch-arrays"
