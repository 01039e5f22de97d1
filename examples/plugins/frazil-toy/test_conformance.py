import frazil as fz


class TestToy(fz.testing.BackendConformance):
    backend = "toy"
