"""The `frazil` command: one file per subcommand, imported when it is called.

A subcommand is a module with a docstring (its help), `add_arguments(parser)` and `run(args) -> exit code`. A mistake of the user
is one message on stderr and exit code 2: raise a FrazilError.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from frazil import __version__
from frazil.errors import ArgumentError, FrazilError


class Command(NamedTuple):
    """A subcommand: where it lives and what it is for."""

    module: str
    help: str


COMMANDS = {
    "backends": Command(f"{__name__}.backends", "which backends and devices can be used here"),
    "ops": Command(f"{__name__}.ops", "every operation, and how each backend runs it"),
    "plugins": Command(f"{__name__}.plugins", "what is plugged in"),
    "config": Command(f"{__name__}.config", "every setting, its value and who set it"),
    "conformance": Command(f"{__name__}.conformance", "prove that a backend computes what frazil means"),
    "demo": Command(f"{__name__}.demo", "train on real digits, freeze, export, and check with onnxruntime alone"),
    "run": Command(f"{__name__}.run", "run an ONNX file, and compare with onnxruntime"),
    "graph": Command(f"{__name__}.graph", "what is in an ONNX file, as text, picture or page"),
    "port": Command(f"{__name__}.port", "which of PyTorch's names a script uses are here, and what to use instead of others"),
    "run-torch": Command(f"{__name__}.run_torch", "run a script of PyTorch's as it stands, on frazil"),
    "doctor": Command(f"{__name__}.doctor", "what is installed, what is wrong, what would be faster"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `frazil ARGUMENTS` and return its exit code: 0 done, 1 something was found wrong, 2 the user's mistake.

    >>> from frazil.plugins.commands import main
    >>> main(["config", "--json"])  # doctest: +ELLIPSIS
    [
    ...
    ]
    0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files and variables need not be UTF-8
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = _print_warning
        try:
            code = _run(arguments)
            sys.stdout.flush()
            return code
        except FrazilError as error:
            print(f"frazil: {error}", file=sys.stderr)
            return 2
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:  # no such file, no place on the disk
            print(f"frazil: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130


def _run(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if first in ("-V", "--version"):
        print(f"frazil {__version__}")
        return 0
    if first not in COMMANDS:
        near = difflib.get_close_matches(first, COMMANDS, n=1)
        cure = f"did you mean `frazil {near[0]}`?" if near else "`frazil --help` lists the commands"
        raise ArgumentError(f"there is no command {first!r}; {cure}")
    module = importlib.import_module(COMMANDS[first].module)
    parser = argparse.ArgumentParser(
        prog=f"frazil {first}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    try:
        args = parser.parse_args(arguments[1:])
    except SystemExit as leave:  # argparse has printed the help, or what is wrong
        return int(leave.code or 0)
    code: int = module.run(args)
    return code


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: frazil COMMAND [options]",
            "",
            "Write it eagerly, on whatever chip you have. Freeze it, training loop and all, into plain ONNX.",
            "",
            "commands:",
            *lines,
            "",
            "`frazil COMMAND --help` says more about one of them; `frazil --version` prints the version.",
        ]
    )


def _print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"frazil: warning: {message}", file=file or sys.stderr)
