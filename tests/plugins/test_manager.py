"""Backends and plugins are found by entry point, imported only when asked for, and refused with what to do about it."""

from __future__ import annotations

import signal
import sys
import warnings

import pytest

from frazil.backend import CONTRACT
from frazil.config import config, reload
from frazil.errors import BackendError, ConfigError, DeviceError, PluginWarning

from .conftest import TOY, Site


def refused(manager, name: str) -> str:
    """The message with which the manager refuses to open backend `name`."""
    with pytest.raises(BackendError) as error:
        manager.open_backend(name)
    return str(error.value)


def test_a_backend_is_imported_only_when_asked_for(toy):
    manager = toy.manager()
    assert {"numpy", "toy", "cupy", "opencl"} <= {record.name for record in manager.backends()}
    assert manager.backend_for_device_type("toy") == "toy"
    assert "frazil_toy" not in sys.modules
    assert manager.open_backend("toy").describe() == "one toy"
    assert "frazil_toy" in sys.modules
    assert manager.open_backend("toy") is manager.open_backend("toy")


def test_records_know_their_distribution_and_the_missing_come_last(toy):
    records = toy.manager().backends()
    assert {record.name: record.distribution for record in records}["toy"] == "frazil-toy 0.3"
    assert [record.load is None for record in records] == sorted(record.load is None for record in records)


def test_device_types(toy):
    manager = toy.manager()
    assert [manager.device_type_of(name) for name in ("numpy", "toy")] == ["cpu", "toy"]
    with pytest.raises(DeviceError, match=r"there is no device type 'tory'; did you mean 'toy'\?"):
        manager.backend_for_device_type("tory")
    with pytest.raises(DeviceError, match="'numpy' is a backend, and its device type is 'cpu'"):
        manager.backend_for_device_type("numpy")


ACCELERATOR = TOY.replace('frozenset({"float32"})', 'frozenset({"float32"}), accelerator=True')


def test_auto_takes_an_accelerator_that_runs_a_kernel(site):
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=ACCELERATOR)
    assert site.manager().auto() == "toy"
    assert site.manager().device_type_of("auto") == "toy"


def test_auto_does_not_take_what_is_no_accelerator(toy):
    assert toy.manager().auto() == "numpy"


def test_auto_passes_over_what_fails(site):
    wrong = ACCELERATOR.replace("np.add", "np.subtract")
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=wrong)
    assert site.manager().auto() == "numpy"
    (site.path / "frazil_toy.py").write_text("raise OSError('no driver')")
    del sys.modules["frazil_toy"]
    with pytest.warns(PluginWarning, match='backend = "auto" passes over .toy.: .*OSError: no driver'):
        assert site.manager().auto() == "numpy"


# Backends that cannot be had.


def test_an_unknown_backend_gets_the_nearest_name(toy):
    assert refused(toy.manager(), "nunpy") == "there is no backend 'nunpy'; did you mean 'numpy'?"
    assert refused(toy.manager(), "tpu9") == "there is no backend 'tpu9'; `frazil backends` lists those there are"
    assert refused(toy.manager(), "cpu") == "there is no backend 'cpu'; 'cpu' is a device type, and its backend is 'numpy'"


def test_an_unknown_backend_of_the_configuration_names_who_asked(site, monkeypatch):
    with pytest.raises(ConfigError, match=r"^with fz.config\(...\): there is no backend 'nunpy'; did you mean 'numpy'\?$"):
        config(backend="nunpy")
    monkeypatch.setenv("FRAZIL_BACKEND", "nunpy")
    reload()
    assert refused(site.manager(), "nunpy").startswith("environment variable FRAZIL_BACKEND: there is no backend 'nunpy'")
    monkeypatch.undo()
    reload()


