"""Translate written dates in seven languages to ISO 8601: "Freitag, 4. März 2005" -> 2005-03-04.

An encoder reads the date sign by sign, a decoder writes the ISO form and looks back through attention. The test dates
are days that no training pair was about. The run shows what was learned when, where the decoder looks while it writes,
what a beam search finds beyond the greedy answer, and every mistake.
Sources: Bahdanau et al. 2014, arXiv:1409.0473; Vaswani et al. 2017, arXiv:1706.03762; the dates: `labs.kit.data.dates`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from foundations.networks.seq2seq import Seq2Seq
    from foundations.training import SupervisedLearner
    from labs.kit.data.dates import DatePairs, WrittenDate

topic = "sequences"
best = ("exact_match/greedy", "max", "test_dates")
LOOKED_AT = 500
"""Test dates that are translated every now and then while training; all of them at the end."""
LOOKS = 25
CONTEXT = 64
"""The Transformer's largest number of signs; the longest date has about 40."""
WIDTHS = (1, 2, 4, 8)
"""Of the beams that are compared; 1 is greedy."""
SHOWN = 28
"""Signs of the longest date whose attention is drawn."""


class Recipe(NamedTuple):
    """How a model is trained well in little time."""

    steps: int
    batch_size: int
    learning_rate: float


