import pytest
import torch
from states import assert_resumes_exactly
from torch import Tensor

from foundations.decoding import select_rows
from foundations.errors import InputError
from foundations.networks.seq2seq import (
    RecurrentSeq2Seq,
    Seq2Seq,
    TransformerSeq2Seq,
    translate,
    translate_and_look,
)
from foundations.optimizers import Adam
from foundations.streams import Streams
from foundations.teacher_forcing import TeacherForcing, exact_match, token_cross_entropy
from foundations.text import Vocabulary, lengths_of
from foundations.training import SupervisedLearner

KINDS = ["rnn", "gru", "lstm", "transformer"]
SOURCE = torch.tensor([[4, 5, 6, 7, 8], [5, 4, 9, 0, 0], [8, 0, 0, 0, 0]])
TOKENS = torch.tensor([[2, 4, 5, 6], [2, 6, 4, 3], [2, 7, 3, 0]])


def build(kind: str, *, dropout: float = 0.0, layers: int = 2, seed: int = 0) -> Seq2Seq:
    weights, masks = (Streams(seed).torch(name) for name in ("weights", "masks"))
    settings = {"num_layers": layers, "dropout": dropout, "generator": weights, "dropout_generator": masks}
    if kind == "transformer":
        return TransformerSeq2Seq(10, 8, 12, embed_dim=16, num_heads=2, **settings)
    return RecurrentSeq2Seq(10, 8, cell=kind, embedding_size=6, hidden_size=16, attention_size=5, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_say_what_decoding_at_once_says(kind):
    model = build(kind).eval()
    memory = model.encode(SOURCE)
    wanted = model.decode(TOKENS, memory).log_softmax(dim=2)
    state = model.start(memory)
    for time in range(TOKENS.shape[1]):
        found, state = model.step(TOKENS[:, : time + 1], state)
        torch.testing.assert_close(found, wanted[:, time])


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_can_be_sorted_between_steps(kind):
    model, order = build(kind).eval(), torch.tensor([2, 0, 0])
    _, state = model.step(TOKENS[:, :1], model.start(model.encode(SOURCE)))
    found, _ = model.step(TOKENS[order, :2], select_rows(state, order))
    torch.testing.assert_close(found, model(SOURCE[order], TOKENS[order])[:, 1].log_softmax(dim=1))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind):
    model = build(kind).eval()
    together = model(SOURCE, TOKENS)
    for row, length in enumerate(lengths_of(SOURCE)):
        alone = model(SOURCE[row : row + 1, :length], TOKENS[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_no_step_sees_what_comes_later(kind):
    model = build(kind).eval()
    changed = TOKENS.clone()
    changed[:, 2:] = 5
    before, after = model(SOURCE, TOKENS), model(SOURCE, changed)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_shared_out_among_the_real_places(kind):
    model = build(kind).eval()
    weights = model.attention(TOKENS, model.encode(SOURCE))
    assert weights.shape == (3, 4, 5)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 4))
    assert not weights[SOURCE[:, None].expand(-1, 4, -1) == 0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_has_a_part_in_the_logits(kind):
    model = build(kind)
    model(SOURCE, TOKENS).logsumexp(dim=2).sum().backward()
    assert all(bool(parameter.grad.any()) for name, parameter in model.named_parameters() if "in_proj_bias" not in name)


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_gradients_are_those_of_differences(kind):
    model = build(kind, layers=1).double()
    weight = model.source_embedding.weight
    token_cross_entropy(model(SOURCE, TOKENS), TOKENS).backward()
    step, found = 1e-6, weight.grad[5, 1].item()
    losses = []
    with torch.no_grad():
        for sign in (1, -1):
            weight[5, 1] += sign * step
            losses.append(token_cross_entropy(model(SOURCE, TOKENS), TOKENS).item())
            weight[5, 1] -= sign * step
    assert found == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_and_a_beam_of_one_write_the_same(kind):
    model = build(kind)
    greedy = translate(model, SOURCE, maximum_length=6)
    wide = translate(model, SOURCE, maximum_length=6, width=3, best=3)
    again = model.eval()(SOURCE, torch.cat([TOKENS[:, :1], greedy.tokens[:, 0, :-1]], dim=1)).argmax(dim=2)
    for row, length in enumerate(greedy.lengths[:, 0]):
        assert torch.equal(again[row, :length], greedy.tokens[row, 0, :length])
    assert (wide.scores[:, 0] >= wide.scores[:, 1]).all()


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_the_scores_of_a_beam_are_the_models(kind):
    model = build(kind).eval()
    found = translate(model, SOURCE, maximum_length=4, width=3, best=2)
    for rank in range(2):
        tokens = found.tokens[:, rank]
        given = torch.cat([TOKENS[:, :1], tokens[:, :-1]], dim=1)
        each = model(SOURCE, given).log_softmax(dim=2).gather(2, tokens[:, :, None])[:, :, 0]
        real = torch.arange(tokens.shape[1]) < found.lengths[:, rank, None]
        torch.testing.assert_close((each * real).sum(dim=1), found.log_probabilities[:, rank])


def test_a_beam_of_one_is_scored_with_its_length_penalty():
    model = build("gru")
    found = translate(model, SOURCE, maximum_length=4, length_penalty=1.0)
    plain = translate(model, SOURCE, maximum_length=4)
    assert torch.equal(found.tokens, plain.tokens)
    torch.testing.assert_close(found.scores, plain.scores / ((5 + plain.lengths) / 6))


def test_an_impossible_length_penalty_is_refused_whatever_the_width():
    with pytest.raises(InputError, match=r"^length_penalty=-1"):
        translate(build("gru"), SOURCE, maximum_length=4, length_penalty=-1.0)


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_looking_shows_the_attention_of_each_step_that_was_taken(kind):
    model = build(kind)
    found, weights = translate_and_look(model, SOURCE, maximum_length=4)
    assert model.training
    assert torch.equal(found.tokens, translate(model, SOURCE, maximum_length=4).tokens)
    assert weights.shape == (3, found.tokens.shape[2], 5)
    memory = model.eval().encode(SOURCE)
    for time in range(found.tokens.shape[2]):  # each row again, from the tokens before it alone
        given = torch.cat([TOKENS[:, :1], found.tokens[:, 0, :time]], dim=1)
        torch.testing.assert_close(weights[:, time], model.attention(given, memory)[:, -1])


def test_translating_puts_the_mode_back():
    model = build("gru")
    translate(model, SOURCE, maximum_length=2)
    assert model.training


# --- learning ---------------------------------------------------------------------------------------------------------


def reversals() -> tuple[Tensor, Tensor]:
    """Sources of one to five tokens, and the same backwards with <eos>."""
    stream = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 6, (400,), generator=stream)
    sources, targets = torch.zeros(400, 5, dtype=torch.int64), torch.zeros(400, 6, dtype=torch.int64)
    for row, length in enumerate(lengths.tolist()):
        tokens = torch.randint(4, 8, (length,), generator=stream)
        sources[row, :length], targets[row, :length], targets[row, length] = tokens, tokens.flip(0), Vocabulary.end
    return sources, targets