def test_a_known_backend_that_is_not_installed_prints_its_pip_line(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    expected = "backend 'opencl' is known but not installed: pip install 'frazil[opencl]'"
    assert refused(site.manager(), "opencl") == expected
    with pytest.raises(BackendError, match="known but not installed"):
        site.manager().backend_for_device_type("opencl")


def test_a_backend_whose_vendor_library_is_missing_prints_its_pip_line(site):
    """The backend is registered, but what it requires is not there: found out without importing the backend."""
    site.install(
        "frazil-snow",
        "1.0",
        {"frazil.plugins": {"snow": "frazil_snow"}},
        frazil_snow="""
            from frazil.plugins import BackendRecord, hookimpl

            def load():
                raise AssertionError("imported")

            @hookimpl
            def frazil_backends():
                return [BackendRecord("snow", load, "cuda", ("libsnow",), "pip install frazil-snow[lib]")]
        """,
    )
    assert refused(site.manager(), "snow") == "backend 'snow' is known but not installed: pip install frazil-snow[lib]"


def test_a_backend_that_fails_on_import_keeps_its_cause(site):
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy="import libtoy")
    manager = site.manager()
    assert "toy" in [record.name for record in manager.backends()]
    with pytest.raises(BackendError) as error:
        manager.open_backend("toy")
    assert str(error.value) == (
        "backend 'toy' of frazil-toy 0.3 cannot be imported: ModuleNotFoundError: No module named 'libtoy' (pip install libtoy)"
    )
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('name = "toy"', 'name = "joy"', "its class says name = 'joy', its entry point 'toy': make them equal"),
        (
            'device_type = "toy"',
            'device_type = "cpu"',
            "its class says device_type = 'cpu', expected is 'toy' (the name of its entry",
        ),
        (
            "contract = 2",
            f"contract = {CONTRACT + 1}",
            f"was written for contract {CONTRACT + 1}, this frazil has contract {CONTRACT}: upgrade frazil",
        ),
        (
            "contract = 2",
            f"contract = {CONTRACT - 1}",
            f"was written for contract {CONTRACT - 1}, this frazil has contract {CONTRACT}: upgrade frazil-toy "
            "(for its author: of its primitives 43 have bodies now",
        ),
        ("contract = 2", "", f"does not say for which contract it was written: add `contract = {CONTRACT}` to class Toy"),
        (
            "class Toy(Backend):",
            "class Toy:",
            "the entry point must name a subclass of frazil.backend.Backend",
        ),
        ("def device_count", "def device_cuont", "cannot start: TypeError: Can't instantiate abstract class Toy"),
    ],
    ids=["name", "device type", "newer contract", "older contract", "no contract", "no Backend", "incomplete"],
)
def test_a_backend_that_breaks_the_contract_is_refused(site, before, after, message):
    assert before in TOY
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=TOY.replace(before, after))
    assert f"backend 'toy' of frazil-toy 0.3{': ' if message.startswith(('its', 'the')) else ' '}{message}" in refused(
        site.manager(), "toy"
    )


def test_an_entry_point_that_names_no_module_of_its_distribution_says_so(site):
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_tyo.backend:Toy"}}, frazil_toy=TOY)
    assert refused(site.manager(), "toy") == (
        "backend 'toy' of frazil-toy 0.3 cannot be imported: its entry point names a module 'frazil_tyo.backend' that the "
        "distribution does not have: correct the entry point, or remove it: pip uninstall frazil-toy"
    )


def test_a_backend_that_cannot_start_is_not_sent_to_the_doctor(site):
    broken = TOY.replace("contract = 2", "contract = 2\n        def __init__(self): raise OSError('no card')")
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=broken)
    assert refused(site.manager(), "toy") == "backend 'toy' of frazil-toy 0.3 cannot start: OSError: no card"


def test_a_record_for_another_contract_is_refused_before_the_import(site):
    site.install(
        "frazil-snow",
        "1.0",
        {"frazil.plugins": {"snow": "frazil_snow"}},
        frazil_snow=f"""
            from frazil.plugins import BackendRecord, hookimpl

            def load():
                raise AssertionError("imported")

            @hookimpl
            def frazil_backends():
                return [BackendRecord("snow", load, "snow", contract={CONTRACT + 1})]
        """,
    )
    assert refused(site.manager(), "snow") == (
        f"backend 'snow' of frazil-snow 1.0 was written for contract {CONTRACT + 1}, this frazil has contract {CONTRACT}: "
        "upgrade frazil"
    )


def test_two_distributions_with_one_backend_are_both_named(toy):
    toy.install("frazil-joy", "2.0", {"frazil.backends": {"toy": "frazil_joy:Toy"}})
    message = refused(toy.manager(), "toy")
    assert "backend 'toy' is provided by two distributions, " in message
    assert "frazil-toy 0.3" in message and "frazil-joy 2.0" in message and message.endswith("uninstall one of them")
    assert [record.name for record in toy.manager().backends()].count("toy") == 1


