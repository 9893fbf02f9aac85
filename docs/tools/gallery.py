"""Make the gallery from recorded runs: docs/gallery.md, its pictures and docs/gallery/gallery.json.

    python docs/tools/gallery.py --runs mlruns          # take the newest quick run of each lab
    python docs/tools/gallery.py --record missing       # run the labs that have no tile yet, then the same
    python docs/tools/gallery.py --page                 # only write the page anew from gallery.json

A tile keeps what it shows until a newer run is found. The exit status is 1 while a lab has no tile.
"""

import argparse
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from pictures import shrink  # noqa: E402
from tiles import TILES  # noqa: E402

from labs.kit.config import Config, to_record  # noqa: E402
from labs.kit.journal import read_points  # noqa: E402
from labs.kit.lab import Entry, discover, load  # noqa: E402

PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "gallery"
FACTS = PICTURES / "gallery.json"
PICTURE_BYTES = 80_000
TOPICS = {
    "mathematics": "Mathematics",
    "foundations": "Foundations",
    "sequences": "Sequences",
    "generative models": "Generative models",
    "agents": "Agents",
    "explanation": "Explanation",
}
HEAD = """---
hide: [navigation]
---

# Gallery

One tile a lab: a picture that its quick preset drew, the figure that it reached, and how long the whole run took.
Each tile leads to the lab's source. `make gallery` makes this page from recorded runs; seeds, commits and versions of
all are in [gallery.json](gallery/gallery.json).

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", type=Path, default=[Path("mlruns")], help="folders of runs")
    parser.add_argument("--record", nargs="+", default=[], metavar="LAB", help="labs to run first, or missing")
    parser.add_argument("--page", action="store_true", help="write the page only")
    chosen = parser.parse_args(arguments)
    facts: dict[str, Any] = json.loads(FACTS.read_text()) if FACTS.exists() else {}
    entries = discover()
    if not chosen.page:
        collect(facts, chosen.runs)
        wanted = [entry.name for entry in entries if entry.name not in facts]
        for name in wanted if chosen.record == ["missing"] else chosen.record:
            subprocess.run([sys.executable, "-m", f"labs.{name}"], check=False)
        if chosen.record:
            collect(facts, [Path("mlruns")])
        PICTURES.mkdir(exist_ok=True)
        FACTS.write_text(json.dumps(dict(sorted(facts.items())), indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(entries, facts))
    missing = [entry.name for entry in entries if entry.name not in facts]
    print(f"{len(facts)} tiles" + (f"; no quick run of: {' '.join(missing)}" if missing else ""))
    return 1 if missing else 0


# --- from runs to facts -----------------------------------------------------------------------------------------------


def collect(facts: dict[str, Any], homes: Sequence[Path]) -> None:
    """Let each tile whose lab has a newer run show that one: what it says goes to `facts`, its picture to the disk."""
    for file in sorted(file for home in homes for file in home.glob("runs/*/record.json")):
        record = json.loads(file.read_text())
        name = record["lab"]
        older = name in facts and record["started"] <= facts[name]["date"]
        if name not in TILES or older or not plain(record):
            continue
        picture = file.parent / TILES[name].picture
        if TILES[name].figure in record["summary"] and picture.exists():
            shrink(picture, PICTURES / name, limit=PICTURE_BYTES)
            facts[name] = facts_of(record, file.parent)


def plain(record: Mapping[str, Any]) -> bool:
    """Whether the run is a finished one of the quick preset, nothing changed but what every lab lets one choose."""
    if record.get("ended") != "finished" or record["config"]["preset"] != "quick" or record.get("parent"):
        return False
    if not record["target"].startswith("labs."):
        return False
    default = to_record(load(record["target"]).config_type())
    own = default.keys() - {field.name for field in dataclasses.fields(Config)}
    return all(record["config"].get(name, ...) == default[name] for name in own)


def facts_of(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the gallery keeps of a run."""
    tile, environment = TILES[record["lab"]], record["environment"]
    return {
        "figure": {tile.figure: record["summary"][tile.figure]},
        "seconds": round(seconds(record, folder), 1),
        "seed": record["config"]["seed"],
        "commit": record["git"].get("git_commit"),
        "versions": {name: environment[name] for name in ("python", "torch", "numpy")},
        "threads": int(environment["threads"]),
        "date": record["started"],
        "command": f"python -m {record['target']}",
        "picture": f"gallery/{record['lab']}{Path(tile.picture).suffix}",
    }


def seconds(record: Mapping[str, Any], folder: Path) -> float:
    """From the start of the run to its last figure, or its training time where that is more."""
    started = datetime.fromisoformat(record["started"]).timestamp()
    last = max((point.time / 1000 for point in read_points(folder / "journal.jsonl")), default=started)
    return max(last - started, record.get("seconds") or 0.0)


# --- from facts to the page -------------------------------------------------------------------------------------------


def page(entries: Sequence[Entry], facts: Mapping[str, Any]) -> str:
    """The gallery's page."""
    parts = [HEAD]
    for topic in dict.fromkeys([*TOPICS, *(entry.topic for entry in entries)]):
        tiles = [tile(entry, facts[entry.name]) for entry in entries if entry.topic == topic and entry.name in facts]
        if tiles:
            title = TOPICS.get(topic, topic.capitalize())
            parts.append(f'## {title}\n\n<div class="grid cards gallery" markdown>\n\n' + "".join(tiles) + "</div>\n\n")
    return "".join(parts).rstrip() + "\n"


def tile(entry: Entry, fact: Mapping[str, Any]) -> str:
    """One tile."""
    (value,) = fact["figure"].values()
    commit = f" · commit {fact['commit'][:7]}" if fact["commit"] else ""
    lines = [
        f"-   [![What {entry.name} draws]({fact['picture']}){{ loading=lazy }}]({fact['picture']})",
        f"**[{entry.name}](../labs/{entry.name}.py)** · {entry.summary}",
        f"**{re.sub(r'(?<=[0-9])%', ' %', TILES[entry.name].says.format(value))}** in {duration(fact['seconds'])}",
        f"`{fact['command']}`",
        f"<small>seed {fact['seed']} · {fact['date'][:10]}{commit}</small>",
    ]
    return "\n\n    ".join(lines) + "\n\n"


def duration(length: float) -> str:
    """Seconds in words."""
    return f"{length:.0f} s" if length < 100 else f"{length / 60:.1f} min"


if __name__ == "__main__":
    sys.exit(main())
