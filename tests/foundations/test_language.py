import math
import time

import pytest
import torch
from states import assert_resumes_exactly

from foundations.errors import InputError
from foundations.evaluation import Validation, evaluate
from foundations.language import Windows, counted_loss, generate
from foundations.networks.recurrent_language_model import RecurrentLanguageModel
from foundations.networks.transformer import LanguageModel
from foundations.optimizers import AdamW
from foundations.sampling import sample
from foundations.streams import Streams
from foundations.training import SupervisedLearner

CYCLE = torch.arange(7).repeat(60)  # 0 1 2 3 4 5 6 0 1 ...: what follows is known


def transformer(**settings) -> LanguageModel:
    sizes = {"num_layers": 2, "embed_dim": 16, "num_heads": 2, **settings}
    return LanguageModel(7, 10, generator=Streams(0).torch("weights"), **sizes)


def recurrent(**settings) -> RecurrentLanguageModel:
    return RecurrentLanguageModel(7, embed_dim=8, hidden_size=16, generator=Streams(0).torch("weights"), **settings)


def likeliest(logits: torch.Tensor) -> torch.Tensor:
    return logits.argmax(-1)


def learner(model, tokens=CYCLE) -> SupervisedLearner:
    windows = Windows(tokens, 10)
    train, held_out = windows.starts(0, 300), windows.starts(300, len(tokens), step=10)
    validation = Validation(held_out, held_out, every=5, scale=windows.inputs)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    return SupervisedLearner(
        model, optimizer, windows.loss, train, train, batch_size=8, streams=Streams(0), prepare=windows.prepare,
        validation=validation,
    )  # fmt: skip


def learn(learner: SupervisedLearner, steps: int) -> list[dict[str, float]]:
    found = [dict(metrics) for _, metrics in zip(range(steps), learner.learn(), strict=False)]
    return [{name: float(value) for name, value in metrics.items()} for metrics in found]


@pytest.mark.parametrize("build", [transformer, recurrent])
def test_a_model_learns_a_cycle_and_goes_on_with_it(build):
    model = build()
    assert learn(learner(model), 120)[-1]["validation/loss"] < 0.05
    assert generate(model, torch.tensor([[3, 4]]), 30, likeliest)[0].tolist() == [(3 + i) % 7 for i in range(32)]


@pytest.mark.parametrize("build", [transformer, recurrent])
def test_resuming_is_exact_to_the_bit_with_dropout(build):
    def make():
        return learner(build(dropout=0.2, dropout_generator=Streams(0).torch("masks")))

    assert_resumes_exactly(make, 7, 5)


def test_windows_are_pieces_of_the_text_and_their_targets_begin_one_later():
    windows = Windows(torch.arange(100), 4)
    starts = windows.starts(10, 30, step=4)
    assert starts.tolist() == [10, 14, 18, 22]  # at 26 the last target would lie outside
    assert windows.inputs(starts)[1].tolist() == [14, 15, 16, 17]
    assert windows.targets(starts)[1].tolist() == [15, 16, 17, 18]
    assert windows.targets(windows.starts(0, 100))[-1, -1] == 99


def test_the_loss_of_windows_side_by_side_is_the_mean_over_each_token_once():
    windows = Windows(torch.arange(9) % 3, 4)
    starts = windows.starts(0, 9, step=4)

    def certain(tokens):
        return 20.0 * torch.nn.functional.one_hot(tokens, 3)  # sure of the token before: always wrong

    assert windows.loss(certain(windows.inputs(starts)), starts).item() == pytest.approx(20, abs=1e-5)
    assert windows.loss(certain(windows.targets(starts)), starts).item() == pytest.approx(0, abs=1e-5)


def test_validation_over_windows_is_the_loss_of_the_model_in_evaluation_mode():
    model = transformer(dropout=0.5, dropout_generator=torch.Generator())
    windows = Windows(CYCLE, 10)
    starts = windows.starts(300, 420, step=10)
    found = evaluate(model, starts, starts, {"loss": windows.loss}, batch_size=3, scale=windows.inputs)["loss"]
    assert model.training
    assert found == pytest.approx(windows.loss(model.eval()(windows.inputs(starts)), starts).item(), abs=1e-5)


def test_counting_pairs_knows_a_cycle_and_counting_tokens_only_how_many_there_are():
    assert counted_loss(CYCLE, CYCLE, 0, 7) == pytest.approx(math.log(7), abs=1e-3)
    assert counted_loss(CYCLE, CYCLE, 1, 7, added=1e-6) == pytest.approx(0, abs=1e-5)