def teacher(kind: str, *, share: float = 1.0, dropout: float = 0.0, layers: int = 2) -> SupervisedLearner:
    sources, targets = reversals()
    network = TeacherForcing(
        build(kind, dropout=dropout, layers=layers), 5, share=share, generator=Streams(0).torch("share")
    )
    optimizer = Adam(network.parameters(), lr=0.01)
    pairs = torch.cat([sources, targets], dim=1)
    return SupervisedLearner(
        network, optimizer, token_cross_entropy, pairs[:300], targets[:300], batch_size=50, streams=Streams(0)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "lstm", "transformer"])
def test_it_learns_to_write_unseen_sequences_backwards(kind):
    learner = teacher(kind, layers=1)
    for _ in zip(range(300), learner.learn(), strict=False):
        pass
    sources, targets = (part[300:] for part in reversals())
    found = translate(learner.network.model, sources, maximum_length=6, width=2).tokens[:, 0]
    right = (found[:, : targets.shape[1]] == targets[:, : found.shape[1]]).all(dim=1)
    assert right.double().mean() > 0.9


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_resuming_is_exact_with_dropout_and_scheduled_sampling(kind):
    assert_resumes_exactly(lambda: teacher(kind, share=0.5, dropout=0.3), 3, 3)


def test_a_share_of_none_trains_on_the_models_own_tokens():
    sources, targets = reversals()
    network = TeacherForcing(build("gru").eval(), 5, share=0.0)
    pairs = torch.cat([sources, targets], dim=1)[:3]
    forced = network.eval()(pairs)
    own = network.train()(pairs)
    given = torch.cat([torch.full((3, 1), Vocabulary.begin), forced.argmax(dim=2)[:, :-1]], dim=1)
    torch.testing.assert_close(own, network.model(sources[:3], given))


