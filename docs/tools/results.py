"""Make docs/results.md from benchmarks/results; with `--readme README.md` also the part between that file's markers.

The markers are two lines `<!-- results -->`.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from speed import Benchmark, Row, benchmarks  # noqa: E402

PAGE = ROOT / "docs" / "results.md"
LEARNING = ROOT / "benchmarks" / "results" / "learning.json"
MARKER = "<!-- results -->"
HEAD = """---
hide: [navigation]
---

# Results

Two tables, made by `make results` from the files in `benchmarks/results`: what the labs reach beside what papers say,
and how fast the blocks are beside a named peer. A figure is the mean over its seeds ± their standard deviation; one
without is a single run, or its deviation was not kept. Whoever wants to doubt a figure runs its command.

"""
NO_BREAK = "\N{NO-BREAK SPACE}"
LEARNING_HEAD = "| what | ours | published | seeds | command |\n|---|---:|---|---:|---|\n"
SPEED_HEAD = "| what | against | ratio | asked | |\n|---|---|---:|---:|---|\n"
README_SPEED_HEAD = "| what | against | ratio | command |\n|---|---|---|---|\n"
README_SPEED = (
    ("dense GAN, images/s", "gan_throughput", ("dense GAN",)),
    ("tracking, everything on: wall time", "tracking_overhead", ("tracking",)),
    (
        "time of linear, convolution, batch norm, layer norm, dropout, cross-entropy",
        "foundations_speed",
        ("linear", "convolution", "batch norm", "layer norm", "dropout", "cross-entropy"),
    ),
    ("time of a training step: MLP, LeNet-5", "foundations_speed", ("MLP", "LeNet-5 step")),
    ("time of a step of SGD, RMSProp, AdaGrad, Adam", "foundations_speed", ("SGD", "RMSProp", "AdaGrad", "Adam")),
    ("LeNet-5, images/s", "foundations_speed", ("LeNet-5, images/s",)),
    (
        "time of RNN, GRU, LSTM (hidden 256, 128 steps)",
        "sequences",
        ("RNN, 32 x", "GRU, 32 x", "LSTM, 32 x"),
    ),
    ("time of multi-head attention", "sequences", ("attention, 32",)),
    ("generating 256 tokens with the cache: speed", "sequences", ("generation",)),
    (
        "environment steps/s: 64 and 1,024 Acrobots, 64 and 1,024 Pendulums",
        "environments",
        ("Acrobot-v1, 64", "Acrobot-v1, 1,024", "Pendulum-v1, 64", "Pendulum-v1, 1,024"),
    ),
    ("PPO on CartPole: steps/s", "agents_speed", ("PPO on CartPole: steps/s",)),
    ("PPO on CartPole: time to a mean return of 475", "agents_speed", ("PPO on CartPole: time",)),
    ("deep Q-learning on CartPole: steps/s", "agents_speed", ("deep Q",)),
    ("time of a training step: dense VAE", "generative_speed", ("dense VAE step",)),
    ("dense VAE, images/s", "generative_speed", ("dense VAE, images a second against a DataLoader's",)),
    (
        "dense VAE, images/s, ours in bf16",
        "generative_speed",
        ("dense VAE, images a second against a DataLoader's, ours in bf16",),
    ),
    (
        "explaining an image by 1,000 samples: small network, LeNet-5",
        "explain_speed",
        ("image, small CNN, lime with a batched", "image, LeNet-5, lime with a batched"),
    ),
    ("explaining a row of a table", "explain_speed", ("table",)),
    ("a sweep of 24 trials on two workers: wall time", "sweeps", ("a sweep",)),
    ("LeNet-5 on two processes, global batch 512: images/s", "data_parallel", ("LeNet-5, global",)),
)
"""Rows of the README: what, benchmark, and how the names of its figures begin."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", type=Path, help="fill the part between the markers of this file as well")
    chosen = parser.parse_args(arguments)
    learning, measured = json.loads(LEARNING.read_text()), benchmarks()
    PAGE.write_text(page(learning, measured))
    if chosen.readme:
        chosen.readme.write_text(filled(chosen.readme.read_text(), readme_part(learning, measured)))
    return 0


