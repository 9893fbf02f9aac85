"""Translate written dates in seven languages to ISO 8601: "Freitag, 4. März 2005" -> 2005-03-04.

An encoder reads the date sign by sign, a decoder writes the ISO form and looks back through attention. The test dates
are days that no training pair was about. The run shows what was learned when, where the decoder looks while it writes,
what a beam search finds beyond the greedy answer, and every mistake.
Forms with slashes are left out: 03/04/2005 is a day in March in New York and one in April in London. Dots are kept; in
all these languages the day stands before them, but for Hungarian, where the year does.
Sources: Bahdanau et al. 2014, arXiv:1409.0473; Vaswani et al. 2017, arXiv:1706.03762; the forms are those of CLDR.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from foundations.networks.seq2seq import Seq2Seq
    from foundations.text import Vocabulary
    from foundations.training import SupervisedLearner

topic = "sequences"
best = ("exact_match/greedy", "max", "test_dates")
PLACES = {
    "English": ("en_US", "en_GB"), "German": ("de_DE",), "French": ("fr_FR",), "Spanish": ("es_ES",),
    "Finnish": ("fi_FI",), "Hungarian": ("hu_HU",), "Greek": ("el_GR",),
}  # fmt: skip
"""Whose forms are read."""
FORMS = [
    (language, place, name)
    for language, places in PLACES.items()
    for place in places
    for name in ("full", "long", "medium")
]
"""Language, place, and the name of a form there: full has the weekday, medium is short or in numbers."""
FIRST_DAY, LAST_DAY = Date(1900, 1, 1), Date(2099, 12, 31)
LOOKED_AT = 500
"""Test dates that are translated every now and then while training; all of them at the end."""
LOOKS = 25
ISO_SIGNS = "0123456789-"
ISO_LENGTH = 11
"""Ten signs and the end."""
CONTEXT = 64
"""The Transformer's largest number of signs; the longest date has about 40."""
WIDTHS = (1, 2, 4, 8)
"""Of the beams that are compared; 1 is greedy."""


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


# --- the dates --------------------------------------------------------------------------------------------------------


class Written(NamedTuple):
    """One day in one form."""

    language: str
    text: str
    iso: str


class Corpus(NamedTuple):
    """All pairs, and the vocabularies that make numbers of them. Shapes: sources (n, places), targets (n, 11)."""

    training: list[Written]
    test: list[Written]
    source_signs: "Vocabulary"
    target_signs: "Vocabulary"
    places: int

    def sources(self, dates: Sequence[Written]) -> "Tensor":
        """The written forms, padded to the longest of the corpus."""
        from foundations.text import characters, pad

        return pad([self.source_signs.encode(characters(date.text)) for date in dates], self.places)[0]

    def targets(self, dates: Sequence[Written]) -> "Tensor":
        """The ISO forms, with the end."""
        from foundations.text import pad

        return pad([self.target_signs.encode(date.iso, end=True) for date in dates])[0]


def write(days: "Tensor", forms: "Tensor") -> list[Written]:
    """Days, counted from the first, each in one of `FORMS`. Shapes: both (n)."""
    from babel.dates import format_date

    dates = []
    for day, form in zip(days.tolist(), forms.tolist(), strict=True):
        when, (language, place, name) = FIRST_DAY + timedelta(day), FORMS[form]
        dates.append(Written(language, format_date(when, name, locale=place), when.isoformat()))
    return dates


def make_corpus(config: Config, streams: "foundations.Streams") -> Corpus:
    """Days are dealt out first, so that no test date is about a day of training, in whatever form."""
    import torch

    from foundations.text import Vocabulary

    count = (LAST_DAY - FIRST_DAY).days + 1
    require(config.test_dates < count, "test_dates", config.test_dates, f"below {count:,}, the number of days")
    days = torch.randperm(count, generator=streams.torch("split"))
    test_days, own_days = days[: config.test_dates], days[config.test_dates :]

    def some(size: int, among: int, stream: "Generator") -> "Tensor":
        return torch.randint(among, (size,), generator=stream)

    stream = streams.torch("training pairs")
    drawn = own_days[some(config.training_pairs, len(own_days), stream)]
    training = write(drawn, some(config.training_pairs, len(FORMS), stream))
    test = write(test_days, some(config.test_dates, len(FORMS), streams.torch("test forms")))
    # A year has every month and every day of the week: no form has a sign beyond these.
    year = torch.arange(366).repeat(len(FORMS))
    signs = Vocabulary.build(date.text for date in write(year, torch.arange(len(FORMS)).repeat_interleave(366)))
    places = max(len(date.text) for date in (*training, *test))
    return Corpus(training, test, signs, Vocabulary(ISO_SIGNS), places)


# --- the model --------------------------------------------------------------------------------------------------------


def build(config: Config, corpus: Corpus, run: kit.Run) -> "Seq2Seq":
    """The model at its first weights."""
    from foundations.networks.seq2seq import RecurrentSeq2Seq, TransformerSeq2Seq

    sizes, weights = (len(corpus.source_signs), len(corpus.target_signs)), run.streams.torch("weights")
    if config.model == "transformer":
        width = config.hidden_size // 2
        return TransformerSeq2Seq(*sizes, CONTEXT, embed_dim=width, generator=weights).to(run.device)
    settings: dict[str, Any] = {"cell": config.model, "hidden_size": config.hidden_size, "embedding_size": 32}
    return RecurrentSeq2Seq(*sizes, **settings, generator=weights).to(run.device)


