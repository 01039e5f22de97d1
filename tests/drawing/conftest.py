"""Headless Chromium, which opens pages from disk."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Nothing but the page: no first-run work, nothing that asks the network.
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-extensions --hide-scrollbars --window-size=1200,900"
).split()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser; without one the test is skipped."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path (Debian: apt-get install chromium)")
    return found


@pytest.fixture
def in_browser(chromium: str, tmp_path: Path) -> Callable[..., Any]:
    """Open a page from disk, run a script in it, and give what the script returns, with what the page logged as errors."""

    def run(page: Path, script: str, *options: str) -> Any:
        tail = f"""<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
const click = (target) => target.dispatchEvent(new MouseEvent("click", {{ bubbles: true }}));
const key = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
const item = (id) => document.querySelector(`#view [data-id="${{id}}"]`);
const called = (name) => [...document.querySelectorAll("#view [data-id]")].find((g) => g.ariaLabel.split("  ")[0] === name);
let result;
try {{ result = (() => {{ {script} }})(); }} catch (error) {{ errors.push(String(error)); }}
const pre = document.createElement("pre");
pre.id = "result";
pre.textContent = JSON.stringify({{ result, errors }});
document.body.append(pre);
</script></body>"""
        probe = tmp_path / f"probe-{page.name}"
        probe.write_text(page.read_text(encoding="utf-8").replace("</body>", tail), encoding="utf-8")
        command = [chromium, *OPTIONS, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", probe.as_uri()]
        done = subprocess.run(command, text=True, capture_output=True, timeout=120)
        found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found, f"the page did not finish: {done.stderr[-2000:]}"
        answer = json.loads(html.unescape(found[1]))
        assert not answer["errors"], answer["errors"]
        return answer.get("result")

    return run