def test_counted_shares_are_those_worked_by_hand():
    training, held_out = torch.tensor([0, 1, 0, 1, 0, 0]), torch.tensor([0, 1, 1])
    # After 0 came 1 twice and 0 once: (2 + 1) / (3 + 2). After 1 came only 0, twice: (0 + 1) / (2 + 2).
    wanted = -(math.log(3 / 5) + math.log(1 / 4)) / 2
    assert counted_loss(training, held_out, 1, 2, added=1.0) == pytest.approx(wanted)


# --- generation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_generation_with_a_cache_is_that_without_beyond_the_context_too(positions):
    model = transformer(positions=positions)
    prompt = torch.randint(7, (3, 4), generator=torch.Generator().manual_seed(1))

    def text(cached):
        stream = torch.Generator().manual_seed(2)
        return generate(model, prompt, 40, lambda logits: sample(5 * logits, stream), cached=cached)

    assert text(cached=True).shape == (3, 44)
    assert torch.equal(text(cached=True), text(cached=False))
    assert torch.equal(text(cached=True)[:, :4], prompt)


def test_recurrent_generation_with_a_cache_is_that_without():
    model = recurrent()
    prompt = torch.tensor([[1, 2, 3]])
    assert torch.equal(generate(model, prompt, 20, likeliest), generate(model, prompt, 20, likeliest, cached=False))


def test_generation_is_in_evaluation_mode_and_puts_the_mode_back():
    model = transformer(dropout=0.5, dropout_generator=torch.Generator())
    first, second = (generate(model, torch.tensor([[1]]), 20, likeliest) for _ in range(2))
    assert torch.equal(first, second)
    assert model.training


def test_a_prompt_that_fills_the_context_can_be_continued():
    assert generate(transformer(), torch.zeros(1, 10, dtype=torch.int64), 3, likeliest).shape == (1, 13)


def test_generated_tokens_can_be_learnt_from():
    model = transformer()
    tokens = generate(model, torch.tensor([[1]]), 5, likeliest)
    model(tokens).sum().backward()
    assert model.embedding.weight.grad.isfinite().all()


@pytest.mark.slow
def test_a_cache_makes_generation_of_256_tokens_five_times_as_fast():
    model = LanguageModel(65, 256, num_layers=4, embed_dim=256, num_heads=4, generator=torch.Generator())
    prompt = torch.zeros(1, 1, dtype=torch.int64)

    def seconds(cached):
        begin = time.process_time()
        generate(model, prompt, 255, likeliest, cached=cached)
        return time.process_time() - begin

    with_cache = min(seconds(cached=True) for _ in range(3))
    assert seconds(cached=False) > 5 * with_cache


@pytest.mark.parametrize(
    ("prompt", "count", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.int64), 1, "one token at least"),
        (torch.zeros(4, dtype=torch.int64), 1, r"must be whole numbers \(batch, time\)"),
        (torch.zeros(1, 2), 1, "must be whole numbers"),
        (torch.zeros(1, 11, dtype=torch.int64), 1, "prompt=11: must be at most 10 tokens, the model's context"),
        (torch.tensor([[7]]), 1, "token=7: must be from 0 to 6"),
        (torch.tensor([[1]]), -1, "count=-1"),
    ],
)
def test_prompts_that_are_empty_too_long_or_unknown_are_refused(prompt, count, message):
    with pytest.raises(InputError, match=message):
        generate(transformer(), prompt, count, likeliest)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Windows(CYCLE[None], 4), "must be whole numbers"),
        (lambda: Windows(CYCLE.float(), 4), "must be whole numbers"),
        (lambda: Windows(CYCLE, 0), "context=0"),
        (lambda: Windows(CYCLE, 10).starts(0, 10), "tokens=10: must be above the context of 10"),
        (lambda: Windows(CYCLE, 10).starts(0, 999), "last=999: must be between first=0 and 420"),
        (lambda: Windows(CYCLE, 10).starts(0, 99, step=0), "step=0"),
        (lambda: counted_loss(CYCLE, CYCLE, -1, 7), "order=-1"),
        (lambda: counted_loss(CYCLE, CYCLE, 1, 7, added=0.0), "added=0.0"),
        (lambda: counted_loss(CYCLE, CYCLE[:2], 2, 7), "tokens=2: must be above order=2"),
    ],
)
def test_texts_too_short_for_a_window_and_other_bad_input_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
