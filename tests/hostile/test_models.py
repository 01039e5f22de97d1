"""ONNX files that were made to do harm, drawn: a sentence, or a picture in which nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import frazil as fz
from frazil.errors import ArgumentError
from frazil.plugins.commands import main

OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]


def value(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])


def model(nodes: list[Any], functions: list[Any] = [], initializers: list[Any] = [], **fields: Any) -> bytes:  # noqa: B006
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], initializers)
    made = helper.make_model(graph, opset_imports=OPSETS, functions=functions, **fields)
    return made.SerializeToString()


def function(name: str, nodes: list[Any]) -> Any:
    return helper.make_function("local", name, ["a"], ["b"], nodes, OPSETS)


def call(name: str, given: str, result: str) -> Any:
    return helper.make_node(name, [given], [result], domain="local")


def doubling(count: int) -> bytes:
    bodies = [function(f"f{i}", [call(f"f{i + 1}", "a", "t"), call(f"f{i + 1}", "t", "b")]) for i in range(count)]
    return model([call("f0", "x", "y")], [*bodies, function(f"f{count}", [helper.make_node("Relu", ["a"], ["b"])])])


def chain(count: int) -> bytes:
    names = ["x", *(f"v{i}" for i in range(count - 1)), "y"]
    return model([helper.make_node("Relu", [names[i]], [names[i + 1]]) for i in range(count)])


def damaged_name(content: bytes) -> bytes:
    return content.replace(b"QQQQ", b"\xff\xfe\xff\xfe")


REFUSED: dict[str, tuple[bytes, str]] = {
    "functions in a circle": (
        model([call("f", "x", "y")], [function("f", [call("g", "a", "b")]), function("g", [call("f", "a", "b")])]),
        "function 'f' calls itself",
    ),
    "27 doubling functions": (doubling(27), "402,653,183 operations, calls of functions written out; 50,000 are drawn at most"),
    "3000 functions deep": (
        model(
            [call("f0", "x", "y")],
            [function(f"f{i}", [call(f"f{i + 1}", "a", "b")]) for i in range(3000)]
            + [function("f3000", [helper.make_node("Relu", ["a"], ["b"])])],
        ),
        "more than 100 deep",
    ),
    "too many": (chain(60_000), "60,000 operations"),
    "a value made twice": (model([helper.make_node("Relu", ["x"], ["y"])] * 2), "is not an ONNX file: "),
    "a name that is no UTF-8": (damaged_name(model([helper.make_node("QQQQ", ["x"], ["y"])])), "a name in it is not UTF-8"),
    "no file": (b"hello", "is not an ONNX file"),
}


@pytest.mark.parametrize("trap", REFUSED)
def test_it_is_refused_in_a_sentence(trap: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = REFUSED[trap]
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ArgumentError, match=message):
        fz.drawing.draw(tmp_path / "m.onnx", tmp_path / "m.html")
    assert main(["graph", str(tmp_path / "m.onnx")]) == 2
    assert "Traceback" not in capsys.readouterr().err and not (tmp_path / "m.html").exists()


def weight(**fields: Any) -> Any:
    found = TensorProto(name="w", data_type=1, dims=[3])
    for name, content in fields.items():
        setattr(found, name, content)
    return found


def outside() -> Any:
    found = weight(data_location=1)
    found.external_data.add(key="location", value="../../../../etc/passwd")
    return found


ADD = helper.make_node("Add", ["x", "w"], ["y"])
DRAWN: dict[str, bytes] = {
    "weights too short": model([ADD], initializers=[weight(raw_data=b"ab")]),
    "a constant too short": model([helper.make_node("Constant", [], ["w"], value=weight(raw_data=b"ab")), ADD]),
    "weights elsewhere": model([ADD], initializers=[outside()]),
    "nodes in a circle": model([helper.make_node("Add", ["x", "q"], ["y"]), helper.make_node("Relu", ["y"], ["q"])]),
    "an input that is missing": model([helper.make_node("Relu", ["\x1b[31mnothing"], ["y"])]),
    "escapes and scripts": model(
        [helper.make_node("Re\x1b[31mlu</script><script>alert(1)</script>", ["x"], ["y"], name="/a\x1b/b\u202e")],
        producer_name="\x1b[2J<script>alert(1)</script>",
    ),
    "a name of 100 000 parts": model([helper.make_node("Relu", ["x"], ["y"], name="/a" * 100_000)]),
    "a few doubling functions": doubling(5),
}


@pytest.mark.parametrize("trap", DRAWN)
def test_it_is_drawn_and_nothing_in_it_runs(trap: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.onnx").write_bytes(DRAWN[trap])
    assert main(["graph", str(tmp_path / "m.onnx")]) == 0
    printed = capfd.readouterr()
    texts = [printed.out, printed.err]
    for suffix in (".html", ".svg"):
        texts.append(fz.drawing.draw(tmp_path / "m.onnx", tmp_path / f"m{suffix}").read_text(encoding="utf-8"))
    for text in texts:
        assert "\x1b" not in text and "\u202e" not in text and "root:" not in text
    assert not any("<script>alert" in text for text in texts[2:])


def test_many_operations_take_no_more_than_their_share(tmp_path: Path) -> None:
    """Time that grows with the square would be a hundred times that of a tenth; measured by work, not by a clock."""
    import sys

    def work(count: int) -> int:
        (tmp_path / "m.onnx").write_bytes(chain(count))
        calls = 0

        def count_call(*_: Any) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count_call)
        try:
            fz.drawing.listing(fz.drawing.read(tmp_path / "m.onnx"))
        finally:
            sys.setprofile(None)
        return calls

    assert work(3000) < 13 * work(300)


def test_what_is_too_large_is_refused_before_it_is_taken_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx_ir

    monkeypatch.setattr(onnx_ir, "from_proto", None)  # the slow part
    (tmp_path / "m.onnx").write_bytes(chain(500))
    with fz.config(limits__operations=499), pytest.raises(ArgumentError, match="has 500 operations; 499 are read at most"):
        fz.drawing.read(tmp_path / "m.onnx")
    with fz.config(limits__operations=499), pytest.raises(ArgumentError, match="has 500 operations; 499 are read at most"):
        fz.onnx.load(chain(500))


def test_the_limit_can_be_raised(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(chain(50))
    with fz.config(limits__operations=49), pytest.raises(ArgumentError, match="50 operations"):
        fz.drawing.read(tmp_path / "m.onnx")
    with fz.config(limits__operations=50):
        fz.drawing.read(tmp_path / "m.onnx")
