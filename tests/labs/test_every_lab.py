"""Every lab of the package runs from beginning to end in its smoke preset, and says in its help what it is."""

import ast
import dataclasses
import json

import pytest

from labs.kit.config import Config
from labs.kit.lab import discover, load
from labs.kit.launch import execute

NAMES = [entry.name for entry in discover()]
STAND_INS = {"mnist": "digits", "shakespeare": "topics"}
"""Data that need a download -> data that every machine has."""
NOWHERE_EMBEDDED = {"housing", "sentiment"}


def _smoke(name: str) -> Config:
    config_type = load(f"labs.{name}").config_type
    settings = {"preset": "smoke", **config_type.presets.get("smoke", {})}
    defaults = {field.name: field.default for field in dataclasses.fields(config_type)} | settings
    if defaults.get("data") in STAND_INS:
        settings["data"] = STAND_INS[defaults["data"]]
    elif defaults.get("data") in NOWHERE_EMBEDDED:
        pytest.skip("data that no library ships: the lab's own test runs it on made ones")
    return config_type(**settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_smoke_preset_runs_to_its_end_and_leaves_a_report(name, place):
    assert execute(load(f"labs.{name}"), _smoke(name)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    assert json.loads((folder / "record.json").read_text())["ended"] == "finished"
    assert (folder / "report.html").stat().st_size > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_a_lab_is_explained(name):
    tree = ast.parse(load(f"labs.{name}").file.read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config")
    for setting, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(setting, ast.AnnAssign) and "ClassVar" not in ast.unparse(setting.annotation):
            assert isinstance(below, ast.Expr), ast.unparse(setting)


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_has_all_three_presets_and_only_settings_that_exist(name):
    config_type = load(f"labs.{name}").config_type
    assert {"smoke", "full"} <= set(config_type.presets)
    names = {field.name for field in dataclasses.fields(config_type)}
    assert all(set(preset) <= names for preset in config_type.presets.values())
