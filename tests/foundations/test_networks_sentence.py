import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foundations.errors import InputError
from foundations.evaluation import accuracy, predict
from foundations.losses import cross_entropy_from_logits
from foundations.networks.sentence import AttentionPooling, SentenceClassifier, hide_words
from foundations.optimizers import AdamW
from foundations.streams import Streams
from foundations.training import SupervisedLearner

ENCODERS = ["rnn", "gru", "lstm", "transformer"]
POOLINGS = ["attention", "max", "last"]
TOKENS = torch.tensor([[5, 3, 7, 2, 9, 4], [6, 8, 0, 0, 0, 0], [4, 4, 9, 0, 0, 0]])


def _network(encoder="lstm", pooling="attention", dropout=0.0, **settings):
    first, masks = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    return SentenceClassifier(
        12, 2, encoder, pooling=pooling, embed_dim=8, hidden_size=6, dropout=dropout,
        generator=first, dropout_generator=masks, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_neither_logits_nor_gradients(encoder, pooling):
    network = _network(encoder, pooling).double()
    apart = torch.cat([network(row[row != 0][None]) for row in TOKENS])
    wanted = torch.autograd.grad(apart.sin().sum(), list(network.parameters()))
    together = network(F.pad(TOKENS, (0, 3)))
    found = torch.autograd.grad(together.sin().sum(), list(network.parameters()))
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-10)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_the_words_matters(encoder, pooling):
    network = _network(encoder, pooling).eval()
    said = network(torch.tensor([[5, 3, 7, 9], [5, 7, 3, 9]]))
    assert (said[0] - said[1]).abs().max() > 1e-6


@pytest.mark.parametrize("encoder", ENCODERS)
def test_attention_sums_to_1_over_the_words_and_gives_padding_nothing(encoder):
    weights = _network(encoder).attention(F.pad(TOKENS, (0, 2)))
    assert weights.shape == (3, 8)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert bool((weights[F.pad(TOKENS, (0, 2)) == 0] == 0).all())
    assert bool((weights[F.pad(TOKENS, (0, 2)) != 0] > 0).all())


def test_attention_is_asked_in_evaluation_mode_and_the_mode_comes_back():
    network = _network(dropout=0.5).train()
    assert torch.equal(network.attention(TOKENS), network.attention(TOKENS))
    assert network.training


def test_attention_pooling_is_its_equation():
    pool = AttentionPooling(4, 3, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        pool.query.copy_(torch.tensor([0.3, -0.2, 0.1]))
    x = torch.rand(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    scores = torch.tanh(x @ pool.map.weight.T + pool.query) @ pool.direction
    wanted = scores.softmax(dim=1)
    pooled, weights = pool(x, torch.ones(2, 1, 5, dtype=torch.bool))
    torch.testing.assert_close(weights, wanted, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(pooled, (wanted[:, :, None] * x).sum(1), rtol=1e-10, atol=1e-10)


def test_last_is_what_torchs_lstm_shows_when_it_has_read_all():
    network = _network("lstm", "last").eval()
    twin = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
    twin.load_state_dict(network.encoder.state_dict())
    row = TOKENS[:1]
    h = twin(F.embedding(row, network.embedding.weight))[1][0]
    torch.testing.assert_close(network(row), network.head(torch.cat([h[0], h[1]], dim=1)))


def test_max_takes_of_each_feature_the_largest():
    network = _network("gru", "max").eval()
    row = TOKENS[:1]
    x = F.embedding(row, network.embedding.weight)
    places = torch.cat([network.encoder(x)[0], x], dim=2)
    torch.testing.assert_close(network(row), network.head(places[0].max(dim=0).values[None]))


def _before_or_after(count):
    """Sentences with the words 4 and 5 once each among others; the label says which comes first."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(6, 12, (count, 8), generator=generator)
    places = torch.rand(count, 7, generator=generator).argsort(dim=1)[:, :2]
    tokens.scatter_(1, places, torch.tensor([[4, 5]]).expand(count, -1))
    tokens[: count // 2, 7] = 0
    return tokens, (places[:, 0] > places[:, 1]).long()


def _learner(encoder, pooling="attention", dropout=0.1):
    network = _network(encoder, pooling, dropout)
    tokens, labels = _before_or_after(600)
    optimizer = AdamW(network.parameters(), lr=1e-2, fused=True)
    return SupervisedLearner(
        network, optimizer, cross_entropy_from_logits, tokens, labels, batch_size=50, streams=Streams(0)
    )


@pytest.mark.parametrize("encoder", ENCODERS)
def test_each_encoder_learns_what_no_bag_of_words_can_say(encoder):
    learner = _learner(encoder)
    for _ in zip(range(300), learner.learn(), strict=False):
        pass
    tokens, labels = _before_or_after(900)
    assert accuracy(predict(learner.network, tokens[600:]), labels[600:]) >= 0.95


def test_training_goes_on_exactly_after_a_pause():
    straight, first, second = (_learner("lstm", dropout=0.5) for _ in range(3))
    losses = [float(metrics["loss/training"]) for _, metrics in zip(range(8), straight.learn(), strict=False)]
    for _ in zip(range(4), first.learn(), strict=False):
        pass
    second.load_state_dict(first.state_dict())
    assert [float(metrics["loss/training"]) for _, metrics in zip(range(4), second.learn(), strict=False)] == losses[4:]


def test_the_same_seed_gives_the_same_network():
    assert all(map(torch.equal, _network().parameters(), _network().parameters()))


def test_several_layers_fit_into_each_other():
    for encoder in ENCODERS:
        assert _network(encoder, num_layers=2, dropout=0.3)(TOKENS).shape == (3, 2)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"encoder": "ltsm"}, "did you mean 'lstm'"),
        ({"pooling": "maximum"}, "pooling='maximum'"),
        ({"classes": 1}, "classes=1"),
        ({"embed_dim": 0}, "features=0"),
        ({"hidden_size": 0}, "hidden_size=0"),
        ({"dropout": 1.0}, "p=1.0"),
        ({"vocabulary_size": 0}, "vocabulary_size=0"),
    ],
)
def test_impossible_settings_are_refused(settings, named):
    with pytest.raises(InputError, match=named):
        SentenceClassifier(**{"vocabulary_size": 12, **settings})


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        (torch.tensor([[0, 0]]), "empty"),
        (torch.tensor([[3, 0, 4]]), "padding before tokens"),
        (torch.tensor([[3, 12]]), "token=12"),
        (torch.tensor([3, 4]), r"tokens=\(2,\)"),
        (torch.zeros(0, 4, dtype=torch.int64), "tokens="),
        (torch.rand(2, 3), "tokens="),
    ],
)
def test_tokens_that_are_no_sentences_are_refused(tokens, named):
    with pytest.raises(InputError, match=named):
        _network()(tokens)


def test_weights_of_a_pooling_that_has_none_are_refused():
    with pytest.raises(InputError, match="pooling='max'"):
        _network(pooling="max").attention(TOKENS)


def test_hidden_words_become_unknown_in_their_share_and_padding_stays(generator):
    tokens = torch.randint(4, 50, (200, 50), generator=generator)
    tokens[:, 40:] = 0
    found = hide_words(tokens, 0.3, generator)
    hidden = found[:, :40] == 1
    assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert torch.equal(found[:, :40][~hidden], tokens[:, :40][~hidden])
    assert bool((found[:, 40:] == 0).all())


def test_a_share_of_words_beyond_all_is_refused(generator):
    with pytest.raises(InputError, match=r"share=1\.5"):
        hide_words(TOKENS, 1.5, generator)
