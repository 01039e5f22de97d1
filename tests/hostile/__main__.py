"""`python -m tests.hostile --count 10000`: files that no program writes, what came of them, and what is said of some traps."""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import frazil as fz
from frazil.errors import FrazilError

from .crafted import process
from .test_files import TRAPS
from .test_fuzz import SEEDS, guarded, made_up, outcome, trap

#: Kind of file -> its share of all, and what makes one.
KINDS = {
    "pt": (4, "pt", made_up),
    "pt of the old format": (3, "old", made_up),
    "pt, traps with faults": (4, "pt", trap),
    "safetensors": (4, "safetensors", made_up),
    "onnx": (2, "onnx", made_up),
    "onnx, traps with faults": (1, "onnx", trap),
    "toml": (2, "toml", made_up),
}
WRONG = ("executed", "over 2 s", "over 256 MB", "tracebacks")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    whole, total, before = sum(share for share, _, _ in KINDS.values()), Counter[str](), process()
    print(f"| files | tried | read | refused | {' | '.join(WRONG)} |\n{'|---' * (4 + len(WRONG))}|")
    with tempfile.TemporaryDirectory() as name, guarded(Path(name)):
        for title, (share, kind, make) in KINDS.items():
            dice, found = random.Random(f"{options.seed} {title}"), Counter[str]()
            for number in range(options.count * share // whole):
                content = make(kind, dice)
                what = outcome(kind, content, Path(name))
                if what not in ("read", "refused"):
                    print(f"{title} {number}: {what}; {content[:300]!r}", file=sys.stderr)
                found["tracebacks" if what not in ("read", "refused", *WRONG) else what] += 1
            total += found
            print(_line(title, found), flush=True)
    print(_line("all", total))
    print(f"the process {'is as it was' if process() == before else 'HAS CHANGED'}; {len(SEEDS)} kinds of seeds")
    for name in ("renames a dtype", "memo index", "expanded", "0 x 2**62"):
        content = TRAPS[name][0]
        assert isinstance(content, bytes)
        try:
            fz.load(io.BytesIO(content))
        except FrazilError as error:
            print(f"{name}, {len(content)} bytes: {type(error).__name__}: {error}")
    return int(any(total[what] for what in WRONG) or process() != before)


def _line(title: str, found: Counter[str]) -> str:
    counts = [found.total(), found["read"], found["refused"], *(found[what] for what in WRONG)]
    return f"| {title} | {' | '.join(map(str, counts))} |"


if __name__ == "__main__":
    sys.exit(main())
