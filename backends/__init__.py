"""The backends that ship with frazil: each knows frazil's core and its own vendor library, nothing else."""

if __name__ != "frazil.backends":
    raise ImportError(
        "backends/ is the source folder of the package `frazil.backends` and is not importable as `backends`: "
        "run `pip install -e .` in the repository and `import frazil.backends` instead"
    )
