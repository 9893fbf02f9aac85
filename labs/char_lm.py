"""Learn to write like Shakespeare, one character at a time: an LSTM or a decoder-only Transformer.

A language model gives a probability to every next character; its loss is the mean surprise, in nats a character. The
run shows how it falls below what counting neighbours can do, what the model writes at several temperatures, what it
expects along a line, and where it keeps what it has read: in an LSTM's units, or in a Transformer's attention.
Source: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks"; Vaswani et al. 2017,
arXiv:1706.03762; sizes and published losses of the Transformer: nanoGPT.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Lt

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.language import Windows
    from foundations.text import Vocabulary

topic = "sequences"
TRAINING_SHARE = 0.9
"""The rest, the end of the text, is for validation: nanoGPT's split."""
LOOKS = 10
"""Validations on the way."""
LOOKED_AT = 100
"""Windows in each of them, spread over the validation text; the last one takes all."""
PATIENCE = 5
"""Validations without improvement that end the training; the best weights come back."""
TEMPERATURES = (0.5, 0.8, 1.0, 1.3)
SHOWN_LINES = 22
"""Lines of each sample in the figure."""
MOST_COUNTS = 10_000_000
"""Pairs and triples of a larger alphabet are too many to count."""
LINE = 44
"""Characters along which the model is watched."""


PUBLISHED = {"nanoGPT, 3 minutes of CPU, Shakespeare (published)": 1.88, "the same, GPU (published)": 1.47}


class Recipe(NamedTuple):
    """What a model is trained with; found on the validation text of one seed, for a minute or two of one core."""

    steps: int
    batch_size: int
    context: int
    layers: int
    width: int
    learning_rate: float