def teach(config: Config, corpus: Corpus, model: "Seq2Seq", run: kit.Run) -> "SupervisedLearner":
    """The learner: AdamW, teacher forcing, batches of similar lengths."""
    import torch

    from foundations.teacher_forcing import TeacherForcing, token_cross_entropy
    from foundations.text import BucketedBatches

    steps, batch_size, rate = plan(config)
    sources, targets = (part(corpus.training).to(run.device) for part in (corpus.sources, corpus.targets))
    masks = run.streams.torch("teacher", run.device)
    network = TeacherForcing(model, corpus.places, share=config.teacher_share, generator=masks)
    lengths, order = (sources != 0).sum(dim=1), run.streams.torch("batches", run.device)
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


def plan(config: Config) -> Recipe:
    """What is asked for, or else suits the model."""
    own = RECIPES[config.model]
    asked = config.steps or own.steps, config.batch_size or own.batch_size, config.learning_rate or own.learning_rate
    recipe, pairs = Recipe(*asked), config.training_pairs
    require(recipe.batch_size <= pairs, "batch_size", recipe.batch_size, f"at most {pairs:,}, the training pairs")
    return recipe


class Answer(NamedTuple):
    """What the model writes for a date, and how sure it is of the whole (nats)."""

    iso: str
    log_probability: float


def translate(model: "Seq2Seq", corpus: Corpus, dates: Sequence[Written], width: int) -> list[Answer]:
    """The best answer for each of `dates`."""
    return [answers[0] for answers in _translations(model, corpus, dates, width, best=1)]


def _translations(
    model: "Seq2Seq", corpus: Corpus, dates: Sequence[Written], width: int, best: int
) -> Iterator[list[Answer]]:
    """The `best` answers for each of `dates`."""
    from foundations.networks.seq2seq import translate as decode

    device = next(model.parameters()).device
    for sources in corpus.sources(dates).to(device).split(250):
        found = decode(model, sources, maximum_length=ISO_LENGTH + 1, width=width, best=best)
        for tokens, log_probabilities in zip(found.tokens.cpu(), found.log_probabilities.tolist(), strict=True):
            texts = ["".join(corpus.target_signs.decode(row)) for row in tokens]
            yield [Answer(*answer) for answer in zip(texts, log_probabilities, strict=True)]


def right(answers: Sequence[Answer], dates: Sequence[Written]) -> float:
    """The share of answers without a mistake, in percent."""
    hits = [answer.iso == date.iso for answer, date in zip(answers, dates, strict=True)]
    return 100 * sum(hits) / max(1, len(hits))


def look(model: "Seq2Seq", corpus: Corpus, config: Config) -> dict[str, float]:
    """The share of right answers on some test dates: by a beam, greedy, and greedy in each language."""
    dates = corpus.test[:LOOKED_AT]
    greedy = translate(model, corpus, dates, 1)
    shares = {"exact/greedy": right(greedy, dates)}
    shares["exact/beam"] = right(translate(model, corpus, dates, config.beam), dates)
    for language in PLACES:
        own = [index for index, date in enumerate(dates) if date.language == language]
        if own:
            shares[f"exact/{language}"] = right([greedy[index] for index in own], [dates[index] for index in own])
    return shares


# --- the run ----------------------------------------------------------------------------------------------------------


def main(config: Config, run: kit.Run) -> None:
    """Make the pairs, train, translate the test dates, look at attention and mistakes."""
    from labs.drawings import translate_dates as drawings

    steps, batch_size, _ = plan(config)
    corpus = make_corpus(config, run.streams)
    model = build(config, corpus, run)
    learner = teach(config, corpus, model, run)
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size):
        if run.every(-(-steps // LOOKS)):
            run.log(look(model, corpus, config))
    answers = {width: translate(model, corpus, corpus.test, width) for width in sorted({*WIDTHS, config.beam})}
    run.figure("learning", drawings.draw_learning(run, config.beam, PLACES))
    run.figure("attention", drawings.draw_attention(readings(model, corpus)))
    tell(model, corpus, answers, config, run)
    run.model(config.model, learner.network, learner.inputs[:8])
    run.file("source_signs.json", corpus.source_signs.save)
    run.file("target_signs.json", corpus.target_signs.save)


def tell(
    model: "Seq2Seq", corpus: Corpus, answers: Mapping[int, Sequence[Answer]], config: Config, run: kit.Run
) -> None:
    """The tables, and the figures by which the run is judged."""
    dates, greedy, beam = corpus.test, answers[1], answers[config.beam]
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
    [found] = _translations(model, corpus, [hardest], width=8, best=5)
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


# --- where the decoder looks ------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """Where the decoder looks while it writes its greedy answer: (signs written, signs read), and these signs."""

    date: Written
    attention: "Tensor"
    written: list[str]


def readings(model: "Seq2Seq", corpus: Corpus) -> list[Reading]:
    """A date in each of six languages, none too long for a picture."""
    longest = sorted(corpus.test, key=lambda date: len(date.text))
    chosen = list({date.language: date for date in longest if len(date.text) <= 28}.values())[:6]
    return [_reading(model, corpus, date) for date in chosen]


def _reading(model: "Seq2Seq", corpus: Corpus, date: Written) -> Reading:
    import torch

    [answer] = translate(model, corpus, [date], 1)
    written = corpus.target_signs.encode(answer.iso, begin=True)
    device = next(model.parameters()).device
    with foundations.evaluation_mode(model), torch.no_grad():
        memory = model.encode(corpus.sources([date])[:, : len(date.text)].to(device))
        weights = model.attention(torch.tensor([written], device=device), memory)
    return Reading(date, weights[0].cpu(), [*answer.iso, "end"])


if __name__ == "__main__":
    kit.launch(main)