@pytest.mark.parametrize("name", ["numpy", "opencl"])
def test_the_name_of_a_backend_of_frazil_is_frazils(site, name):
    stranger = TOY.replace('"toy"', f'"{name}"')
    site.install("frazil-toy", "0.3", {"frazil.backends": {name: "frazil_toy:Toy"}}, frazil_toy=stranger)
    manager = site.manager()
    with pytest.warns(PluginWarning, match=f"^frazil-toy 0.3 provides a backend '{name}', .*: pip uninstall frazil-toy$") as seen:
        assert [record.distribution.split()[0] for record in manager.backends() if record.name == name] == ["frazil"]
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert [record.distribution.split()[0] for record in manager.backends() if record.name == name] == ["frazil"]
        assert manager.open_backend("numpy").device_type == "cpu"


# Plugins.

SNOW = """
    from frazil.plugins import BackendRecord, LoweringRecord, OpsRecord, hookimpl

    @hookimpl
    def frazil_backends():
        from frazil_toy import Toy

        return [BackendRecord("toy", lambda: Toy, "toy")]

    @hookimpl
    def frazil_ops():
        return [OpsRecord("frazil_snow_ops")]

    @hookimpl
    def frazil_onnx_lowerings():
        return [LoweringRecord("snowfall", lower=len)]
"""


@pytest.fixture
def snow(site):
    """The site with a plugin that uses every hook."""
    site.install(
        "frazil-snow",
        "1.0",
        {"frazil.plugins": {"snow": "frazil_snow"}},
        frazil_snow=SNOW,
        frazil_toy=TOY,
        frazil_snow_ops="imported = True",
    )
    return site


@pytest.fixture
def lowerings():
    """The lowerings of the ONNX exporter, put back afterwards."""
    from frazil.exporters.onnx.lowerings import LOWERINGS

    before = dict(LOWERINGS)
    yield LOWERINGS
    LOWERINGS.clear()
    LOWERINGS.update(before)


def test_a_plugin_offers_through_every_hook(snow, lowerings):
    manager = snow.manager()
    assert [(info.name, info.distribution, info.error) for info in manager.plugins()][1:] == [("snow", "frazil-snow 1.0", None)]
    assert set(manager.open_plugin("snow").hooks) == {"frazil_backends", "frazil_ops", "frazil_onnx_lowerings"}
    assert manager.open_backend("toy").name == "toy"
    assert "frazil_snow_ops" not in sys.modules
    assert "export" in dir(manager.exporter("onnx"))
    assert "frazil_snow_ops" in sys.modules and lowerings["snowfall"] is len


def test_plugins_are_not_imported_for_a_backend_with_an_entry_point(snow):
    snow.manager().open_backend("numpy")
    assert "frazil_snow" not in sys.modules


def test_two_lowerings_of_one_op_name_both_distributions(snow, lowerings):
    hail = SNOW.replace("snowfall", "relu")
    snow.install("frazil-hail", "4.0", {"frazil.plugins": {"hail": "frazil_hail"}}, frazil_hail=hail)
    with pytest.raises(BackendError) as error:
        snow.manager().exporter("onnx")
    assert "op 'relu' has two ONNX lowerings, from frazil " in str(error.value)
    assert str(error.value).endswith(" and frazil-hail 4.0: uninstall one of them")
    assert "snowfall" not in lowerings


def test_there_is_no_other_exporter(site):
    with pytest.raises(BackendError, match="there is no exporter 'tflite'; there are onnx"):
        site.manager().exporter("tflite")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import libsnow", "ModuleNotFoundError: No module named 'libsnow'"),
        ("import frazil.plugins\n@frazil.plugins.hookimpl\ndef frazil_backend(): ...", "unknown hook 'frazil_backend'"),
        (
            "import frazil.plugins\n@frazil.plugins.hookimpl\ndef frazil_backends(): return 1 / 0",
            "ZeroDivisionError: division by zero",
        ),
    ],
    ids=["import", "unknown hook", "hook raises"],
)
def test_a_broken_plugin_is_a_warning_when_listed_and_an_error_when_asked_for(toy, source, reason):
    toy.install("frazil-snow", "1.0", {"frazil.plugins": {"snow": "frazil_snow"}}, frazil_snow=source)
    manager = toy.manager()
    with pytest.warns(PluginWarning, match="plugin 'snow' of frazil-snow 1.0 is broken") as caught:
        assert "toy" in [record.name for record in manager.backends()]
    assert len(caught) == 1 and reason in str(caught[0].message)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # told once
        broken = {info.name: info.error for info in manager.plugins()}
        with pytest.raises(BackendError) as error:
            manager.open_plugin("snow")
        missing = refused(manager, "snowball")
    assert reason in str(error.value) and "pip uninstall frazil-snow" in str(error.value)
    assert error.value.__cause__ is broken["snow"]
    assert "plugin 'snow' of frazil-snow 1.0 is broken" in missing and "it may be the one that provides it" in missing


