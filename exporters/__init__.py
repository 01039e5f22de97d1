"""The exporters that ship with frazil: each knows frazil's core and its own format's libraries, nothing else."""

if __name__ != "frazil.exporters":
    raise ImportError(
        "exporters/ is the source folder of the package `frazil.exporters` and is not importable as `exporters`: "
        "run `pip install -e .` in the repository and `import frazil.exporters` instead"
    )