def page(learning: Mapping[str, Any], measured: Iterable[Benchmark]) -> str:
    """The page of results."""
    figures = learning["figures"]
    parts = [HEAD, "## What the labs reach\n\n", surroundings(learning), "\n\n"]
    for group in dict.fromkeys(each["group"] for each in figures):
        rows = [learned_row(each, notes=True) for each in figures if each["group"] == group]
        parts += [f"### {group}\n\n", LEARNING_HEAD, *rows, "\n"]
    parts.append("## How fast it is\n\nA ratio of 0.9 for a time is a tenth less; 2x for a speed is twice as much.\n\n")
    for each in measured:
        facts = {"machine": each.machine, "versions": each.versions, "date": each.date}
        parts += [f"### `{each.name}`\n\n`{each.command}`; {surroundings(facts)}\n\n"]
        parts += [SPEED_HEAD, *(speed_row(row) for row in each.rows), "\n"]
    return "".join(parts).rstrip() + "\n"


def surroundings(facts: Mapping[str, Any]) -> str:
    """Machine, versions and date in a line."""
    counts = [f"{key} {value}" if key in COUNTED else str(value) for key, value in facts["machine"].items()]
    machine = ", ".join(counts)
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return f"{machine}; {versions}; {facts['date'][:10]}."


COUNTED = ("cores", "threads")


def learned_row(figure: Mapping[str, Any], *, notes: bool) -> str:
    """A row of what was learned, its note and the published figure's source below it where `notes` are wanted."""
    what, published = figure["what"], "–"
    if notes and figure["note"]:
        what += f"<br><small>{figure['note']}</small>"
    if figure["published"] is not None:
        published = f"{figure['published']:,} {figure['unit']}".strip()
        published += f"<br><small>{figure['source']}</small>" if notes else ""
    return f"| {what} | {reached(figure)} | {published} | {figure['seeds']} | `{figure['command']}` |\n"


def reached(figure: Mapping[str, Any]) -> str:
    """Our figure with its deviation and unit."""
    value = f"{figure['ours']:,.{figure['digits']}f}"
    if figure["spread"]:
        digits = max(figure["digits"], 3 if figure["spread"] < 0.01 else 0)
        value += f" ± {figure['spread']:,.{digits}f}"
    return f"{value} {figure['unit']}".strip().replace(" ", NO_BREAK)


def speed_row(row: Row) -> str:
    """A row of a benchmark."""
    sign, mark = ("≥", "x") if row.least else ("≤", "")
    asked = "–" if row.asked is None else f"{sign} {row.asked:g}{mark}"
    return f"| {row.what} | {row.peer} | {ratio(row)} | {asked} | {'' if row.holds else '**missed**'} |\n"


def ratio(row: Row) -> str:
    """The ratio: speeds with an x."""
    digits = 0 if row.ratio >= 10 else max(2, len(f"{row.asked or 0:g}".partition(".")[2]))
    return f"{row.ratio:.{digits}f}{'x' if row.least else ''}"


# --- the README -------------------------------------------------------------------------------------------------------


def readme_part(learning: Mapping[str, Any], measured: Iterable[Benchmark]) -> str:
    """Both tables as the README has them: the rows that tell most."""
    found = {each.name: each for each in measured}
    rows = [learned_row(each, notes=False) for each in learning["figures"] if each["readme"]]
    speed = [_readme_speed(what, found[name], begins) for what, name, begins in README_SPEED]
    between = "\nSpeed, each a ratio from one interleaved run (medians, one thread):\n\n"
    return "".join([LEARNING_HEAD, *rows, between, README_SPEED_HEAD, *speed])


def _readme_speed(what: str, benchmark: Benchmark, begins: Sequence[str]) -> str:
    rows = [next(row for row in benchmark.rows if row.what.startswith(begin)) for begin in begins]
    ratios = ", ".join(ratio(row) for row in rows)
    missed = {f" ({row.asked:g} was asked for)" for row in rows if not row.holds}
    return f"| {what} | {rows[0].peer} | {ratios}{''.join(missed)} | `{benchmark.command}` |\n"


def filled(text: str, part: str) -> str:
    """`text` with `part` between its two markers. Raises: ValueError where there are not two."""
    pieces = text.split(MARKER)
    if len(pieces) != 3:
        raise ValueError(f"the text must hold {MARKER} twice")
    return f"{pieces[0]}{MARKER}\n{part}{MARKER}{pieces[2]}"


if __name__ == "__main__":
    sys.exit(main())
