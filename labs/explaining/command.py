"""`python -m labs explain RUN --input CASE`: explain what a finished run's model says of one case."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foundations.errors import require
from labs.kit.parser import Parser

if TYPE_CHECKING:
    from explain import Explanation
    from labs.explaining.cases import Asked

ABOUT = """Explain what the model of a finished run says of one case, by LIME.
A model of images takes test:N, the N-th test image of its data, or a picture's path; one of texts takes the text; one
of rows takes numbers, as 0.1,-2,3. Pictures, pages and numbers are kept in the run's folder."""
SHOWN = 6
"""Features printed of a label."""
LABELS = 3
"""Labels printed."""


def main(arguments: Sequence[str]) -> int:
    """Run the command. Raises: InputError for a run, a model or a case that cannot be explained; MachineError."""
    chosen = _parser().parse_args(_joined(arguments))
    require(chosen.samples >= 2, "--samples", chosen.samples, "at least 2")
    require(chosen.seed >= 0, "--seed", chosen.seed, "0 or more")
    from labs.kit.models import load_model

    kept = load_model(chosen.run, chosen.model)
    from labs.explaining.cases import ask

    asked = ask(kept, chosen.input, chosen.outputs, chosen.background)
    found = asked.explain(chosen.samples, chosen.seed)
    print(f"{kept.run.record['name']} ({kept.lab}), model {kept.name}: {asked.read_as}")
    _tell(found)
    for path in _keep(found, asked, kept.run.path / "explanations"):
        print(f"  {path}")
    return 0


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--input CASE` as one word, so that a case may begin with a minus."""
    words = list(arguments)
    if "--input" in words[:-1]:
        at = words.index("--input")
        words[at : at + 2] = [f"--input={words[at + 1]}"]
    return words


def _parser() -> Parser:
    parser = Parser(prog="python -m labs explain", description=ABOUT)
    parser.add_argument("run", help="id, beginning of an id, name, or last")
    parser.add_argument("--input", required=True, help="the case: test:N, a picture's path, a text, or numbers")
    parser.add_argument("--model", help="which model, where the run kept several")
    kinds = ("auto", "logits", "probabilities", "values")
    parser.add_argument("--outputs", choices=kinds, default="auto", help="what the model's answers are (default auto)")
    background = "CSV file of typical rows, names in its first line, for models of rows"
    parser.add_argument("--background", metavar="FILE", type=Path, help=background)
    parser.add_argument("--samples", type=int, default=2_000, help="changed copies of the case (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random (default 0)")
    return parser


def _tell(found: "Explanation") -> None:
    """The answers, how well the line fits, the strongest features, and doubts; of two classes one says it all."""
    import explain

    for label in found.labels[: 1 if len(found.labels) == 2 else LABELS]:
        says, line = found.predictions[label], found.local_predictions[label]
        print(f"{found.names[label]}: the model says {says:.4g}, the line {line:.4g} (R2 {found.r2[label]:.2f})")
        for feature in found.order(label)[:SHOWN]:
            print(f"  {found.weights[label][feature]:+.4g}  {found.described(int(feature))}")
    for doubt in explain.doubts(found):
        print(f"note: to be doubted: {doubt}")


def _keep(found: "Explanation", asked: "Asked", folder: Path) -> list[Path]:
    """A picture, a page and the numbers, under the next free number."""
    from labs.kit import figures

    folder.mkdir(exist_ok=True)
    number = 1 + max((int(file.stem) for file in folder.glob("*.json") if file.stem.isdigit()), default=0)
    files = [folder / f"{number:03d}{suffix}" for suffix in (".json", ".html", ".png")]
    files[0].write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
    files[1].write_text(asked.page(found), encoding="utf-8")
    figures.save(asked.picture(found), files[2])
    return files
