"""Run a script of PyTorch's as it stands: inside it, `import torch` gives frazil.

What follows the script are its arguments. Other packages that import torch get frazil too, and may ask for more than there is;
`frazil port` lists beforehand what a script asks for.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback
from argparse import ArgumentParser, Namespace

from frazil.errors import FileError
from frazil.porting import torch_is_frazil


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil run-torch`."""
    parser.add_argument("script", help="a Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets as its own arguments")


def run(args: Namespace) -> int:
    """Run the script; its exit code, or 0. What it raises is shown with its lines, as Python shows it, and the code is 1."""
    if not os.path.isfile(args.script):
        raise FileError(f"run-torch: there is no file {args.script}")
    torch_is_frazil()
    sys.argv = [args.script, *args.arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(args.script)))
    try:
        runpy.run_path(args.script, run_name="__main__")
    except SystemExit as leave:
        if isinstance(leave.code, str):
            print(leave.code, file=sys.stderr)
            return 1
        return int(leave.code or 0)
    except BrokenPipeError:
        raise
    except Exception as error:  # the script's own: told as Python tells it, without the lines of this command
        frame = error.__traceback__
        while frame is not None and frame.tb_frame.f_code.co_filename != args.script:
            frame = frame.tb_next
        traceback.print_exception(type(error), error, frame or error.__traceback__)
        return 1
    return 0
