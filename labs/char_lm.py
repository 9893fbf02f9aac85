"""Learn to write like Shakespeare, one character at a time: an LSTM or a decoder-only Transformer.

A language model gives a probability to every next character; its loss is the mean surprise, in nats a character. The
run shows how it falls below what counting neighbours can do, what the model writes at several temperatures, what it
expects along a line, and where it keeps what it has read: in an LSTM's units, or in a Transformer's attention.
Source: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks"; Vaswani et al. 2017,
arXiv:1706.03762; sizes and published losses of the Transformer: nanoGPT.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Lt

import foundations
import labs.kit as kit
from labs.drawings import char_lm as drawings

if TYPE_CHECKING:
    from torch import Tensor

    from foundations.language import Windows
    from foundations.text import Vocabulary

topic = "sequences"
best = ("validation/loss", "min", "characters")
TRAINING_SHARE = 0.9
"""The rest, the end of the text, is for validation: nanoGPT's split."""
LOOKS = 10
"""Validations on the way."""
LOOKED_AT = 100
"""Windows in each of them, spread over the validation text; the last one takes all."""
PATIENCE = 5
"""Validations without improvement that end the training; the best weights come back."""
TEMPERATURES = (0.5, 0.8, 1.0, 1.3)
MOST_COUNTS = 10_000_000
"""Pairs and triples of a larger alphabet are too many to count."""
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

    @property
    def new_line(self) -> int:
        """The number of the end of a line, behind which a new one begins; where there is none, of some character."""
        return self.vocabulary.encode("\n" if "\n" in self.vocabulary else self.vocabulary.tokens[-1])[0]

    def held_out(self) -> "Tensor":
        """Windows of the validation text, side by side. Shapes: (n)."""
        return self.windows.starts(self.split, len(self.windows.tokens), step=self.windows.context)

    def excerpt(self, count: int) -> "Tensor":
        """Up to `count` characters of the validation text, from the beginning of its first whole line."""
        text = self.windows.tokens[self.split :]
        ends = (text[:1_000] == self.new_line).nonzero()
        start = int(ends[0]) + 1 if len(ends) else 0
        return text[start : start + count]


def main(config: Config, run: kit.Run) -> None:
    """Train; then what it writes, expects and keeps in mind."""
    recipe = _recipe(config)
    reader = _reader(config, recipe, run)
    _train(reader, config, recipe, run)
    counted = _counted(reader)
    _report(reader, counted, run)
    run.figure("learning_curves", drawings.draw_curves(counted, run))
    samples = {temperature: write(reader, config.sample_length, temperature, run) for temperature in TEMPERATURES}
    run.table("samples", [{"temperature": each, "text": text} for each, text in samples.items()])
    run.figure("samples", drawings.draw_samples(samples))
    line = reader.excerpt(min(drawings.LINE, recipe.context))
    run.figure("next_characters", drawings.draw_expectations(reader, line))
    if config.model == "lstm":
        run.figure("units", drawings.draw_units(reader))
    else:
        run.figure("attention", drawings.draw_attention(reader, line))
    run.model(config.model, reader.model, line[None])
    run.file("vocabulary.json", reader.vocabulary.save)


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
    training, held_out = windows.starts(0, split), reader.held_out()
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


def _report(reader: Reader, counted: Mapping[str, float], run: kit.Run) -> None:
    """The loss over the whole validation text, beside what counting neighbours reaches and what is published."""
    model, _, windows, _ = reader
    held_out, metrics = reader.held_out(), {"loss": windows.loss}
    loss = foundations.evaluate(model, held_out, held_out, metrics, batch_size=50, scale=windows.inputs)["loss"]
    losses = {**counted, "this run": loss, **PUBLISHED}
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

    prompt = reader.windows.tokens.new_full((1, 1), reader.new_line)
    numbers = generate(reader.model, prompt, count, choose)[0, 1:]
    return "".join(reader.vocabulary.decode(numbers))


if __name__ == "__main__":
    kit.launch(main)
