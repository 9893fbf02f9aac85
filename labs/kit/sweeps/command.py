"""`python -m labs sweep LAB --space NAME=RANGE ... --metric NAME`: from the command line to a sweep."""

import argparse
import dataclasses
import os
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from foundations.errors import InputError, require, require_choice
from labs.kit.parser import Parser

if TYPE_CHECKING:
    from labs.kit.folder import RunFolder
    from labs.kit.lab import Lab
    from labs.kit.sweeps.sweep import Config

ABOUT = """Run a lab many times, each time with other settings, and find those that serve a metric best.

  python -m labs sweep mnist_classifier --space 'learning_rate=log(1e-4,1e-1)' 'batch_size=[64,128]' \\
      --metric test/accuracy --direction max --trials 24 --workers 2 -- --preset smoke

Ranges (in quotes, for the shell): uniform(0,0.5), log(1e-5,1e-2), int(1,8), int(32,256,32), intlog(16,512), [64,128].
The lab's own flags come last, behind --. To go on with a sweep that was stopped, or to help one that runs, from
another terminal or host: python -m labs sweep --study NAME [--store postgresql://...] [--workers 2]"""
DEFAULTS = {"sampler": "tpe", "pruner": "none", "trials": 20}
"""What is taken if neither the command line nor the study says it."""
ABOUT_DIRECTION = "which end of it is better (default: as the lab says, or by its name: less of losses and errors)"
OWN = "labs.kit.sweeps.sweep"


def main(arguments: Sequence[str]) -> int:
    """Search the settings that the command line names; gives the exit status."""
    words = list(arguments)
    own, flags = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, None)
    chosen = _parse(own)
    from labs.kit.lab import load
    from labs.kit.launch import execute
    from labs.kit.origin import Origin

    lab, config = _config(chosen, flags)
    outer = dataclasses.replace(load(OWN), summary=_summary(lab, config))
    return execute(outer, config, _without_password(words), Origin(resumes=_stopped(config)))


def _parse(words: list[str]) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser("python -m labs sweep", description=ABOUT, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("lab", nargs="?", help="a lab's name, or the file of your own")
    parser.add_argument("--space", nargs="+", metavar="NAME=RANGE", help="settings to search, each with its range")
    parser.add_argument("--metric", help="figure of the runs' summary, or last value of a metric")
    parser.add_argument("--direction", choices=("min", "max"), help=ABOUT_DIRECTION)
    samplers = ("grid", "random", "tpe", "genetic", "cmaes")
    parser.add_argument("--sampler", choices=samplers, help="how the settings are chosen (default tpe)")
    pruners = ("median", "hyperband", "none")
    parser.add_argument("--pruner", choices=pruners, help="how poor trials are stopped early (default none)")
    parser.add_argument("--trials", type=int, help="in all, over all workers and hosts (default 20)")
    parser.add_argument("--workers", type=int, default=1, help="trials at a time on this host (default 1)")
    parser.add_argument("--study", help="name of the study; that of one that is there joins it (default: a new one)")
    parser.add_argument("--store", help="data base for several hosts, as postgresql://USER@HOST/NAME")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="processes here, or a Ray cluster")
    parser.add_argument("--ray-address", help="the cluster's address (default: one of this host alone)")
    parser.add_argument("--cpus", type=float, default=1.0, help="processors of a trial on the cluster (default 1)")
    parser.add_argument("--gpus", type=float, default=0.0, help="graphics processors of a trial there (default 0)")
    chosen, unknown = parser.parse_known_args(words)
    if unknown:
        flag = unknown[0]
        raise InputError(f"{flag}: is no flag of sweep; the lab's own come behind --, as in: sweep LAB ... -- {flag}")
    for name, least in (("trials", 1), ("workers", 1), ("cpus", 0), ("gpus", 0)):
        value = getattr(chosen, name)
        require(value is None or value >= least, f"--{name}", value, f"at least {least}")
    if chosen.study is not None:
        plain = re.fullmatch(r"\w[\w.-]*", chosen.study) is not None
        require(plain, "--study", chosen.study, "a name of letters, digits and . - _")
    return chosen


def _config(chosen: argparse.Namespace, flags: list[str] | None) -> tuple["Lab", "Config"]:
    """The lab, and the sweep's settings; what is not given is taken from the study, if it is there."""
    from labs.kit.judging import direction_of

    known = _known(chosen)
    if chosen.lab is None and known is None:
        if chosen.study is None:
            raise InputError("lab: must be given, as in: python -m labs sweep gan_mnist --space ... --metric ...")
        raise InputError(f"--study {chosen.study}: is not there; to begin it, give a lab, --space and --metric")
    lab = _lab(chosen.lab or (known or {})["target"])
    given = {name: getattr(chosen, name) for name in ("metric", "direction", *DEFAULTS)}
    given["space"] = _space(chosen.space, lab) if chosen.space else None
    given["settings"] = _settings(lab, flags) if flags is not None or known is None else None
    otherwise = {**DEFAULTS, **(known or {})}
    values = {name: otherwise.get(name) if value is None else value for name, value in given.items()}
    for name in ("space", "metric"):
        require(bool(values[name]), f"--{name}", values[name] or "", "given: what to search, and what to judge it by")
    values["direction"] = values["direction"] or direction_of(str(values["metric"]), lab.target)
    values["trials"] = _trials(values, lab)
    config = _make(chosen, lab, values)
    if known is None:
        from labs.kit.config import check
        from labs.kit.sweeps.metrics import check_earlier

        check_earlier(config.metric, lab, check(lab.config_type, config.settings))
    return lab, config


