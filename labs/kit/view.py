"""The view of an experiment that the dashboard opens: its figures, and the settings in which its runs differ.

MLflow's table of runs begins without a figure. A link may name a view that is kept as a tag of the experiment; who
changes what it shows keeps the change as a view of their own.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foundations.errors import InputError
from labs.kit.config import Config
from labs.kit.ends import MachineError
from labs.kit.judging import main_figure

if TYPE_CHECKING:
    from labs.kit.tracking import Client

KEY = "labs"
FIGURES = 2
SETTINGS = 5


def keep(client: "Client", experiment: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Keep the view of an experiment with the runs of `records`, the newest first; gives what links to it end in."""
    from labs.kit.tracking import patiently

    view = json.dumps({"selectedColumns": columns(records)})
    try:
        patiently(lambda: client.set_experiment_tag(experiment, f"mlflow.sharedViewState.{KEY}", view))
    except MachineError:  # a store that may only be read: its own table is shown
        return ""
    return f"&viewStateShareKey={KEY}"


def columns(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that tell the runs of `records` apart: models, the main figures, settings that differ, the seed."""
    own = [record for record in records if not record["target"].startswith("labs.kit.")]
    figures = list(dict.fromkeys([*_main(own), *(name for record in records for name in record["summary"])]))
    figures = [name for name in figures if not name.startswith("deviation/")]
    settings = [*_differing(own), "seed", "preset"]
    return [
        "attributes.`Models`",
        *(f"metrics.`summary/{name}`" for name in figures[:FIGURES]),
        *(f"params.`{name}`" for name in settings),
    ]


def _main(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lab's main figure, if it names one that a run has."""
    try:
        figure = main_figure(records[0]["target"]) if records else None
    except InputError:
        return []
    return [figure.name] if figure and any(figure.name in record["summary"] for record in records) else []


def _differing(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings of the lab's own that are not the same in all runs."""
    common = set(Config.__dataclass_fields__)
    values: dict[str, set[str]] = {}
    for record in records:
        for name, value in record["config"].items():
            values.setdefault(name, set()).add(repr(value))
    return [name for name, found in values.items() if len(found) > 1 and name not in common][:SETTINGS]
