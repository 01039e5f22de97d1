"""Every setting and its value here. With --origin: who set it, a file, an environment variable or the default."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from frazil.config import KEYS, config

from .output import add_json_option, show


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil config`."""
    parser.add_argument("--origin", action="store_true", help="also print where each value comes from")
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print one row per key."""
    rows = [
        {
            "key": key.name,
            "value": config.get(key.name),
            "origin": config.origin(key.name),
            "variable": key.variable,
            "meaning": key.help,
        }
        for key in KEYS.values()
    ]
    show(rows, ["key", "value", "origin"] if args.origin else ["key", "value", "meaning"], as_json=args.json)
    return 0
