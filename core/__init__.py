"""frazil: write it eagerly, freeze it, training loop and all, into plain ONNX."""

if __name__ != "frazil":
    raise ImportError(
        "core/ is the source folder of the package `frazil` and is not importable as `core`: "
        "run `pip install -e .` in the repository and `import frazil` instead"
    )

__version__ = "0.1.0"
