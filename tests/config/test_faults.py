"""Mistakes in files and variables are told in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import frazil as fz
from frazil.config import KEYS, Key, reload
from frazil.errors import ConfigError, DeviceError, FileError


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FRAZIL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    reload()
    yield
    monkeypatch.undo()
    reload()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pyproject.toml", b"tool = 3", "tool must be a table, as in .tool.frazil., given 3"),
        ("pyproject.toml", b"[tool]\nfrazil = [1]", "tool.frazil must be a table, .* given .1."),
        ("frazil.toml", b"\xff\xfe", "is not valid TOML"),
        ("frazil.toml", b"x = " + b"[" * 5000, "nested too deeply"),
        ("frazil.toml", b"opencl.device = " + b"9" * 10_000, "is not valid TOML: Exceeds the limit"),
        ("frazil.toml", b"strict = 0x" + b"f" * 10_000, "'strict' takes true or false, given a very long int"),
        ("frazil.toml", b"opencl.device = 0x" + b"f" * 10_000, "'opencl.device' takes an integer from 0 on or a string"),
        ("frazil.toml", b"#" * 2**21, "longer than 1,048,576 bytes"),
        ("frazil.toml", b"limits = 3", "there is no key 'limits'"),
    ],
)  # fmt: skip
def test_a_file(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        fz.config.get("strict")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
@pytest.mark.parametrize(
    "value", [b"1.5", b"[]", b"{}", b"1979-05-27", b"-1", b"0x" + b"f" * 9000], ids=lambda value: repr(value[:10])
)
def test_a_wrong_type_of_every_key(tmp_path: Path, key: Key, value: bytes) -> None:
    (tmp_path / "frazil.toml").write_bytes(key.name.encode() + b" = " + value)
    with pytest.raises(ConfigError, match=f"{key.name}'? takes|there is no key"):
        fz.config.get("strict")


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
@pytest.mark.parametrize("text", ["²", "9" * 10_000, "\udcff", "\x1b[31m", "-1"], ids=lambda text: ascii(text[:10]))
def test_an_odd_text_in_every_variable(key: Key, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(key.variable, text)
    reload()
    try:
        fz.config.get("strict")
    except ConfigError as error:
        assert str(error).isascii() or "²" in str(error)


@pytest.mark.parametrize("name", ["cpu:²", "cpu:-1", "cpu:" + "9" * 30, "cpu: 1", "cpu:1_0", "cpu:٣"])
def test_what_is_no_number_of_a_device(name: str) -> None:
    with pytest.raises(DeviceError, match="is not a device name"):
        fz.device(name)


def test_a_cache_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    monkeypatch.delenv("FRAZIL_HOME", raising=False)
    monkeypatch.setattr("frazil.hub._DIR", [])
    with pytest.raises(FileError, match="was not written: Not a directory"):
        fz.hub.load_state_dict_from_url(Path(__file__).as_uri())
