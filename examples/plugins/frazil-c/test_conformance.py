import frazil as fz


class TestC(fz.testing.BackendConformance):
    backend = "c"
    strict = True
