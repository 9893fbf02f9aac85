"""The pictures of the lab `char_lm`: what a language model writes, expects and keeps in mind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.char_lm import Reader

LINE = 44
"""Characters along which the model is watched."""
SHOWN_LINES = 22
"""Lines of each sample in the figure."""


def characters(reader: "Reader", tokens: "Tensor") -> list[str]:
    """One sign each, such as can be seen."""
    return [{"\n": "⏎", " ": "␣", "\t": "→"}.get(each, each) for each in reader.vocabulary.decode(tokens)]


def draw_curves(levels: Mapping[str, float], run: kit.Run) -> "Figure":
    """Training and validation loss over the steps, with what counting reaches as levels."""
    looked = run.history("validation/loss")
    series = {"training, one batch": run.history("loss/training"), "validation, a sample of it": looked}
    title = f"Surprise at the next character: {min(looked[1]):.2f} nats at best in validation"
    figure = kit.figures.curves(title, series, label="loss (nats a character)")
    figure.set_size_inches(8, 4.6)
    (axes,) = figure.axes
    side = axes.get_yaxis_transform()
    for name, level in levels.items():
        axes.axhline(level, color="#777777", linewidth=0.9, linestyle=":")
        axes.text(1, level, f"{name}: {level:.2f}", transform=side, ha="right", va="bottom", fontsize=8)
    return figure


def draw_samples(samples: dict[float, str]) -> "Figure":
    """What is written, a panel a temperature."""
    from textwrap import wrap

    from matplotlib import pyplot as plt

    wrapped = [[part for line in each.split("\n") for part in wrap(line, 36) or [""]] for each in samples.values()]
    rows = min(SHOWN_LINES, max(map(len, wrapped)))
    figure, panels = plt.subplots(1, len(samples), figsize=(13, 0.8 + 0.15 * rows))
    for axes, temperature, lines in zip(panels, samples, wrapped, strict=True):
        axes.text(0, 1, "\n".join(lines[:rows]), va="top", family="monospace", fontsize=8.5, parse_math=False)
        axes.set_title(f"temperature {temperature:g}", loc="left")
        axes.axis("off")
    figure.suptitle("What the model writes: low temperatures keep to the likely, high ones dare", fontweight="bold")
    return figure


def draw_expectations(reader: "Reader", line: "Tensor") -> "Figure":
    """Above the surprise at each character of a line, below the five that were expected most."""
    import torch
    from matplotlib import pyplot as plt

    with torch.no_grad():
        probabilities = reader.model.eval()(line[None, :-1])[0].softmax(dim=-1).cpu()
    happened = line[1:].cpu()
    surprise = -probabilities.gather(1, happened[:, None])[:, 0].log()
    likely, which = probabilities.topk(5, dim=1)
    signs = characters(reader, happened)
    figure, (above, below) = plt.subplots(2, 1, figsize=(13, 4.6), height_ratios=(1, 1.6), sharex=True)
    above.bar(range(len(signs)), surprise.tolist(), color=kit.figures.COLOURS[1])
    above.set(title="How surprised the model is along a line that it has never seen", ylabel="surprise (nats)")
    shown = below.imshow(likely.T.numpy(), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for place, row in enumerate(which):
        for rank, token in enumerate(row):
            light = "white" if likely[place, rank] < 0.5 else "black"
            frame = {"boxstyle": "square,pad=0.15", "fill": False, "ec": light if token == happened[place] else "none"}
            sign = "".join(characters(reader, token[None])) or "·"
            below.text(place, rank, sign, ha="center", va="center", color=light, parse_math=False, bbox=frame)
    below.set_yticks(range(5), [f"{rank}." for rank in range(1, 6)])
    below.set(title="What it expected (framed: what came)", xlabel="what came", ylabel="rank")
    _sign_axis(below, signs, 10)
    figure.colorbar(shown, ax=below, label="probability", pad=0.01)
    return figure


def _sign_axis(axes: "Axes", signs: list[str], size: float) -> None:
    """One character below each column of a map."""
    axes.set_xticks(range(len(signs)), signs, fontsize=size, parse_math=False)
    axes.grid(visible=False)


def draw_units(reader: "Reader") -> "Figure":
    """Units of the LSTM whose value goes along with something that can be read off the text."""
    import numpy as np
    import torch
    from matplotlib import pyplot as plt

    tokens = reader.excerpt(2_000)
    with torch.no_grad():
        states = reader.model.eval().states(tokens[None])[0].cpu().numpy()
    facts = facts_of("".join(reader.vocabulary.decode(tokens)))
    rows, names = [], []
    for name, fact in facts.items():
        correlations = np.nan_to_num(np.corrcoef(states.T, fact)[-1, :-1])
        unit = abs(correlations).argmax()
        rows.append(states[: 2 * LINE, unit])
        names.append(f"{name}\nunit {unit}, r = {correlations[unit]:+.2f}")
    figure, axes = plt.subplots(figsize=(13, 3.4))
    picture = axes.imshow(np.stack(rows), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    signs = characters(reader, tokens[: 2 * LINE])
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(title=f"What single units of the LSTM keep in mind (r: correlation over {len(tokens):,} characters)")
    axes.set_xlabel("character that was read last")
    _sign_axis(axes, signs, 8)
    figure.colorbar(picture, ax=axes, label="value of the unit", pad=0.01)
    return figure


def facts_of(text: str) -> dict[str, list[float]]:
    """What can be said of each character from the text: name -> a number for each."""
    in_line, in_word, in_name = list[float](), list[float](), list[float]()
    for line in text.splitlines(keepends=True):
        in_line += [float(place) for place in range(1, len(line) + 1)]
        in_name += [float(line.rstrip().endswith(":"))] * len(line)
    for character in text:
        in_word.append(in_word[-1] + 1.0 if in_word and character.isalpha() else 0.0)
    return {"place in the line": in_line, "place in the word": in_word, "in a line before a colon": in_name}


def draw_attention(reader: "Reader", line: "Tensor") -> "Figure":
    """The head that looks back least and the one that looks back most, of all layers."""
    import torch
    from matplotlib import pyplot as plt

    layers = len(reader.model.encoder.layers)
    weights = torch.cat([reader.model.attention_weights(line[None], layer)[0] for layer in range(layers)])
    places = torch.arange(len(line), device=weights.device)
    back = (weights * (places[:, None] - places)).sum(dim=-1).mean(dim=-1)  # (layers * heads)
    signs = characters(reader, line)
    figure, panels = plt.subplots(1, 2, figsize=(13, 6.4))
    for axes, chosen in zip(panels, (int(back.argmin()), int(back.argmax())), strict=True):
        picture = axes.imshow(weights[chosen].cpu().numpy(), cmap="Blues", vmin=0, vmax=float(weights[chosen].max()))
        layer, head = divmod(chosen, len(weights) // layers)
        far = f"looks {back[chosen]:.1f} characters back on average"
        axes.set_title(f"layer {layer + 1}, head {head + 1}: {far}", loc="left")
        axes.set_yticks(range(len(signs)), signs, fontsize=7, parse_math=False)
        axes.set(xlabel="looks at", ylabel="having read up to")
        _sign_axis(axes, signs, 7)
        figure.colorbar(picture, ax=axes, label="attention weight", shrink=0.7)
    figure.suptitle("Of all heads, the one that looks back least and the one that looks back most", fontweight="bold")
    return figure
