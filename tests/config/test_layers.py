"""The stronger layer wins, every value knows its origin, and every mistake is reported with its place and its cure."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from frazil.config import KEYS, config, configure, files, get, guard, origin, reload
from frazil.errors import ConfigError

pytestmark = pytest.mark.usefixtures("fresh_config")


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch):
    monkeypatch.setattr(sys.modules["frazil.config"], "_guards", {})  # of a device that tests elsewhere have opened
    yield
    configure(**dict.fromkeys(KEYS))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def user_file(folder: Path) -> Path:
    return folder.parent / "user" / "frazil" / "config.toml"


def test_layers_are_asked_from_the_strongest_to_the_weakest(fresh_config, monkeypatch):
    """Each layer is put on top of the weaker ones, and each time it is the one that counts."""
    assert (get("backend"), origin("backend")) == ("numpy", "default")

    layers = [
        (user_file(fresh_config), 'backend = "user"'),
        (fresh_config / "pyproject.toml", '[tool.frazil]\nbackend = "pyproject"'),
        (fresh_config / "frazil.toml", 'backend = "project"'),
    ]
    for path, text in layers:
        write(path, text)
        reload()
        assert (get("backend"), origin("backend")) == (text.split('"')[1], str(path))

    named = write(fresh_config.parent / "named.toml", 'backend = "named"')
    monkeypatch.setenv("FRAZIL_CONFIG", str(named))
    reload()
    assert (get("backend"), origin("backend")) == ("named", str(named))

    monkeypatch.setenv("FRAZIL_BACKEND", "variable")
    reload()
    assert (get("backend"), origin("backend")) == ("variable", "environment variable FRAZIL_BACKEND")

    configure(backend="opencl")
    assert (get("backend"), origin("backend")) == ("opencl", "fz.configure(...)")

    with config(backend="cupy"):
        assert (get("backend"), origin("backend")) == ("cupy", "with fz.config(...)")
        with config(backend="auto"):
            assert get("backend") == "auto"
        with config(backend=None):
            assert get("backend") == "opencl"
        assert get("backend") == "cupy"
    assert get("backend") == "opencl"

    configure(backend=None)
    assert get("backend") == "variable"


def test_project_and_user_file_are_merged_key_by_key(fresh_config):
    write(user_file(fresh_config), 'strict = true\ndefault_dtype = "float64"')
    write(fresh_config / "frazil.toml", "strict = false")
    assert (get("strict"), get("default_dtype")) == (False, "float64")
    assert files() == [fresh_config / "frazil.toml", user_file(fresh_config)]


def test_nearest_project_file_wins_on_the_way_up(fresh_config, monkeypatch):
    write(fresh_config / "frazil.toml", 'backend = "far"')
    write(fresh_config / "a" / "pyproject.toml", '[project]\nname = "without a table for frazil"')
    inner = fresh_config / "a" / "b"
    inner.mkdir()
    monkeypatch.chdir(inner)
    reload()
    assert get("backend") == "far"
    write(inner.parent / "frazil.toml", 'backend = "near"')
    reload()
    assert get("backend") == "near"


def test_files_are_read_once(fresh_config):
    path = write(fresh_config / "frazil.toml", 'backend = "first"')
    assert get("backend") == "first"
    path.write_text('backend = "second"')
    configure(strict=True)
    assert get("backend") == "first"
    reload()
    assert get("backend") == "second"


@pytest.mark.parametrize("text", ["opencl.device = 2", "[opencl]\ndevice = 2", '"opencl.device" = 2'])
def test_dotted_keys_in_files(fresh_config, text):
    write(fresh_config / "frazil.toml", text)
    assert get("opencl.device") == 2


def test_dotted_keys_in_calls():
    with config(opencl__device=1):
        assert get("opencl.device") == 1
    with config(**{"opencl.device": "Iris"}):
        assert get("opencl.device") == "Iris"


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("FRAZIL_STRICT", "1", "strict", True),
        ("FRAZIL_STRICT", "off", "strict", False),
        ("FRAZIL_OPENCL_DEVICE", "1", "opencl.device", 1),
        ("FRAZIL_OPENCL_DEVICE", "Iris", "opencl.device", "Iris"),
        ("FRAZIL_NUMPY_KEEP_MEMORY", "True", "numpy.keep_memory", True),
    ],
)
def test_variables_are_read_as_the_type_of_their_key(monkeypatch, variable, text, name, value):
    monkeypatch.setenv(variable, text)
    reload()
    assert (get(name), origin(name)) == (value, f"environment variable {variable}")


def test_an_empty_variable_is_not_set(monkeypatch):
    for key in KEYS.values():
        monkeypatch.setenv(key.variable, "")
    reload()
    assert {origin(name) for name in KEYS} == {"default"}


def test_a_backend_takes_back_the_device_of_weaker_layers(fresh_config, monkeypatch):
    path = write(fresh_config / "frazil.toml", 'device = "cpu:0"\nbackend = "torch"')
    assert (get("device"), origin("device")) == ("cpu:0", str(path))  # in one layer the device counts
    monkeypatch.setenv("FRAZIL_BACKEND", "opencl")
    reload()
    assert get("device") is None
    assert origin("device") == "first of the backend (environment variable FRAZIL_BACKEND)"
    configure(device="opencl:1")
    with config(backend="numpy"):
        assert get("device") is None
        with config(device="opencl:2"):
            assert get("device") == "opencl:2"
            with config(backend="cupy"):
                assert get("device") is None
        with config(backend=None):
            assert get("device") == "opencl:1"
    configure(backend="numpy")
    assert (get("device"), origin("device")) == (None, "first of the backend (fz.configure(...))")
    configure(backend=None)
    assert origin("device") == "first of the backend (environment variable FRAZIL_BACKEND)"


def test_who_has_read_a_value_for_good_refuses_another():
    guard("opencl.device", lambda value: f"too late for {value}")
    with pytest.raises(ConfigError, match=r"^fz.configure\(...\): too late for 1$"):
        configure(opencl__device=1)
    configure(opencl__device=None)


def test_a_scope_belongs_to_its_thread():
    seen = []
    with config(backend="opencl"):
        thread = threading.Thread(target=lambda: seen.append(get("backend")))
        thread.start()
        thread.join()
    assert seen == ["numpy"]


def test_a_scope_can_be_entered_again():
    scope = config(strict=True)
    for _ in range(2):
        with scope, scope:
            assert get("strict")
        assert not get("strict")


# Mistakes.


def test_mistakes_in_a_file_are_reported_all_at_once_with_its_path(fresh_config):
    path = write(fresh_config / "frazil.toml", 'bakend = "cpu"\nstrict = "yes"\n[opencl]\ndevise = 1\n[numpy]\nkeep_memory = 1')
    with pytest.raises(ConfigError) as error:
        get("backend")
    assert str(error.value).splitlines() == [
        f"{path}: there is no key 'bakend'; did you mean 'backend'?",
        f"{path}: 'strict' takes true or false, given 'yes'",
        f"{path}: there is no key 'opencl.devise'; did you mean 'opencl.device'?",
        f"{path}: 'numpy.keep_memory' takes true or false, given 1",
    ]


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("FRAZIL_BAKEND", "cpu", "environment variable FRAZIL_BAKEND: there is no key 'bakend'; did you mean 'backend'?"),
        ("FRAZIL_STRICT", "perhaps", "environment variable FRAZIL_STRICT: 'strict' takes true or false, given 'perhaps'"),
        (
            "FRAZIL_DEFAULT_DTYPE",
            "float8",
            "environment variable FRAZIL_DEFAULT_DTYPE: "
            "'default_dtype' takes one of 'float16', 'bfloat16', 'float32', 'float64', given 'float8'",
        ),
    ],
)
def test_mistakes_in_variables(monkeypatch, variable, text, message):
    monkeypatch.setenv(variable, text)
    reload()
    with pytest.raises(ConfigError) as error:
        get("backend")
    assert str(error.value) == message


@pytest.mark.parametrize(("use", "where"), [(configure, "fz.configure(...)"), (config, "with fz.config(...)")])
def test_mistakes_in_calls_change_nothing(use, where):
    with pytest.raises(ConfigError) as error:
        use(strict=True, bakend="cpu")
    assert str(error.value) == f"{where}: there is no key 'bakend'; did you mean 'backend'?"
    assert get("strict") is False


def test_asking_for_an_unknown_key():
    with pytest.raises(ConfigError, match=r"fz.config: there is no key 'colour'; `frazil config` lists the keys"):
        get("colour")


def test_a_file_that_is_not_toml(fresh_config):
    path = write(fresh_config / "frazil.toml", "backend = numpy")
    with pytest.raises(ConfigError) as error:
        get("backend")
    assert str(error.value).startswith(f"{path} is not valid TOML: Invalid value (at line 1, column 11)")


def test_a_named_file_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("FRAZIL_CONFIG", "nowhere.toml")
    reload()
    with pytest.raises(
        ConfigError, match="FRAZIL_CONFIG names 'nowhere.toml', which is not a file: correct the variable or unset it"
    ):
        get("backend")


def test_a_tool_entry_that_is_no_table(fresh_config):
    write(fresh_config / "pyproject.toml", "[tool]\nfrazil = 3")
    with pytest.raises(ConfigError, match=r"tool.frazil must be a table, \[tool.frazil\], given 3"):
        get("backend")


def test_importing_frazil_reads_no_file(fresh_config):
    write(fresh_config / "frazil.toml", "this is not TOML")
    code = "import frazil, sys; sys.exit('tomllib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=fresh_config, timeout=60).returncode == 0


def test_every_key_has_one_line_of_help_and_a_default_of_its_type():
    for key in KEYS.values():
        assert key.help and "\n" not in key.help
        assert key.default is None or key.check(key.default) is None


def test_every_key_is_asked_for_somewhere(root):
    """A setting that nobody reads would be accepted and do nothing."""
    sources = "".join(path.read_text() for folder in ("core", "backends", "exporters") for path in (root / folder).rglob("*.py"))
    unread = {name for name in KEYS if f'config.get("{name}")' not in sources}
    assert unread <= {"opencl.device"}  # of a backend that is known but does not exist yet


def test_default_dtype(monkeypatch):
    import frazil as fz

    monkeypatch.setattr(fz.dtypes, "_default", [None])  # another test may have called set_default_dtype
    with config(default_dtype="float64"):
        assert fz.ones(2).dtype is fz.float64
        assert (fz.tensor([1, 2]) / 2).dtype is fz.float64
    assert fz.ones(2).dtype is fz.float32


def test_kept_memory_spares_page_faults():
    """With freed blocks kept, a step that makes results of 64 MiB touches no new page when it runs again."""
    code = """if True:
        import resource, frazil as fz
        inputs = [fz.ones(1 << n) for n in (14, 19, 24)]
        def step():
            for y in [x.exp() for x in inputs]: y * 2
        for _ in range(2): step()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(3): step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """

    def faults(keep: str) -> int:
        environment = {**os.environ, "FRAZIL_NUMPY_KEEP_MEMORY": keep}
        return int(
            subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60, check=True).stdout
        )

    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc can be asked to keep freed memory")
    assert faults("1") < 100 < 1000 < faults("0")
