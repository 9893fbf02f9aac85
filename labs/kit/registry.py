"""The store's registry of models: each model of a finished run becomes a version under its lab's name.

A lab that keeps one model a run has the registered model LAB; one that keeps several has LAB.NAME for each. The alias
`best` points to the version whose run has the best main figure (see `judging`); the newest is `models:/LAB/latest`.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from foundations.errors import InputError
from labs.kit.ends import MachineError
from labs.kit.folder import RunFolder, home
from labs.kit.judging import Candidate, MainFigure, basis, best_of, main_figure
from labs.kit.tracking import patiently, stored_models

if TYPE_CHECKING:
    from labs.kit.tracking import Client, ModelVersion

BEST = "best"
COMPARABLE = "comparable"
"""Tag of a version: the terms that its figure rests on."""
VERSIONS_LOOKED_AT = 10_000
LOCK_SECONDS = 60


def title(lab: str, name: str, names: Sequence[str]) -> str:
    """What the model `name` of a run that kept `names` is called in the registry."""
    return lab if len(names) == 1 else f"{lab}.{name}"


def enter(client: "Client", run: RunFolder) -> None:
    """Make the models of a finished run versions, once, and say in its record which. Raises: MachineError."""
    names, record = run.models(), run.record
    if not names or record.get("registered"):
        return
    stored = stored_models(client, record["experiment"], record["id"])
    figure = _figure(record)
    titles = {title(record["lab"], name, names): stored[name] for name in names if name in stored}
    try:  # two runs that end together see each other's version
        with FileLock(home() / "registry.lock", timeout=LOCK_SECONDS):
            entered = {called: _enter(client, called, model, record, figure) for called, model in titles.items()}
    except Timeout as held_up:
        raise MachineError(f"{held_up.lock_file} is held by another run: its models enter the registry first") from None
    run.update(registered=entered)


def _figure(record: Mapping[str, Any]) -> MainFigure | None:
    """The lab's main figure, where the run has it."""
    try:
        figure = main_figure(record["target"])
    except InputError as error:
        print(f"note: {error}", flush=True)
        return None
    if figure and figure.name not in record["summary"]:
        print(f"note: the lab's main figure {figure.name!r} is none of the run's: it is no candidate for the best")
        return None
    return figure


def _enter(client: "Client", called: str, model: str, record: Mapping[str, Any], figure: MainFigure | None) -> str:
    """One model: its version, and the alias where it belongs."""
    versions = _versions(client, called)
    own = next((version for version in versions if version.run_id == record["id"]), None)
    if own is None:
        if not versions:
            about = f"{record['summary_line']}. The best: `mlflow.pytorch.load_model('models:/{called}@{BEST}')`."
            with suppress(MachineError):  # there already: another host was faster, or all its versions were deleted
                patiently(lambda: client.create_registered_model(called, description=about))
        tags, says = _tags(record, figure)
        own = patiently(
            lambda: client.create_model_version(
                called, f"models:/{model}", record["id"], tags, description=says, await_creation_for=0, model_id=model
            )
        )
        versions.append(own)
    if figure:
        _point(client, called, versions, figure)
    return str(own.version)


def _versions(client: "Client", called: str) -> "list[ModelVersion]":
    search = f"name = '{called}'"
    return list(patiently(lambda: client.search_model_versions(search, max_results=VERSIONS_LOOKED_AT)))


def _tags(record: Mapping[str, Any], figure: MainFigure | None) -> tuple[dict[str, str], str]:
    """What a version's tags say of its run, and its description."""
    preset = record["config"]["preset"]
    says = f"run {record['name']}, preset {preset}"
    if figure is None:
        return {"preset": preset}, says
    value = record["summary"][figure.name]
    tags = {figure.name: repr(value), "preset": preset, COMPARABLE: basis(record, figure.alike) or "all"}
    return tags, f"{figure.name} {value:.4g}: {says}"


def _point(client: "Client", called: str, versions: "Sequence[ModelVersion]", figure: MainFigure) -> None:
    """Let the alias point to the best of `versions`."""
    wanted = {figure.name, COMPARABLE}  # a version that a person made has none of these
    judged = {str(version.run_id): version for version in versions if wanted <= version.tags.keys()}
    winner = best_of([_candidate(version, figure.name) for version in judged.values()], figure.direction)
    if winner and (version := str(judged[winner.run].version)) != _best_version(client, called):
        patiently(lambda: client.set_registered_model_alias(called, BEST, version))


def _candidate(version: "ModelVersion", figure: str) -> Candidate:
    tags, made = version.tags, f"{version.creation_timestamp:020d}"
    return Candidate(str(version.run_id), float(tags[figure]), tags[COMPARABLE], tags["preset"], made)


def _best_version(client: "Client", called: str) -> str | None:
    version = patiently(lambda: client.get_registered_model(called)).aliases.get(BEST)
    return None if version is None else str(version)


def held(client: "Client", lab: str) -> "dict[str, ModelVersion]":
    """The versions that the aliases `best` of a lab's registered models point to. Raises: MachineError."""
    models = patiently(lambda: client.search_registered_models(f"name LIKE '{lab}%'"))
    names = [model.name for model in models if BEST in model.aliases and model.name.split(".")[0] == lab]
    return {name: patiently(partial(client.get_model_version_by_alias, name, BEST)) for name in names}
