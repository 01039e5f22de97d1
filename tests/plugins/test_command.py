"""The `frazil` command, in processes of its own: what it prints, and how it speaks of mistakes."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import subprocess
import sys

import pytest

from frazil.config import KEYS
from frazil.plugins.commands import COMMANDS, main

from .conftest import TOY
from .test_manager import ACCELERATOR


@pytest.fixture(autouse=True)
def site_exists(site):
    """`frazil` runs with the packages of `site` installed."""


def failed(result) -> str:
    """What a command that refused has printed: one message, no traceback, exit code 2."""
    assert result.returncode == 2, result
    assert result.stdout == "" and "Traceback" not in result.stderr
    return result.stderr.strip()


# Mistakes.


def test_an_unknown_key_in_the_file(frazil, tmp_path):
    path = tmp_path / "here" / "frazil.toml"
    result = frazil("config", file='bakend = "cpu"')
    assert failed(result) == f"frazil: {path}: there is no key 'bakend'; did you mean 'backend'?"


def test_an_unknown_backend(frazil):
    assert failed(frazil("ops", "--backend", "nunpy")) == "frazil: there is no backend 'nunpy'; did you mean 'numpy'?"


def test_a_backend_whose_package_is_missing(frazil, site):
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy="import libtoy")
    assert failed(frazil("ops", "--backend", "toy")) == (
        "frazil: backend 'toy' of frazil-toy 0.3 cannot be imported: "
        "ModuleNotFoundError: No module named 'libtoy' (pip install libtoy)"
    )


def test_a_plugin_that_fails_on_import(frazil, site):
    site.install("frazil-snow", "1.0", {"frazil.plugins": {"snow": "frazil_snow"}}, frazil_snow="import libsnow")
    message = (
        "plugin 'snow' of frazil-snow 1.0 is broken: ModuleNotFoundError: No module named 'libsnow' "
        "(reinstall it, or remove it: pip uninstall frazil-snow)"
    )
    listed = frazil("plugins")
    assert listed.returncode == 0
    assert listed.stderr == f"frazil: warning: {message}\n"
    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [
        ["plugin", "status"],
        ["frazil", "ok"],
        ["snow", "broken"],
    ]
    assert failed(frazil("plugins", "snow")).splitlines()[-1] == f"frazil: {message}"


def test_an_unknown_command(frazil):
    assert failed(frazil("bakends")) == "frazil: there is no command 'bakends'; did you mean `frazil backends`?"


def test_an_unknown_option(frazil):
    assert failed(frazil("config", "--orgin")).splitlines()[-1] == "frazil config: error: unrecognized arguments: --orgin"


# What it prints.


def test_help_lists_every_command(frazil):
    for arguments in ((), ("--help",), ("help",)):
        result = frazil(*arguments)
        assert result.returncode == 0
        for name, command in COMMANDS.items():
            assert f"  {name} " in result.stdout and command.help in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: frazil {name} ")


def test_backends_shows_devices_and_how_to_get_more(frazil, toy):
    lines = frazil("backends").stdout.splitlines()
    assert lines[0].split() == ["backend", "device", "status", "from", "what"]
    assert any(line.split()[:3] == ["numpy", "cpu", "ready"] for line in lines)
    assert any(line.split() == ["toy", "toy", "ready", "frazil-toy", "0.3", "one", "toy"] for line in lines)
    (opencl,) = (line for line in lines if line.startswith("opencl"))
    assert ("pip install 'frazil[opencl]'" in opencl) == (importlib.util.find_spec("pyopencl") is None)
    assert lines[-1].startswith("The configuration takes 'numpy' (default)")


def test_config_origin(frazil, tmp_path):
    result = frazil("config", "--origin", file="strict = true", FRAZIL_DEFAULT_DTYPE="float64")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in result.stdout.splitlines()[1:]}
    assert set(rows) == set(KEYS)
    assert rows["strict"] == ["true", str(tmp_path / "here" / "frazil.toml")]
    assert rows["default_dtype"] == ["float64", "environment variable FRAZIL_DEFAULT_DTYPE"]
    assert rows["backend"] == ["numpy", "default"]


def test_the_stronger_backend_beats_the_weaker_device(frazil, toy, tmp_path):
    file = str(tmp_path / "here" / "frazil.toml")
    lines = frazil("backends", file='device = "cpu"').stdout.splitlines()
    assert lines[-1].startswith(f"The configuration takes device 'cpu' ({file})")
    lines = frazil("backends", file='device = "cpu"', FRAZIL_BACKEND="toy").stdout.splitlines()
    assert lines[-1].startswith("The configuration takes 'toy' (environment variable FRAZIL_BACKEND)")
    (row,) = (row for row in json.loads(frazil("config", "--json", FRAZIL_BACKEND="toy").stdout) if row["key"] == "device")
    assert (row["value"], row["origin"]) == (None, "first of the backend (environment variable FRAZIL_BACKEND)")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("toy:7", "device 'toy:7' does not exist: backend 'toy' sees 1 device(s), the last one is 'toy:0'"),
        ("tory", "there is no device type 'tory'; did you mean 'toy'?"),
    ],
)
def test_a_device_of_the_configuration_that_is_not_there_says_who_asks(toy, tmp_path, asked, message):
    code = "import frazil as fz; fz.ones(2)"
    environment = {**os.environ, "PYTHONPATH": str(toy.path), "FRAZIL_DEVICE": asked}
    done = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True, timeout=120)
    assert done.stderr.splitlines()[-1] == f"frazil.errors.DeviceError: environment variable FRAZIL_DEVICE: {message}"


def test_conformance_of_the_best_backend_and_of_a_device(frazil, site):
    site.install(
        "frazil-toy",
        "0.3",
        {"frazil.backends": {"toy": "frazil_toy:Toy"}},
        frazil_toy=ACCELERATOR.replace('{"float32"}', '{"float32", "int64", "bool"}').replace("return 1", "return 2"),
    )
    only = ("--only", "lifecycle/opens", "--json")
    best = json.loads(frazil("conformance", "auto", *only, "--device", "1").stdout)
    assert (best["backend"], best["device"]) == ("toy", "toy:1")
    assert failed(frazil("conformance", "toy", *only, "--device", "cpu")) == (
        "frazil: conformance: 'cpu' is no device of backend 'toy': they are called 'toy', 'toy:1' and so on"
    )


def test_ops_shows_how_each_backend_runs_each_op(frazil, toy):
    rows = {row["op"]: row for row in json.loads(frazil("ops", "--json").stdout)}
    assert rows["add"]["numpy"] == rows["add"]["toy"] == "kernel"
    assert rows["matmul"]["numpy"] == "kernel" and rows["matmul"]["toy"] == "cpu"
    assert not [name for name, row in rows.items() if row["numpy"] == "missing"]
    only = json.loads(frazil("ops", "--backend", "toy", "--json").stdout)
    assert "numpy" not in only[0] and {row["op"] for row in only} == set(rows)


def test_doctor_finds_no_problem_here(frazil):
    result = frazil("doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 0, [finding for finding in findings.values() if finding["status"] == "problem"]
    assert {"python", "numpy", "BLAS", "onnxruntime", "configuration", "backend numpy"} <= set(findings)
    assert "reads opset 21" in findings["onnxruntime"]["found"]


def test_doctor_reports_what_is_wrong_and_goes_on(frazil, site):
    site.install("frazil-snow", "1.0", {"frazil.plugins": {"snow": "frazil_snow"}}, frazil_snow="import libsnow")
    result = frazil("doctor", "--json", file="bakend = 1")
    problems = {f["subject"]: f["found"] for f in json.loads(result.stdout) if f["status"] == "problem"}
    assert result.returncode == 1
    assert "did you mean 'backend'?" in problems["configuration"]
    assert "No module named 'libsnow'" in problems["plugin snow"]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("return 1", "raise OSError('no bus')", "frazil_toy.Toy.device_count() raised OSError: no bus"),
        ("return 1", "return '1'", "frazil_toy.Toy.device_count() must return int, it returned '1'"),
        ('return "one toy"', "return 1 / 0", "frazil_toy.Toy.describe() raised ZeroDivisionError: division by zero"),
        (
            'return Capabilities(frozenset({"float32"}), aliases=False)',
            "return 3",
            "frazil_toy.Toy.capabilities() must return Capabilities",
        ),
        ("return 1", "raise OSError()\n        def __init__(self): raise OSError('no card')", "cannot start: OSError: no card"),
    ],
    ids=["device_count raises", "device_count nonsense", "describe", "capabilities", "init"],
)
def test_a_broken_backend_takes_nothing_else_down(frazil, site, before, after, found):
    assert before in TOY
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=TOY.replace(before, after))
    result = frazil("backends", "--json")
    rows = {row["backend"]: row for row in json.loads(result.stdout)}
    assert (rows["numpy"]["status"], rows["toy"]["status"], rows["toy"]["from"]) == ("ready", "broken", "frazil-toy 0.3")
    assert found in rows["toy"]["what"] and "backend 'toy'" in rows["toy"]["what"]
    result = frazil("doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 1 and findings["backend numpy"]["status"] == "ok"
    assert findings["backend toy"]["status"] == "problem" and found in findings["backend toy"]["found"]
    assert findings["backend toy"]["cure"].endswith("pip uninstall frazil-toy")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "aliases=False",
            "aliases=True",
            "backend 'toy': capabilities() says aliases=True (views share memory), which needs the kernels copy_, writable, "
            "shares_memory, diagonal; say aliases=False where arrays are never written to",
        ),
        (
            '{"add": np.add}',
            '{"add": lambda x, y: None}',
            "backend 'toy': its kernel 'add' returned NoneType None; a kernel returns an array (or a tuple of them), with a "
            "tuple as .shape and a .dtype of native_dtypes()",
        ),
        (
            '{"add": np.add}',
            '{"add": lambda x, y: [1.0]}',
            "backend 'toy': its kernel 'add' returned list [1.0]; a kernel returns an array (or a tuple of them), with a "
            "tuple as .shape and a .dtype of native_dtypes()",
        ),
        (
            '{"add": np.add}',
            "[1]",
            "backend 'toy' is broken: frazil_toy.Toy.kernels() must return Mapping, it returned [1]",
        ),
    ],
    ids=["no memory kernels", "None", "foreign", "no mapping"],
)
def test_a_device_that_breaks_the_contract_says_how(site, before, after, message):
    assert before in TOY
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=TOY.replace(before, after))
    code = (
        "import frazil as fz, numpy as np\n"
        "try: x = fz.tensor(np.ones(2, np.float32), device='toy'); x + x\n"
        "except fz.errors.BackendError as error: print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(site.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True, timeout=120)
    assert done.stdout.rstrip() == message, done.stderr


def test_ops_goes_on_without_a_broken_backend(frazil, site):
    broken = TOY.replace('return {"add": np.add}', "return [np.add]")
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=broken)
    result = frazil("ops", "--json")
    assert result.returncode == 0 and "toy" not in json.loads(result.stdout)[0]
    assert "frazil-toy 0.3: backend 'toy' is broken: frazil_toy.Toy.kernels() must return Mapping" in result.stderr


@pytest.mark.parametrize("backend", ["nunpy", "toy"])
def test_a_configured_backend_that_cannot_be_used_is_a_problem(frazil, site, backend):
    none = TOY.replace("return 1", "return 0")
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=none)
    result = frazil("doctor", "--json", FRAZIL_BACKEND=backend)
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 1 and findings["default device"]["status"] == "problem"
    assert findings["default device"]["found"].startswith("environment variable FRAZIL_BACKEND: ")


def test_doctor_notices_slow_matrix_kernels(monkeypatch):
    from frazil.plugins.commands import doctor

    answers = {"get_corename": b"Haswell", "get_num_threads": 64}
    monkeypatch.setattr(doctor, "loaded_openblas", lambda: lambda name, result: answers[name])
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"avx2", "avx512f"})
    blas, threads = doctor._blas()
    assert blas.status == "hint" and "OPENBLAS_CORETYPE=SkylakeX" in blas.cure
    assert threads.status == "hint" and "OPENBLAS_NUM_THREADS=" in threads.cure
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"avx2"})
    assert next(iter(doctor._blas())).status == "ok"


@pytest.mark.parametrize("name", [name for name in ("backends", "plugins", "config") if name in COMMANDS])
def test_a_pipe_gets_plain_text_and_a_terminal_a_table(name, frazil, tmp_path):
    assert frazil(name).stdout.isascii()
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    subprocess.run([sys.executable, "-m", "frazil", name], stdout=slave, env=environment, check=True, timeout=120)
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 65536):
            seen += chunk
    except OSError:  # Linux says so at the end of a closed terminal
        pass
    assert "─".encode() in seen and b"\x1b[" in seen


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m frazil config --json | head -n 1"
    result = subprocess.run(command, shell=True, text=True, capture_output=True, timeout=120)
    assert (result.stdout, result.stderr) == ("[\n", "")