RECIPES = {"lstm": Recipe(2_000, 16, 64, 1, 384, 4e-3), "transformer": Recipe(1_600, 12, 64, 4, 128, 2e-3)}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab; None takes what suits the model."""

    data: str = "shakespeare"
    """The text: shakespeare, topics (Python's own help), or a file in UTF-8."""
    model: Literal["lstm", "transformer"] = "lstm"
    """lstm reads with one state; transformer looks back at the whole context. The LSTM learns faster on a CPU."""
    steps: kit.Count | None = None
    """Updates."""
    batch_size: kit.Count | None = None
    """Windows an update."""
    context: Annotated[int, Ge(8)] | None = None
    """Characters in a window: so far back does the gradient reach, and the Transformer look."""
    layers: kit.Count | None = None
    """Layers of the model."""
    width: kit.Count | None = None
    """Units of an LSTM layer; numbers that stand for a character in the Transformer."""
    heads: kit.Count = 4
    """Heads of the Transformer's attention; they share the width."""
    positions: Literal["learned", "sinusoidal", "rotary"] = "rotary"
    """How the Transformer knows places: a learned vector or fixed waves added, or queries and keys turned."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of values dropped in training: for long runs, which would learn the text by heart."""
    learning_rate: kit.Rate | None = None
    """AdamW's largest step size, reached after a twentieth of the steps; it falls along a cosine to a tenth."""
    weight_decay: Annotated[float, Ge(0)] = 0.1
    """Share of each weight that an update with learning rate 1 would take away; biases are spared."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 computes with 8 bits of precision where that is safe: faster on a recent GPU."""
    characters: kit.Count = 10_000_000
    """Characters of the text at most."""
    sample_length: kit.Count = 400
    """Characters to write at each temperature."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"steps": 60, "batch_size": 8, "width": 64, "characters": 60_000, "sample_length": 150},
        "full": {
            "model": "transformer", "steps": 5_000, "batch_size": 64, "context": 256, "layers": 6, "width": 384,
            "heads": 6, "positions": "learned", "dropout": 0.2, "learning_rate": 1e-3, "precision": "bf16",
            "sample_length": 1_000,
        },
    }  # fmt: skip
    useful_threads: ClassVar[int] = 1


class Reader(NamedTuple):
    """A model and the text that it reads: characters before `split` are for training."""

    model: Any
    vocabulary: "Vocabulary"
    windows: "Windows"
    split: int


def main(config: Config, run: kit.Run) -> None:
    """Train; then what it writes, expects and keeps in mind."""
    recipe = _recipe(config)
    reader = _reader(config, recipe, run)
    _train(reader, config, recipe, run)
    _report(reader, run)
    run.figure("learning_curves", _draw_curves(reader, run))
    samples = {temperature: write(reader, config.sample_length, temperature, run) for temperature in TEMPERATURES}
    run.table("samples", [{"temperature": each, "text": text} for each, text in samples.items()])
    run.figure("samples", _draw_samples(samples))
    line = _excerpt(reader, min(LINE, recipe.context))
    run.figure("next_characters", _draw_expectations(reader, line))
    if config.model == "lstm":
        run.figure("units", _draw_units(reader))
    else:
        run.figure("attention", _draw_attention(reader, line))
    run.model(config.model, reader.model, line[None])


def _recipe(config: Config) -> Recipe:
    own = RECIPES[config.model]
    return Recipe(*(getattr(config, name) or value for name, value in own._asdict().items()))


def _reader(config: Config, recipe: Recipe, run: kit.Run) -> Reader:
    """The text as numbers, and the model at its first weights."""
    import torch

    from foundations.errors import require
    from foundations.language import Windows
    from foundations.text import Vocabulary

    text = run.load_text(config.data).text[: config.characters]
    split = int(TRAINING_SHARE * len(text))
    most = len(text) - split - 1
    require(recipe.context <= most, "context", recipe.context, f"at most {most}, for one window of the validation text")
    vocabulary = Vocabulary.build([text])
    tokens = torch.tensor(vocabulary.encode(text), device=run.device)
    model = _model(config, recipe, len(vocabulary), run)
    return Reader(model, vocabulary, Windows(tokens, recipe.context), split)


def _model(config: Config, recipe: Recipe, vocabulary_size: int, run: kit.Run) -> Any:
    from foundations.networks.recurrent_language_model import RecurrentLanguageModel
    from foundations.networks.transformer import LanguageModel

    weights, masks = run.streams.torch("weights"), run.streams.torch("dropout", run.device)
    if config.model == "lstm":
        return RecurrentLanguageModel(
            vocabulary_size, num_layers=recipe.layers, embed_dim=64, hidden_size=recipe.width, dropout=config.dropout,
            generator=weights, dropout_generator=masks,
        ).to(run.device)  # fmt: skip
    return LanguageModel(
        vocabulary_size, recipe.context, num_layers=recipe.layers, embed_dim=recipe.width, num_heads=config.heads,
        dropout=config.dropout, positions=config.positions, generator=weights, dropout_generator=masks,
    ).to(run.device)  # fmt: skip


def _train(reader: Reader, config: Config, recipe: Recipe, run: kit.Run) -> None:
    """To the end, or until validation no longer improves; the best weights stay."""
    model, _, windows, split = reader
    training, held_out = windows.starts(0, split), _held_out(reader)
    looked_at = held_out[:: math.ceil(len(held_out) / LOOKED_AT)]
    every = math.ceil(recipe.steps / LOOKS)
    stopping = foundations.EarlyStopping(PATIENCE)
    groups = foundations.regularizers.decay_groups(model, config.weight_decay)
    learner = foundations.SupervisedLearner(
        model,
        foundations.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True),
        windows.loss,
        training,
        training,
        batch_size=recipe.batch_size,
        prepare=windows.prepare,
        schedule=foundations.schedules.warmup_cosine(recipe.steps // 20, recipe.steps, final=0.1),
        clip_norm=1.0,
        precision=config.precision,
        validation=foundations.Validation(looked_at, looked_at, every, scale=windows.inputs, batch_size=50),
        early_stopping=stopping,
        streams=run.streams,
    )
    for _ in run.follow(learner, steps=recipe.steps, examples_per_step=recipe.batch_size * recipe.context):
        pass
    if stopping.best is not None:
        stopping.restore(model)


def _held_out(reader: Reader) -> "Tensor":
    """Windows of the validation text, side by side."""
    return reader.windows.starts(reader.split, len(reader.windows.tokens), step=reader.windows.context)


def _report(reader: Reader, run: kit.Run) -> None:
    """The loss over the whole validation text, beside what counting neighbours reaches and what is published."""
    model, _, windows, _ = reader
    held_out, metrics = _held_out(reader), {"loss": windows.loss}
    loss = foundations.evaluate(model, held_out, held_out, metrics, batch_size=50, scale=windows.inputs)["loss"]
    losses = {**_counted(reader), "this run": loss, **PUBLISHED}
    rows = [{"model": name, "validation loss (nats a character)": round(value, 3)} for name, value in losses.items()]
    run.table("losses", rows)
    parameters = foundations.count_parameters(model)
    bits = loss / math.log(2)
    run.summary({"validation/loss": loss, "validation/bits_a_character": bits, "parameters": parameters})


def _counted(reader: Reader) -> dict[str, float]:
    """Losses of models that count, on the training text, what follows the last 0, 1 or 2 characters."""
    from foundations.language import counted_loss
    from foundations.text import SPECIALS

    size = len(reader.vocabulary)
    training, held_out = reader.windows.tokens.cpu().tensor_split([reader.split])
    losses = {"all equally likely": math.log(size - len(SPECIALS))}
    for order, name in enumerate(("counted characters", "counted pairs", "counted triples")):
        if size ** (order + 1) <= MOST_COUNTS:
            losses[name] = counted_loss(training, held_out, order, size)
    return losses


def write(reader: Reader, count: int, temperature: float, run: kit.Run) -> str:
    """`count` characters that the model draws, after an end of line."""
    from foundations.language import generate
    from foundations.sampling import sample
    from foundations.text import SPECIALS

    stream = run.streams.torch(f"samples at {temperature}", run.device)
    first = len(SPECIALS)  # these are no characters, and never drawn

    def choose(logits: "Tensor") -> "Tensor":
        return sample(logits[:, first:], stream, temperature=temperature) + first

    prompt = reader.windows.tokens.new_full((1, 1), _opening(reader))
    numbers = generate(reader.model, prompt, count, choose)[0, 1:]
    return "".join(reader.vocabulary.decode(numbers))


def _opening(reader: Reader) -> int:
    """The end of a line, where there is one: behind it a new line begins."""
    return reader.vocabulary.encode("\n" if "\n" in reader.vocabulary else reader.vocabulary.tokens[-1])[0]


def _excerpt(reader: Reader, count: int) -> "Tensor":
    """Up to `count` characters of the validation text, from the beginning of its first whole line."""
    text = reader.windows.tokens[reader.split :]
    ends = (text[:1_000] == _opening(reader)).nonzero()
    start = int(ends[0]) + 1 if len(ends) else 0
    return text[start : start + count]


def _characters(reader: Reader, tokens: "Tensor") -> list[str]:
    """One sign each, such as can be seen."""
    return [{"\n": "⏎", " ": "␣", "\t": "→"}.get(each, each) for each in reader.vocabulary.decode(tokens)]


def _draw_curves(reader: Reader, run: kit.Run) -> "Figure":
    """Training and validation loss over the steps, with what counting reaches as levels."""
    looked = run.history("validation/loss")
    series = {"training, one batch": run.history("loss/training"), "validation, a sample of it": looked}
    title = f"Surprise at the next character: {min(looked[1]):.2f} nats at best in validation"
    figure = kit.figures.curves(title, series, label="loss (nats a character)")
    figure.set_size_inches(8, 4.6)
    (axes,) = figure.axes
    side = axes.get_yaxis_transform()
    for name, level in _counted(reader).items():
        axes.axhline(level, color="#777777", linewidth=0.9, linestyle=":")
        axes.text(1, level, f"{name}: {level:.2f}", transform=side, ha="right", va="bottom", fontsize=8)
    return figure


def _draw_samples(samples: dict[float, str]) -> "Figure":
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


def _draw_expectations(reader: Reader, line: "Tensor") -> "Figure":
    """Above the surprise at each character of a line, below the five that were expected most."""
    import torch
    from matplotlib import pyplot as plt

    with torch.no_grad():
        probabilities = reader.model.eval()(line[None, :-1])[0].softmax(dim=-1).cpu()
    happened = line[1:].cpu()
    surprise = -probabilities.gather(1, happened[:, None])[:, 0].log()
    likely, which = probabilities.topk(5, dim=1)
    signs = _characters(reader, happened)
    figure, (above, below) = plt.subplots(2, 1, figsize=(13, 4.6), height_ratios=(1, 1.6), sharex=True)
    above.bar(range(len(signs)), surprise.tolist(), color=kit.figures.COLOURS[1])
    above.set(title="How surprised the model is along a line that it has never seen", ylabel="surprise (nats)")
    shown = below.imshow(likely.T.numpy(), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for place, row in enumerate(which):
        for rank, token in enumerate(row):
            light = "white" if likely[place, rank] < 0.5 else "black"
            frame = {"boxstyle": "square,pad=0.15", "fill": False, "ec": light if token == happened[place] else "none"}
            sign = "".join(_characters(reader, token[None])) or "·"
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


def _draw_units(reader: Reader) -> "Figure":
    """Units of the LSTM whose value goes along with something that can be read off the text."""
    import numpy as np
    import torch
    from matplotlib import pyplot as plt

    tokens = _excerpt(reader, 2_000)
    with torch.no_grad():
        states = reader.model.eval().states(tokens[None])[0].cpu().numpy()
    facts = _facts("".join(reader.vocabulary.decode(tokens)))
    rows, names = [], []
    for name, fact in facts.items():
        correlations = np.nan_to_num(np.corrcoef(states.T, fact)[-1, :-1])
        unit = abs(correlations).argmax()
        rows.append(states[: 2 * LINE, unit])
        names.append(f"{name}\nunit {unit}, r = {correlations[unit]:+.2f}")
    figure, axes = plt.subplots(figsize=(13, 3.4))
    picture = axes.imshow(np.stack(rows), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    signs = _characters(reader, tokens[: 2 * LINE])
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(title=f"What single units of the LSTM keep in mind (r: correlation over {len(tokens):,} characters)")
    axes.set_xlabel("character that was read last")
    _sign_axis(axes, signs, 8)
    figure.colorbar(picture, ax=axes, label="value of the unit", pad=0.01)
    return figure


def _facts(text: str) -> dict[str, list[float]]:
    """What can be said of each character from the text: name -> a number for each."""
    in_line, in_word, in_name = list[float](), list[float](), list[float]()
    for line in text.splitlines(keepends=True):
        in_line += [float(place) for place in range(1, len(line) + 1)]
        in_name += [float(line.rstrip().endswith(":"))] * len(line)
    for character in text:
        in_word.append(in_word[-1] + 1.0 if in_word and character.isalpha() else 0.0)
    return {"place in the line": in_line, "place in the word": in_word, "in a line before a colon": in_name}


def _draw_attention(reader: Reader, line: "Tensor") -> "Figure":
    """The head that looks back least and the one that looks back most, of all layers."""
    import torch
    from matplotlib import pyplot as plt

    layers = len(reader.model.encoder.layers)
    weights = torch.cat([reader.model.attention_weights(line[None], layer)[0] for layer in range(layers)])
    places = torch.arange(len(line), device=weights.device)
    back = (weights * (places[:, None] - places)).sum(dim=-1).mean(dim=-1)  # (layers * heads)
    signs = _characters(reader, line)
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


if __name__ == "__main__":
    kit.launch(main)
