"""Who provides what: the plugin manager, its hooks, the built-in providers and the command line."""

if __name__ != "frazil.plugins":
    raise ImportError(
        "plugins/ is the source folder of the package `frazil.plugins` and is not importable as `plugins`: "
        "run `pip install -e .` in the repository and `import frazil.plugins` instead"
    )
