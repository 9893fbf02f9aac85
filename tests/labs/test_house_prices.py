"""The labs on tables run on any CSV file with the columns of the housing data, and refuse others in one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labs.kit.lab import load
from labs.kit.launch import execute
from labs.table_preparation import category_codes


@pytest.fixture
def csv(place) -> Path:
    """400 made districts with the columns of the housing data; houses cost more where incomes are high."""
    rng = np.random.default_rng(0)
    households = rng.integers(50, 1_000, 400)
    income = rng.lognormal(1.2, 0.45, 400)
    table = pd.DataFrame(
        {
            "longitude": rng.uniform(-124, -114, 400),
            "latitude": rng.uniform(32, 42, 400),
            "housing_median_age": rng.integers(1, 52, 400),
            "total_rooms": households * rng.uniform(3, 8, 400),
            "total_bedrooms": households * rng.uniform(1, 1.2, 400),
            "population": households * rng.uniform(2, 4, 400),
            "households": households,
            "median_income": income,
            "median_house_value": (50_000 * income + rng.normal(0, 10_000, 400)).clip(15_000, 300_000),
            "ocean_proximity": rng.choice(["INLAND", "NEAR BAY"], 400),
        }
    )
    table.loc[::40, "total_bedrooms"] = np.nan
    file = place / "districts.csv"
    table.to_csv(file, index=False)
    return file


def run(name: str, data: Path | str, **settings: object) -> int:
    lab = load(f"labs.{name}")
    preset = {"preset": "smoke", **lab.config_type.presets["smoke"]}
    return execute(lab, lab.config_type(**{**preset, "data": str(data), "run_name": name, **settings}))


def finished(place: Path) -> Path:
    (folder,) = (place / "mlruns" / "runs").iterdir()
    assert json.loads((folder / "record.json").read_text())["ended"] == "finished"
    return folder


@pytest.mark.slow
def test_house_prices_compares_a_network_with_trees_on_a_users_file(csv, place):
    assert run("house_prices", csv, epochs=10) == 0
    folder = finished(place)
    table = json.loads((folder / "tables" / "comparison.json").read_text())
    errors = {row[0]: row[table["columns"].index("RMSE (USD)")] for row in table["data"]}
    assert errors["network"] < errors["mean price"] / 2
    drawn = {file.stem for file in (folder / "figures").iterdir()}
    assert {"map_of_prices", "predicted_and_true", "map_of_errors", "importance", "learning_curve"} <= drawn


@pytest.mark.slow
def test_table_preparation_shows_every_step_on_a_users_file(csv, place):
    assert run("table_preparation", csv) == 0
    folder = finished(place)
    assert {file.stem for file in (folder / "tables").iterdir()} == {"outliers", "missing_values", "categories"}
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert summary["split_miss_percent/stratified"] < summary["split_miss_percent/random"]
    assert summary["imputation_rmse/neighbours"] < summary["imputation_rmse/mean"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="latitude"), "has no column 'latitude'; must have longitude, latitude,"),
        (lambda table: table.assign(population="many"), "column 'population' must hold finite numbers"),
        (lambda table: table.assign(households=np.nan), "column 'households' must hold finite numbers"),
        (lambda table: table.assign(median_house_value=table["median_house_value"].where(table.index > 0)), "no gaps"),
        (lambda table: table.assign(median_house_value=1.0), "not all the same"),
        (lambda table: table[:50], "50 rows; must be at least 200"),
    ],
)
def test_house_prices_refuses_a_table_that_does_not_suit_before_anything_is_written(
    csv, place, capsys, change, message
):
    change(pd.read_csv(csv)).to_csv(csv, index=False)
    assert run("house_prices", csv) == 2
    said = capsys.readouterr().err
    assert message in said
    assert str(csv) in said
    assert not list((place / "mlruns" / "runs").iterdir())


@pytest.mark.parametrize("columns", [(), ("rooms",), ("ocean_proximity",)])
def test_table_preparation_refuses_columns_that_it_cannot_show(csv, capsys, columns):
    assert run("table_preparation", csv, columns=columns) == 2
    assert "median_income" in capsys.readouterr().err


def test_table_preparation_refuses_infinity_in_any_column(csv, capsys):
    table = pd.read_csv(csv)
    table.assign(population=table["population"].where(table.index > 0, np.inf)).to_csv(csv, index=False)
    assert run("table_preparation", csv, columns=("total_rooms", "median_income")) == 2
    assert "column 'population' holds infinity" in capsys.readouterr().err


def test_only_columns_of_few_categories_get_codes():
    rows = pd.DataFrame({"name": [f"district {i}" for i in range(30)], "coast": ["near", "far", None] * 10})
    assert [row["coast"] for row in category_codes(rows)] == ["far", "near", "(never seen)"]
    assert category_codes(rows[["name"]]) == []


def test_housing_data_that_are_nowhere_are_missing_in_one_line(place, capsys, monkeypatch):
    monkeypatch.setenv("LABS_DATA_DIR", str(place))
    monkeypatch.setenv("LABS_CACHE_DIR", str(place / "cache"))
    monkeypatch.setenv("LABS_OFFLINE", "1")
    assert run("house_prices", "housing") == 2
    assert "housing/housing.csv: not in LABS_DATA_DIR" in capsys.readouterr().err
