"""What is drawn: modules, control flow and wires of programs and of ONNX files, whoever made them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import onnx_ir as ir
import pytest

import frazil as fz
from frazil.errors import ArgumentError
from frazil.exporters.drawing import opened_at_first
from frazil.exporters.drawing.kinds import KINDS, kind_of_op
from frazil.exporters.drawing.layers import arrange
from frazil.exporters.drawing.layout import placed
from frazil.exporters.drawing.model import Frame, Item, Step, Wire, in_runs, nested
from frazil.plugins.commands import main

from .programs import PROGRAMS, exported, recorded


def titles(items) -> list[str]:
    return [item.title for item in items]


def find(drawing, title: str) -> Item:
    return next(item for item in drawing.root.walk() if item.title == title)


@pytest.fixture(params=["program", "file"])
def drawn(request, tmp_path):
    """The drawing of a program, as it was recorded and as it was exported."""
    return lambda name: fz.drawing.read(recorded(name) if request.param == "program" else exported(name, tmp_path))


# --- modules


def test_modules_are_boxes_and_those_of_one_operation_are_that_operation():
    top = fz.drawing.read(recorded("tower")).root.parts
    assert titles(top) == ["x", "linear", "blocks.0", "blocks.1", "output"]
    assert top[1].note == "first · Linear" and top[2].note == "Block"
    assert titles(top[2].parts) == ["layer_norm", "mlp", "add"]


def test_the_modules_of_a_program_are_in_its_file(tmp_path):
    blocks = find(fz.drawing.read(exported("tower", tmp_path)), "blocks")
    assert [(box.title, box.note) for box in blocks.parts] == [("0", "Block"), ("1", "Block")]
    assert titles(blocks.parts[0].parts) == ["LayerNormalization", "mlp", "Add"]


def test_every_operation_knows_its_line_and_its_shape(drawn):
    for item in drawn("tower").root.walk():
        if not item.parts and item.kind not in ("input", "output"):
            assert item.source.startswith("programs.py:") and item.code
            assert item.writes[0].type.startswith("float32")


@pytest.mark.parametrize("op", fz.table.OPS)
def test_every_operation_has_a_colour(op):
    assert kind_of_op(op) in set(KINDS) - {"other"}


# --- control flow


def test_a_condition_is_a_box_with_two_branches(drawn):
    drawing = drawn("choose")
    box = next(item for item in drawing.root.walk() if item.title in ("cond", "If"))
    assert box.kind == "control" and titles(box.parts) == ["then", "else"]
    results = [part.parts[-1] for part in box.parts]
    assert titles(results) == ["result", "result"]
    assert results[0].writes == results[1].writes, "both branches give the value that the program returns"


def test_a_loop_shows_what_is_carried(drawn):
    drawing = drawn("newton")
    body = find(drawing, "body")
    inputs = [part for part in body.parts if part.kind == "input"]
    outputs = [part for part in body.parts if part.kind == "output"]
    assert titles(outputs) == ["go on", *(f"next {part.title}" for part in inputs)]
    assert inputs[0].reads[0] in next(item for item in drawing.root.parts if item.title in ("add", "Add")).writes
    assert outputs[1].writes == drawing.root.parts[-2].reads


def test_a_scan_shows_slices_and_rows(drawn):
    body = find(drawn("smooth"), "body")
    kinds = [part.kind for part in body.parts]
    assert kinds.count("input") == 2 and kinds.count("output") == 2
    assert body.parts[-1].title.startswith("row of ")
    assert body.parts[-2].title.startswith("next ")


def test_a_number_that_is_a_size_is_wired_to_where_it_comes_from():
    """The loop counts in a Python int, which is a size while recording and appears in attributes only."""
    body = find(fz.drawing.read(recorded("newton")), "body")
    counter = [part for part in body.parts if part.kind == "input"][1]
    assert counter.writes[0] in next(part for part in body.parts if part.title == "size_to_tensor").reads


# --- rows


@pytest.mark.parametrize("name", PROGRAMS)
def test_wires_only_lead_down_and_only_to_the_next_row(drawn, name):
    for rows in arrange(drawn(name).root).values():
        row_of = {cell: i for i, row in enumerate(rows.rows) for cell in row}
        assert sorted(row_of) == list(range(len(rows.cells)))
        assert all(row_of[link.end] == row_of[link.start] + 1 for link in rows.links)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_wire_reaches_all_its_readers(drawn, name):
    """Through the ports of the boxes on the way."""
    root = drawn(name).root
    rows = arrange(root)
    reached: set[tuple[Item, Wire]] = set()
    for box in rows:
        for start, end, wire in rows[box].links:
            assert rows[box].cells[start].wire in (None, wire)
            if rows[box].cells[end].item is not None:
                reached.add((rows[box].cells[end].item, wire))
    assert {(item, wire) for item in root.walk() for wire in item.reads} <= reached


def test_what_is_needed_late_stands_late():
    a, b, c, d, number = (Wire(name) for name in ("a", "b", "c", "d", "number"))
    chain = [Item("f", writes=[b], reads=[a]), Item("g", writes=[c], reads=[b]), Item("h", reads=[c, number], writes=[d])]
    root = Item("all", parts=[Item("a", "input", writes=[a]), Item("random", writes=[number]), *chain])
    rows = arrange(root)[root]
    found = [{rows.cells[cell].item.title for cell in row if rows.cells[cell].item} for row in rows.rows]
    assert found == [{"a"}, {"f"}, {"g", "random"}, {"h"}]


def test_places_do_not_overlap_and_are_the_nearest():
    wanted, halves = [0.0, 1.0, 1.5, 40.0], [5.0, 5.0, 7.0, 3.0]
    found = placed(wanted, [1.0] * 4, halves)
    gaps = np.diff(found) - (np.array(halves[1:]) + np.array(halves[:-1]))
    assert (gaps >= -1e-9).all() and found[3] == 40.0
    assert np.mean(found[:3]) == pytest.approx(np.mean(wanted[:3])), "neighbours that touch share the way"


# --- boxes


def test_a_module_that_is_called_twice_is_two_boxes():
    """One box would have to stand above and below what is between the calls."""
    shared, other = Frame("act", "act"), Frame("mid", "mid")
    steps = [Step((frame,), Item(f"{frame.title}{i}")) for i, frame in enumerate([shared, shared, other, other, shared, shared])]
    assert titles(nested(steps)) == ["act", "mid", "act"]


def test_steps_of_one_box_are_brought_together_where_the_wires_allow_it():
    wires = [Wire(str(i)) for i in range(4)]
    a, b = Frame("a", "a"), Frame("b", "b")
    steps = [Step((a, b)[i % 2 :][:1], Item(str(i), writes=[wire])) for i, wire in enumerate(wires)]
    assert titles(step.item for step in in_runs(steps)) == ["0", "2", "1", "3"]
    steps[2].item.reads = [wires[1]]
    assert titles(step.item for step in in_runs(steps)) == ["0", "1", "3", "2"]


def test_large_drawings_begin_with_their_modules_closed():
    root = fz.drawing.read(recorded("large")).root
    assert opened_at_first(root, 80) == {root}
    assert len(opened_at_first(root, 10_000)) == sum(1 for item in root.walk() if item.parts)


# --- files of others


def node(op: str, inputs, name: str, **metadata: str):
    value = ir.Value(name=f"{name}.out", shape=ir.Shape([2, 3]), type=ir.TensorType(ir.DataType.FLOAT))
    return ir.node(op, inputs, outputs=[value], name=name, metadata_props=metadata)


def model_of(*chain: tuple[str, str, dict[str, str]]) -> ir.Model:
    x = ir.Value(name="x", shape=ir.Shape(["n", 3]), type=ir.TensorType(ir.DataType.FLOAT))
    nodes, last = [], x
    for op, name, metadata in chain:
        nodes.append(node(op, [last], name, **metadata))
        last = nodes[-1].outputs[0]
    return ir.Model(ir.Graph([x], [last], nodes=nodes, opset_imports={"": 21}, name="theirs"), ir_version=10)


def test_names_with_slashes_are_modules():
    model = model_of(*((op, f"/encoder/encoder.{i}/{op}", {}) for i in (0, 1) for op in ("Relu", "Tanh")), ("Exp", "/Exp", {}))
    top = fz.drawing.read(model).root.parts
    assert titles(top) == ["x", "encoder", "Exp", "/Exp.out"]
    assert [(box.title, titles(box.parts)) for box in top[1].parts] == [("0", ["Relu", "Tanh"]), ("1", ["Relu", "Tanh"])]


def test_namespaces_of_torch_are_modules_with_classes_and_lines():
    layer = ": net.Net/layers.0: torch.nn.Layer/layers.0.act: torch.nn.Act/relu: aten.relu"
    trace = (
        'File "/a/net.py", line 3, in forward\n    x = self.layer(x)\nFile "/a/layer.py", line 7, in forward\n    return relu(x)'
    )
    metadata = {"namespace": layer, "pkg.torch.onnx.stack_trace": trace}
    model = model_of(
        ("Relu", "n0", metadata), ("Tanh", "n1", {"namespace": ": net.Net/layers.0: torch.nn.Layer/tanh: aten.tanh"})
    )
    box = fz.drawing.read(model).root.parts[1]
    assert (box.title, box.note, titles(box.parts)) == ("layers.0", "Layer", ["Relu", "Tanh"])
    assert (box.parts[0].note, box.parts[0].source, box.parts[0].code) == ("act · Act", "layer.py:7 in forward", "return relu(x)")


def test_a_file_that_says_nothing_is_drawn_flat():
    top = fz.drawing.read(model_of(("Relu", "n0", {}), ("Tanh", "n1", {}))).root.parts
    assert titles(top) == ["x", "Relu", "Tanh", "n1.out"]


def test_functions_of_a_file_are_boxes():
    x = ir.Value(name="x", shape=ir.Shape([3]), type=ir.TensorType(ir.DataType.FLOAT))
    inner = ir.Value(name="inner")
    body = ir.node("Relu", [inner])
    again = ir.node("Tanh", [body.outputs[0]])
    function = ir.Function(
        "mine", "twice", graph=ir.Graph([inner], [again.outputs[0]], nodes=[body, again], opset_imports={"": 21}), attributes=[]
    )
    call = ir.node("twice", [x], domain="mine")
    graph = ir.Graph([x], [call.outputs[0]], nodes=[call], opset_imports={"": 21, "mine": 1}, name="caller")
    box = fz.drawing.read(ir.Model(graph, ir_version=10, functions=[function])).root.parts[1]
    assert (box.title, box.note, [part.title for part in box.parts][1:3]) == ("twice", "mine", ["Relu", "Tanh"])
    assert box.parts[0].reads and box.parts[-1].writes


# --- pictures and text


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_picture_is_one_file_of_well_formed_svg(drawn, tmp_path, name):
    text = fz.drawing.draw(drawn(name), tmp_path / "picture.svg").read_text()
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_page_asks_nothing_of_the_network(drawn, tmp_path, name):
    text = fz.drawing.draw(drawn(name), tmp_path / "page.html").read_text()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "default-src 'none'" in text


def test_the_same_program_gives_the_same_file(tmp_path):
    first, second = (recorded("tower").show(tmp_path / f"{i}.html").read_bytes() for i in range(2))
    assert first == second


def test_a_picture_of_a_file_needs_no_weights(tmp_path):
    path = tmp_path / "tower.onnx"
    fz.onnx.export(recorded("tower"), path=path, verify=False, external_data=True)
    (data,) = tmp_path.glob("*.data")
    data.unlink()
    assert fz.drawing.draw(path, tmp_path / "tower.svg").exists()


def test_the_command_prints_a_file_like_code(tmp_path, capsys):
    path = exported("choose", tmp_path)
    assert main(["graph", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "choose.onnx"
    assert "  input x: float32[x0, x1]" in lines
    assert any(line.startswith("  If(gt):  # programs.py:") for line in lines)
    assert "    then:" in lines and "    else:" in lines


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_the_command_draws_a_file(tmp_path, capsys, suffix):
    out = tmp_path / f"g.{suffix}"
    assert main(["graph", str(exported("newton", tmp_path)), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out) and out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.onnx"], "there is no file 'missing.onnx'"),
        (["text.onnx"], "'text.onnx' is not an ONNX file"),
        (["empty.onnx"], "'empty.onnx' is not an ONNX file"),
        (["text.onnx", "--out", "g.png"], "the file must end in .html or .svg, given 'g.png'"),
        (["text.onnx", "--out", "nowhere/g.svg"], "there is no folder 'nowhere'"),
    ],
)
def test_mistakes_are_one_message(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.onnx").write_text("I am not a model")
    (tmp_path / "empty.onnx").touch()
    assert main(["graph", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and len(captured.err.strip().splitlines()) == 1 and not captured.out


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ArgumentError, match="give a recorded program, its graph, or an ONNX file, not Linear"):
        fz.drawing.read(fz.nn.Linear(2, 2))
