"""What a run's record and its tags say: enough to know the run, to repeat it, and to see what has changed since."""

import getpass
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labs.kit import environment
from labs.kit.config import Config, to_arguments, to_record
from labs.kit.lab import Lab
from labs.kit.origin import Origin
from labs.kit.ranks import starter

if TYPE_CHECKING:
    import torch

FIGURES_DEPEND_ON = ("torch", "threads", "processes", "device")


def surroundings(lab: Lab, device: "torch.device") -> dict[str, dict[str, str]]:
    """Machine and versions (`environment`), and the state of the lab's code (`git`)."""
    return {"environment": environment.describe(device), "git": environment.git_state(lab.file)}


def identity(lab: Lab, config: Config, arguments: Sequence[str], origin: Origin) -> dict[str, Any]:
    """What a new run is, whatever becomes of it. A replay has the command of the run that it replays."""
    replays = origin.replays.record if origin.replays else None
    return {
        "lab": lab.name,
        "target": lab.target,
        "summary_line": lab.summary,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),  # `last` is the newest: seconds are too few
        "command": replays["command"] if replays else _command(lab, config, arguments, origin),
        "replay_of": replays["id"] if replays else None,
        "parent": origin.parent,
        "config": to_record(config),
    }


def _command(lab: Lab, config: Config, arguments: Sequence[str], origin: Origin) -> str:
    """What a user types for this run: a child was started by no words, so those that would give it."""
    words = to_arguments(config) if origin.parent else list(arguments)
    return " ".join([starter() + lab.started_by, *map(shlex.quote, words)])


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What figures depend on and is not as it was in an earlier record."""
    old, new = before["environment"], now["environment"]
    both = [key for key in FIGURES_DEPEND_ON if key in old and key in new]  # an old record may lack what is new
    changed = [key for key in both if old[key] != new[key]]
    same_code = before["git"].get("git_commit") == now["git"].get("git_commit")
    return changed if same_code else [*changed, "git commit"]


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """The tags of the run of `record`; the user's own come last."""
    config = record["config"]
    tags = {"lab": record["lab"], "preset": config["preset"], "seed": str(config["seed"]), "command": record["command"]}
    tags |= {"mlflow.source.name": record["target"], "mlflow.source.type": "LOCAL", "mlflow.user": getpass.getuser()}
    tags["mlflow.note.content"] = f"{record['summary_line']}. The whole story is in the artifact `report.html`."
    for name, data in record["data"].items():
        tags |= {"data": name, "data_fingerprint": data["fingerprint"], "data_source": data["source"]}
    if record["notes"]:
        tags["notes"] = " | ".join(record["notes"])
    if record["replay_of"]:
        tags["replay_of"] = record["replay_of"]
    if record.get("parent"):
        tags["mlflow.parentRunId"] = record["parent"]
    own = dict(tag.split("=", 1) for tag in config["tag"])
    return {**tags, **record["environment"], **record["git"], **own}
