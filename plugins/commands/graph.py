"""What is in an ONNX file, whoever made it: as text, or with --out as a picture or a page.

In the text, modules and control flow are indented blocks. On the page (.html) they are boxes that open and close, and a click
shows the source line, as far as the file knows it. The page is one file and needs no network.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .. import MANAGER


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil graph`."""
    parser.add_argument("model", help="an ONNX file")
    parser.add_argument("--out", metavar="FILE", help="draw it: FILE ends in .html or .svg")


def run(args: Namespace) -> int:
    """Print the graph, or draw it."""
    drawing = MANAGER.exporter("drawing")
    if args.out:
        print(drawing.draw(args.model, args.out))
    else:
        print(drawing.listing(drawing.read(args.model)))
    return 0