def _trials(values: dict[str, Any], lab: "Lab") -> int:
    """As many as asked for; a grid has as many as it has points."""
    from labs.kit.sweeps.space import parse

    if values["sampler"] != "grid":
        return int(values["trials"])
    space = parse(values["space"], lab.config_type)
    return space.size(space.largest_grid(values["trials"]))


def _make(chosen: argparse.Namespace, lab: "Lab", values: dict[str, Any]) -> "Config":
    from labs.kit.config import check
    from labs.kit.sweeps.sweep import Config

    settings = values["settings"]
    study = chosen.study or f"{lab.name}-{secrets.token_hex(3)}"
    own = ("workers", "engine", "ray_address", "cpus", "gpus")
    shared = {name: settings[name] for name in ("preset", "seed", "tag") if name in settings}
    return check(
        Config,
        {
            **shared,
            **values,
            **{name: getattr(chosen, name) for name in own},
            "target": lab.target,
            "study": study,
            "store": _kept_store(chosen.store),
            "run_name": f"sweep-{study}",
        },
    )


def _lab(name: str) -> "Lab":
    from labs.kit.lab import discover, load

    if name.endswith(".py"):
        return load(str(Path(name).resolve()))
    name = name.removeprefix("labs.")
    require_choice("lab", name, [entry.name for entry in discover()])
    return load(f"labs.{name}")


def _settings(lab: "Lab", flags: list[str] | None) -> dict[str, Any]:
    """The lab's settings, as its own flags say."""
    from labs.kit.config import parse, to_record

    config = parse(lab.config_type, flags or [], program=lab.program, about=lab.summary)
    for name in ("seeds", "run_name"):
        value = getattr(config, name)
        require(value is None, name, value, "left out in a sweep: its runs have one seed, and its study's name")
    return to_record(config)


def _space(texts: Sequence[str], lab: "Lab") -> list[str]:
    from labs.kit.sweeps.space import parse

    return list(parse(texts, lab.config_type).texts)


def _known(chosen: argparse.Namespace) -> dict[str, Any] | None:
    """What the study that is named is about, if it is there."""
    from labs.kit.sweeps import study

    store = _kept_store(chosen.store)
    if chosen.study is None:
        if store:
            study.open_storage(study.address(store, ""))  # one that does not answer is found before anything is made
        return None
    known = study.facts(study.address(store, chosen.study), chosen.study)
    if known and chosen.lab and (name := Path(chosen.lab).stem.removeprefix("labs.")) != known["lab"]:
        raise InputError(f"--study {chosen.study}: is of the lab {known['lab']}, not of {name}; choose another --study")
    return known


def _kept_store(store: str | None) -> str | None:
    """The store without its password, which goes to the environment: the workers find it there, and no record does."""
    if store is None or "://" not in store:
        return store
    from labs.kit.sweeps.study import PASSWORD, without_password

    if password := urlsplit(store).password:
        os.environ[PASSWORD] = password
    return without_password(store)


def _without_password(words: list[str]) -> list[str]:
    from labs.kit.sweeps.study import without_password

    shown = [without_password(word) if "://" in word and not word.startswith("--") else word for word in words]
    return [
        f"--store={without_password(word.partition('=')[2])}" if word.startswith("--store=") else word for word in shown
    ]


def _stopped(config: "Config") -> "RunFolder | None":
    """The run of the same sweep that was stopped here: it goes on, instead of a second one beginning."""
    from labs.kit.config import to_record
    from labs.kit.folder import all_runs

    wanted = _same_sweep(to_record(config))
    for run in all_runs():
        record = run.record
        if record["lab"] == "sweep" and _same_sweep(record["config"]) == wanted:
            return run if run.state() not in ("running", "finished") else None
    return None


def _same_sweep(settings: dict[str, Any]) -> dict[str, Any]:
    """What a sweep is, apart from who works for it and how its runs are tagged."""
    from labs.kit.sweeps.sweep import OF_A_RUN

    apart = ("workers", "engine", "ray_address", "cpus", "gpus", "tag")
    own = {name: value for name, value in settings["settings"].items() if name not in OF_A_RUN}
    return {**{name: value for name, value in settings.items() if name not in apart}, "settings": own}


def _summary(lab: "Lab", config: "Config") -> str:
    """The first line of its report."""
    names = ", ".join(text.partition("=")[0] for text in config.space)
    aim = "least" if config.direction == "min" else "largest"
    return f"Sweep of {lab.name}: {names} for the {aim} {config.metric}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