def test_asking_for_an_unknown_plugin(snow):
    with pytest.raises(BackendError, match=r"there is no plugin 'snwo'; did you mean 'snow'\?"):
        snow.manager().open_plugin("snwo")


# *** plugins that misbehave ***

OFFENCES = {
    "exits": ("raise SystemExit('bye')", "SystemExit: bye"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises anything": ("class Odd(BaseException): pass\nraise Odd('x')", "Odd: x"),
    "cannot be told": ("class Mute(Exception):\n    def __str__(self): raise SystemExit\nraise Mute", "its text cannot be told"),
    "colours": ("raise ValueError('\\x1b[31mred')", r"ValueError: \\x1b\[31mred"),
}
JUNK = {
    "None": "None",
    "a number": "3",
    "texts": "['a']",
    "records of another kind": "[frazil.plugins.OpsRecord('x')]",
    "no name": "[frazil.plugins.BackendRecord('', None, 'x')]",
    "a name that is none": "[frazil.plugins.BackendRecord(3, None, 'x')]",
    "no function": "[frazil.plugins.BackendRecord('x', 3, 'x')]",
    "no modules": "[frazil.plugins.BackendRecord('x', None, 'x', requires=('a.b', 3))]",
    "no end": "__import__('itertools').repeat(3)",
    "exit": "exit(3)",
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_whatever_an_import_raises_the_plugin_is_broken(site: Site, offence: str) -> None:
    source, message = OFFENCES[offence]
    site.install("frazil-odd", "1", {"frazil.plugins": {"odd": "frazil_odd"}}, frazil_odd=source)
    manager = site.manager()
    with pytest.warns(PluginWarning, match=message):
        rows = {row.name: row for row in manager.plugins()}
    assert rows["odd"].error is not None and str(rows["odd"].error) and rows["frazil"].error is None
    with pytest.raises(BackendError, match=f"plugin 'odd' of frazil-odd 1 is broken: .*{message}"):
        manager.open_plugin("odd")


@pytest.mark.parametrize("offence", OFFENCES)
def test_whatever_a_backend_raises_it_is_broken(site: Site, offence: str) -> None:
    source, message = OFFENCES[offence]
    site.install("frazil-odd", "1", {"frazil.backends": {"odd": "frazil_odd:Odd"}}, frazil_odd=source)
    with pytest.raises(BackendError, match=f"backend 'odd' of frazil-odd 1 cannot be imported: .*{message}"):
        site.manager().open_backend("odd")


@pytest.mark.parametrize("junk", JUNK)
def test_a_hook_that_returns_junk_is_broken(site: Site, junk: str) -> None:
    source = f"import frazil.plugins\n@frazil.plugins.hookimpl\ndef frazil_backends():\n    return {JUNK[junk]}\n"
    site.install("frazil-odd", "1", {"frazil.plugins": {"odd": "frazil_odd"}}, frazil_odd=source)
    manager = site.manager()
    with pytest.warns(PluginWarning, match="plugin 'odd' of frazil-odd 1 is broken"):
        assert {record.name for record in manager.backends()} >= {"numpy", "cupy", "opencl"}
    assert {row.name: bool(row.error) for row in manager.plugins()} == {"frazil": False, "odd": True}


def test_ctrl_c_while_a_plugin_is_imported_is_ctrl_c(site: Site) -> None:
    source = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(10**7): pass"
    site.install("frazil-slow", "1", {"frazil.plugins": {"slow": "frazil_slow"}}, frazil_slow=source)
    shell = signal.signal(signal.SIGINT, signal.default_int_handler)  # one in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            site.manager().plugins()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, shell)
