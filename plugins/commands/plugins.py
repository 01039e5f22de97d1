"""What is plugged in: every plugin with the hooks it implements. With a name: that plugin alone, and an error if it is broken."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .. import MANAGER
from .output import add_json_option, show


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil plugins`."""
    parser.add_argument("name", nargs="?", help="show this plugin only")
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print one row per plugin."""
    infos = [MANAGER.open_plugin(args.name)] if args.name else MANAGER.plugins()
    rows = [
        {
            "plugin": info.name,
            "status": "broken" if info.error else "ok",
            "from": info.distribution,
            "hooks": ", ".join(info.hooks),
        }
        for info in infos
    ]
    show(rows, ["plugin", "status", "from", "hooks"], as_json=args.json)
    return 0