def test_the_loss_ignores_padding(generator):
    logits = torch.randn(2, 3, 8, generator=generator)
    targets = torch.tensor([[4, 3, 0], [5, 6, 3]])
    each = -logits.log_softmax(dim=2).gather(2, targets[:, :, None])[:, :, 0]
    torch.testing.assert_close(token_cross_entropy(logits, targets), each[targets != 0].mean())


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_exact_match_counts_what_greedy_decoding_finds(kind):
    model = build(kind, seed=1).eval()
    found = translate(model, SOURCE, maximum_length=3).tokens[:, 0]
    found[1, 0] = 4 if found[1, 0] != 4 else 5
    given = torch.cat([TOKENS[:, :1], found[:, :-1]], dim=1)
    assert exact_match(model(SOURCE, given), found) == pytest.approx(2 / 3)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gru", "transformer"])
@pytest.mark.parametrize(
    ("source", "lengths", "text"),
    [
        (SOURCE[:, :0], None, "source"),
        (SOURCE.double(), None, "source"),
        (SOURCE.flip(1), None, "padded behind"),
        (torch.zeros_like(SOURCE), None, "source='nothing but padding'"),
        (torch.tensor([[4, 10]]), None, "token=10"),
        (SOURCE, torch.tensor([5, 3]), "lengths"),
        (SOURCE, torch.tensor([6, 3, 1]), "between 1 and 5"),
        (SOURCE, torch.tensor([5, 3, 0]), "between 1 and 5"),
        (SOURCE, torch.tensor([5.0, 3.0, 1.0]), "lengths"),
    ],
)
def test_sources_that_cannot_be_are_refused(kind, source, lengths, text):
    with pytest.raises(InputError, match=text):
        build(kind).encode(source, lengths)


@pytest.mark.parametrize("kind", ["gru", "transformer"])
@pytest.mark.parametrize(
    ("tokens", "text"), [(TOKENS[:2], "as the memory has"), (TOKENS + 5, "token=12"), (TOKENS[:, :0], "tokens")]
)
def test_targets_that_cannot_be_are_refused(kind, tokens, text):
    model = build(kind)
    with pytest.raises(InputError, match=text):
        model.decode(tokens, model.encode(SOURCE))


def test_a_sequence_beyond_the_context_is_refused():
    with pytest.raises(InputError, match="at most 12"):
        build("transformer").encode(torch.full((1, 13), 4))


@pytest.mark.parametrize(
    ("settings", "name"), [({"cell": "gro"}, "cell"), ({"hidden_size": 15}, "hidden_size"), ({"num_layers": 0}, "num")]
)
def test_impossible_settings_are_refused_by_name(settings, name):
    with pytest.raises(InputError, match=f"^{name}"):
        RecurrentSeq2Seq(10, 8, **settings)


@pytest.mark.parametrize(("settings", "name"), [({"share": 1.5}, "share"), ({"source_places": 0}, "source_places")])
def test_impossible_forcing_is_refused_by_name(settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        TeacherForcing(build("gru"), **{"source_places": 5, **settings})


def test_pairs_without_a_target_are_refused():
    with pytest.raises(InputError, match=r"^pairs shape="):
        TeacherForcing(build("gru"), 5)(SOURCE)


@pytest.mark.parametrize("measure", [token_cross_entropy, exact_match])
def test_targets_of_another_shape_are_refused(measure):
    with pytest.raises(InputError, match=r"^targets shape="):
        measure(torch.zeros(2, 3, 8), torch.zeros(2, 4, dtype=torch.int64))
