"""einops and frazil find each other, whichever is imported first, and neither imports the other."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("first", ["import einops, frazil as fz", "import frazil as fz, einops"])
def test_whichever_is_imported_first(run_python: Any, first: str) -> None:
    pytest.importorskip("einops")
    assert "[3, 2]" in run_python(f"{first}; print(list(einops.rearrange(fz.ones(2, 3), 'a b -> b a').shape))").stdout


def test_importing_frazil_does_not_import_einops(run_python: Any) -> None:
    assert run_python("import sys, frazil; print('einops' in sys.modules)").stdout.strip() == "False"
