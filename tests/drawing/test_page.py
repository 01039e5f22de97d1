"""The page, opened from disk in Chromium: it draws what Python lays out, and answers clicks, keys and the search."""

from __future__ import annotations

import re

import pytest

import frazil as fz
from frazil.exporters.drawing.layers import arrange
from frazil.exporters.drawing.page import page
from frazil.exporters.drawing.svg import svg

from .programs import PROGRAMS, exported, recorded

PLACES = """
return [...document.querySelectorAll("#view [data-id]")].map((g) => g.getAttribute("transform"));
"""


def places(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"translate\((-?[\d.]+) (-?[\d.]+)\)", text)]


@pytest.mark.parametrize("origin", ["program", "file"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_page_is_laid_out_as_the_picture_is(in_browser, tmp_path, name, origin):
    """Two pieces of code do the same work: layout.py and page.js. With everything open, everything must be in one place."""
    drawing = fz.drawing.read(recorded(name) if origin == "program" else exported(name, tmp_path))
    rows = arrange(drawing.root)
    everything = {item for item in drawing.root.walk() if item.parts}
    (tmp_path / "page.html").write_text(page(drawing, rows, everything), encoding="utf-8")
    found = places("".join(in_browser(tmp_path / "page.html", PLACES)))
    expected = places(svg(drawing, rows, everything))
    assert len(found) == len(expected) > 3
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, abs=0.15)


def test_a_click_shows_the_source_line_and_the_shapes(in_browser, tmp_path):
    recorded("choose").show(tmp_path / "choose.html")
    text = in_browser(tmp_path / "choose.html", 'click(called("relu")); return document.getElementById("details").innerText;')
    assert "programs.py:" in text and "lambda: fz.relu(x) * 2" in text
    assert "float32[x0, x1]" in text


def test_boxes_open_and_close_by_mouse_and_by_key(in_browser, tmp_path):
    recorded("tower").show(tmp_path / "tower.html")
    script = """
const count = () => document.querySelectorAll("#view [data-id]").length;
const counts = [count()];
const box = called("mlp").dataset.id;
click(item(box).querySelector(".grip"));
counts.push(count(), item(box).getAttribute("aria-expanded"));
key(item(box), "Enter");
counts.push(count(), item(box).getAttribute("aria-expanded"), document.activeElement === item(box));
click(document.getElementById("close-all"));
counts.push(count());
click(document.getElementById("open-all"));
counts.push(count());
return counts;
"""
    everything, closed, was_open, again, is_open, focused, collapsed, back = in_browser(tmp_path / "tower.html", script)
    assert (closed, again, back) == (everything - 3, everything, everything)
    assert (was_open, is_open, focused) == ("false", "true", True)
    assert collapsed == 5  # input, first, two blocks, output


def test_the_search_opens_what_hides_the_operation(in_browser, tmp_path):
    recorded("large").show(tmp_path / "large.html")
    script = """
const search = document.getElementById("search");
const before = document.querySelectorAll("#view [data-id]").length;
search.value = "gelu";
search.dispatchEvent(new Event("input"));
const found = document.querySelectorAll("#results button").length;
key(search, "Enter");
const chosen = document.querySelector("#view .selected");
return [before, found, chosen.ariaLabel, document.querySelectorAll("#view .lit").length > 0];
"""
    before, found, chosen, lit = in_browser(tmp_path / "large.html", script)
    assert before == 43  # the blocks are closed at first
    assert found == 40
    assert chosen.startswith("gelu") and lit


def test_branches_are_boxes_in_a_box(in_browser, tmp_path):
    recorded("choose").show(tmp_path / "choose.html")
    script = """
const box = called("cond");
return [...box.querySelectorAll(":scope > [data-id]")].map((g) => g.ariaLabel);
"""
    assert in_browser(tmp_path / "choose.html", script) == ["then", "else"]


def test_the_page_of_a_file_knows_the_line_too(in_browser, tmp_path):
    fz.drawing.draw(exported("newton", tmp_path), tmp_path / "newton.html")
    script = 'click(called("Div")); return document.getElementById("details").innerText;'
    assert "programs.py:" in in_browser(tmp_path / "newton.html", script)


def test_names_are_text_and_never_markup(in_browser, tmp_path):
    program = recorded("choose")
    name = "<img src=x onerror=alert(1)></script>&{{data}}"
    program.graph.inputs[0].name = name
    program.show(tmp_path / "odd.html")
    script = 'return [document.querySelectorAll("img").length, item(1).ariaLabel, item(1).querySelector(".name").textContent];'
    images, label, shown = in_browser(tmp_path / "odd.html", script)
    assert (images, label) == (0, name)
    assert shown.startswith("<img src=x")