RECIPES = {"gru": Recipe(400, 256, 5e-3), "lstm": Recipe(500, 256, 5e-3), "transformer": Recipe(1_200, 128, 2e-3)}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab; None takes what suits the model."""

    model: Literal["gru", "lstm", "transformer"] = "gru"
    """gru, lstm: a recurrent encoder in both directions, additive attention, a recurrent decoder. transformer: two
    layers each of attention."""
    training_pairs: kit.Count = 40_000
    """Written dates with their ISO forms to learn from; day and form are drawn for each."""
    test_dates: kit.Count = 2_000
    """Days that are kept from training, each written in one form."""
    steps: kit.Count | None = None
    """Updates."""
    batch_size: kit.Count | None = None
    """Pairs an update, of similar lengths."""
    learning_rate: kit.Rate | None = None
    """AdamW's largest step size, reached after a tenth of the steps; from there it falls along a cosine to 0."""
    hidden_size: kit.Count = 128
    """Units of the decoder's state (half as many in each direction of the encoder); half of it in a Transformer."""
    teacher_share: Annotated[float, Interval(ge=0, le=1)] = 1.0
    """Probability that the decoder is given the true sign before, and not its own guess, while it learns."""
    beam: kit.Count = 4
    """Width of the beam search that is watched beside greedy decoding."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"training_pairs": 2_000, "test_dates": 100, "steps": 40, "batch_size": 64, "hidden_size": 32},
        "full": {"training_pairs": 200_000, "test_dates": 10_000, "steps": 4_000},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Make the pairs, train, translate the test dates, look at attention and mistakes."""
    from labs.drawings import translate_dates as drawings
    from labs.kit.data.dates import PLACES, make_dates

    steps, batch_size, _ = plan(config)
    pairs = make_dates(config.training_pairs, config.test_dates, run.streams)
    model = build(config, pairs, run)
    learner = teach(config, pairs, model, run)
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size):
        if run.every(-(-steps // LOOKS)):
            run.log(look(model, pairs, config))
    answers = {width: translate(model, pairs, pairs.test, width) for width in sorted({*WIDTHS, config.beam})}
    run.figure("learning", drawings.draw_learning(run, config.beam, PLACES))
    run.figure("attention", drawings.draw_attention(readings(model, pairs)))
    tell(model, pairs, answers, config, run)
    run.model(config.model, learner.network, learner.inputs[:8])
    run.file("source_signs.json", pairs.source_signs.save)
    run.file("target_signs.json", pairs.target_signs.save)


def plan(config: Config) -> Recipe:
    """What is asked for, or else suits the model."""
    own = RECIPES[config.model]
    asked = config.steps or own.steps, config.batch_size or own.batch_size, config.learning_rate or own.learning_rate
    recipe, most = Recipe(*asked), config.training_pairs
    require(recipe.batch_size <= most, "batch_size", recipe.batch_size, f"at most {most:,}, the training pairs")
    return recipe


def build(config: Config, pairs: "DatePairs", run: kit.Run) -> "Seq2Seq":
    """The model at its first weights."""
    from foundations.networks.seq2seq import RecurrentSeq2Seq, TransformerSeq2Seq

    sizes, weights = (len(pairs.source_signs), len(pairs.target_signs)), run.streams.torch("weights")
    if config.model == "transformer":
        width = config.hidden_size // 2
        return TransformerSeq2Seq(*sizes, CONTEXT, embed_dim=width, generator=weights).to(run.device)
    settings: dict[str, Any] = {"cell": config.model, "hidden_size": config.hidden_size, "embedding_size": 32}
    return RecurrentSeq2Seq(*sizes, **settings, generator=weights).to(run.device)


def teach(config: Config, pairs: "DatePairs", model: "Seq2Seq", run: kit.Run) -> "SupervisedLearner":
    """The learner: AdamW, teacher forcing, batches of similar lengths."""
    import torch

    from foundations.teacher_forcing import TeacherForcing, token_cross_entropy
    from foundations.text import BucketedBatches, lengths_of

    steps, batch_size, rate = plan(config)
    sources, targets = (part(pairs.training).to(run.device) for part in (pairs.sources, pairs.targets))
    masks = run.streams.torch("teacher", run.device)
    network = TeacherForcing(model, pairs.places, share=config.teacher_share, generator=masks)
    lengths, order = lengths_of(sources), run.streams.torch("batches", run.device)
    return foundations.SupervisedLearner(
        network,
        foundations.AdamW(network.parameters(), lr=rate, weight_decay=0.01, fused=True),
        token_cross_entropy,
        torch.cat([sources, targets], dim=1),
        targets,
        batches=BucketedBatches(lengths, batch_size, order, drop_last=True),
        streams=run.streams,
        schedule=foundations.schedules.warmup_cosine(steps // 10, steps),
        clip_norm=1.0,
    )


class Answer(NamedTuple):
    """What the model writes for a date, and how sure it is of the whole (nats)."""

    iso: str
    log_probability: float


def translate(model: "Seq2Seq", pairs: "DatePairs", dates: "Sequence[WrittenDate]", width: int) -> list[Answer]:
    """The best answer for each of `dates`."""
    return [answers[0] for answers in _translations(model, pairs, dates, width, best=1)]


def _translations(
    model: "Seq2Seq", pairs: "DatePairs", dates: "Sequence[WrittenDate]", width: int, best: int
) -> Iterator[list[Answer]]:
    """The `best` answers for each of `dates`."""
    from foundations.networks.seq2seq import translate as decode
    from labs.kit.data.dates import ISO_LENGTH

    device = next(model.parameters()).device
    for sources in pairs.sources(dates).to(device).split(250):
        found = decode(model, sources, maximum_length=ISO_LENGTH + 1, width=width, best=best)
        for tokens, log_probabilities in zip(found.tokens.cpu(), found.log_probabilities.tolist(), strict=True):
            texts = ["".join(pairs.target_signs.decode(row)) for row in tokens]
            yield [Answer(*answer) for answer in zip(texts, log_probabilities, strict=True)]


def right(answers: Sequence[Answer], dates: "Sequence[WrittenDate]") -> float:
    """The share of answers without a mistake, in percent."""
    hits = [answer.iso == date.iso for answer, date in zip(answers, dates, strict=True)]
    return 100 * sum(hits) / max(1, len(hits))


def look(model: "Seq2Seq", pairs: "DatePairs", config: Config) -> dict[str, float]:
    """The share of right answers on some test dates: by a beam, greedy, and greedy in each language."""
    from labs.kit.data.dates import PLACES

    dates = pairs.test[:LOOKED_AT]
    greedy = translate(model, pairs, dates, 1)
    shares = {"exact/greedy": right(greedy, dates)}
    shares["exact/beam"] = right(translate(model, pairs, dates, config.beam), dates)
    for language in PLACES:
        own = [index for index, date in enumerate(dates) if date.language == language]
        if own:
            shares[f"exact/{language}"] = right([greedy[index] for index in own], [dates[index] for index in own])
    return shares


def tell(
    model: "Seq2Seq", pairs: "DatePairs", answers: Mapping[int, Sequence[Answer]], config: Config, run: kit.Run
) -> None:
    """The tables, and the figures by which the run is judged."""
    dates, greedy, beam = pairs.test, answers[1], answers[config.beam]
    surest = {width: sum(answer.log_probability for answer in each) / len(dates) for width, each in answers.items()}
    rows = [
        {"beam width": width, "right (%)": f"{right(each, dates):.2f}", "mean log p (nats)": f"{surest[width]:.4f}"}
        for width, each in answers.items()
    ]
    run.table("beam_widths", rows)
    mistakes = [
        {"language": date.language, "written": date.text, "truth": date.iso, "greedy": one.iso, "beam": other.iso}
        for date, one, other in zip(dates, greedy, beam, strict=True)
        if date.iso not in (one.iso, other.iso) or one.iso != other.iso
    ]
    none = dict.fromkeys(("language", "written", "truth", "greedy", "beam"), f"none in {len(dates):,} dates")
    run.table("mistakes", mistakes[:100] or [none])
    hardest = dates[min(range(len(dates)), key=lambda index: greedy[index].log_probability)]
    [found] = _translations(model, pairs, [hardest], width=8, best=5)
    ranked = [{"written": hardest.text, "answer": one.iso, "log p": f"{one.log_probability:.3f}"} for one in found]
    run.table("five_best_for_the_least_sure", ranked)
    shown = {date.language: (date, answer) for date, answer in zip(dates, greedy, strict=True)}.values()
    run.table("examples", [{"written": one.text, "greedy": said.iso, "truth": one.iso} for one, said in shown])
    run.summary(
        {
            "exact_match/greedy": right(greedy, dates) / 100,
            "exact_match/beam": right(beam, dates) / 100,
            "log_probability/greedy": surest[1],
            "log_probability/beam": surest[config.beam],
            "parameters": foundations.count_parameters(model),
        }
    )


class Reading(NamedTuple):
    """Where the decoder looks while it writes its greedy answer: (signs written, signs read), and these signs."""

    date: "WrittenDate"
    attention: "Tensor"
    written: list[str]


def readings(model: "Seq2Seq", pairs: "DatePairs") -> list[Reading]:
    """A date in each of six languages, none too long for a picture."""
    from foundations.networks.seq2seq import translate_and_look
    from foundations.text import END
    from labs.kit.data.dates import ISO_LENGTH

    device, found = next(model.parameters()).device, []
    longest = sorted(pairs.test, key=lambda date: len(date.text))
    for date in list({date.language: date for date in longest if len(date.text) <= SHOWN}.values())[:6]:
        source = pairs.sources([date])[:, : len(date.text)].to(device)
        decoded, attention = translate_and_look(model, source, maximum_length=ISO_LENGTH + 1)
        written = [pairs.target_signs.tokens[number] for number in decoded.tokens[0, 0].tolist()]
        found.append(Reading(date, attention[0].cpu(), ["end" if sign == END else sign for sign in written]))
    return found


if __name__ == "__main__":
    kit.launch(main)
