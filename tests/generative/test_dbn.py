import pytest
import torch
from states import assert_resumes_exactly, assert_same_state

from foundations.activations import Sigmoid
from foundations.errors import InputError
from foundations.evaluation import accuracy, predict
from foundations.layers import Dropout
from foundations.learner import Learner
from foundations.losses import cross_entropy_from_logits
from foundations.optimizers import AdamW
from foundations.regularizers import decay_groups
from foundations.schedules import linear_decay, warmup_cosine
from foundations.streams import Streams, generators_of
from foundations.training import SupervisedLearner
from generative.boltzmann import DeepBeliefNetwork, Fantasies, LabelledRBM, base_rates
from generative.boltzmann.exact import binary_states

PATTERNS = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0]])
SIZES = (8, 7, 6, 9)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def network(classes=3, sizes=SIZES, spread=None):
    dbn = DeepBeliefNetwork(sizes, classes, generator=stream())
    if spread:
        draw = stream(1)
        with torch.no_grad():
            for parameter in dbn.parameters():
                parameter.normal_(0, spread, generator=draw)
    return dbn


def settings(**changes):
    return {"batch_size": 10, "learning_rate": 0.2, "streams": Streams(0)} | changes


def steps(learner, count):
    updates = learner.learn()
    return [next(updates) for _ in range(count)]


def trained(seed=0):
    """Greedily learned on three patterns, each a class."""
    dbn = DeepBeliefNetwork((8, 12, 10, 16), 3, generator=stream(seed))
    data, labels = PATTERNS.repeat(20, 1), torch.arange(3).repeat(20)
    for layer in range(3):
        known = labels if layer == 2 else None
        chains = {"persistent": True, "chains": 100} if layer == 2 else {}
        learner = dbn.learner(layer, data, known, schedule=linear_decay(800), **settings(**chains))
        steps(learner, 800)
    return dbn


# --- the machines and the way between them ----------------------------------------------------------------------------


def test_the_machines_have_the_sizes_asked_for_and_the_top_one_the_labels_beside():
    shapes = [tuple(machine.weight.shape) for machine in network().rbms]
    assert shapes == [(7, 8), (6, 7), (9, 6 + 3)]
    assert isinstance(network().top, LabelledRBM)
    assert not isinstance(network(classes=0).top, LabelledRBM)


def test_going_up_is_the_hidden_probabilities_layer_by_layer():
    dbn = network(spread=1.0)
    first, second, _ = dbn.rbms
    wanted = second.hidden_probabilities(first.hidden_probabilities(PATTERNS))
    torch.testing.assert_close(dbn.up(PATTERNS, 2), wanted.detach())
    torch.testing.assert_close(dbn.up((PATTERNS * 255).byte(), 2), wanted.detach())
    assert dbn.up(PATTERNS, 0) is PATTERNS


def test_going_down_draws_from_the_generative_distribution():
    dbn = network(spread=1.0)
    state = torch.tensor([[1.0, 0, 1, 0, 1, 1, 0, 0, 1]])
    first, second, _ = dbn.rbms
    above = second.visible_probabilities(state[:, :6]).detach()
    hidden = binary_states(torch.arange(2**7), 7).float()
    shares = torch.where(hidden == 1, above, 1 - above).prod(dim=1)
    wanted = shares @ first.visible_probabilities(hidden).detach()
    found = dbn.down(state.repeat(20_000, 1), stream()).mean(0)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.01)


def test_a_layers_machine_begins_at_the_base_rates_of_what_it_sees():
    dbn = network(spread=1.0)
    learner = dbn.learner(1, PATTERNS, **settings(batch_size=3))
    torch.testing.assert_close(dbn.rbm(1).visible_bias.detach().sigmoid(), base_rates(dbn.up(PATTERNS, 1)))
    assert torch.equal(learner.data, dbn.up(PATTERNS, 1))


def test_the_top_learner_sees_the_labels_beside_its_input():
    dbn = network()
    learner = dbn.learner(2, (PATTERNS * 255).byte(), torch.tensor([2, 0, 1]), **settings(batch_size=3))
    assert torch.equal(learner.data[:, 6:], torch.eye(3)[[2, 0, 1]])
    assert torch.equal(learner.data[:, :6], dbn.up(PATTERNS, 2))


def test_one_layer_with_labels_takes_bytes_too():
    learner = network(sizes=(8, 5)).learner(0, (PATTERNS * 255).byte(), torch.arange(3), **settings(batch_size=3))
    assert torch.equal(learner.data, torch.cat([PATTERNS, torch.eye(3)], dim=1))


# --- learning ---------------------------------------------------------------------------------------------------------


def test_greedily_learned_it_dreams_of_the_class_that_it_is_asked_for():
    dbn = trained()
    labels = torch.arange(3).repeat_interleave(200)
    dreams = Fantasies(dbn, 600, streams=Streams(0), labels=labels)
    steps(dreams, 100)
    seen = dreams.images().view(3, 200, 8)
    distances = (seen.unsqueeze(2) - PATTERNS.view(1, 1, 3, 8)).abs().sum(-1)
    right = (distances.argmin(-1) == torch.arange(3)[:, None]).float().mean()
    assert right >= 0.9
    inputs = dbn.up(PATTERNS, 2)
    assert torch.equal(dbn.top.label_free_energies(inputs).argmin(1), torch.arange(3))


def test_learning_a_layer_moves_its_own_machine_alone():
    dbn = network(spread=0.3)
    before = {name: parameter.detach().clone() for name, parameter in dbn.named_parameters()}
    steps(dbn.learner(1, PATTERNS, **settings(batch_size=3)), 2)
    moved = {name for name, parameter in dbn.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {f"rbms.1.{name}" for name in ("weight", "visible_bias", "hidden_bias")}


def test_a_resumed_layer_equals_an_uninterrupted_one_to_the_bit():
    data, labels = PATTERNS.repeat(10, 1), torch.arange(3).repeat(10)

    def fresh():
        return network(spread=0.3).learner(2, data, labels, persistent=True, momentum=0.5, **settings())

    assert_resumes_exactly(fresh, 8, 12)


# --- the classifier ---------------------------------------------------------------------------------------------------


def test_the_classifiers_hidden_layers_are_the_machines():
    dbn = network(spread=1.0)
    classifier = dbn.classifier(3, generator=stream())
    assert classifier.sizes == (8, 7, 6, 9, 3)
    top, inputs = dbn.top, dbn.up(PATTERNS, 2)
    wanted = (inputs @ top.weight[:, :6].T + top.hidden_bias).sigmoid()
    torch.testing.assert_close(classifier.body(PATTERNS), wanted)
    assert all(isinstance(layer[1], Sigmoid) for layer in list(classifier.body)[1:])


def test_the_classifier_drops_what_it_is_asked_to_from_the_stream_that_it_is_given():
    masks = stream(7)
    classifier = network().classifier(3, generator=stream(), dropout=0.3, dropout_generator=masks)
    drops = [layer for layer in classifier.modules() if isinstance(layer, Dropout)]
    assert [layer.p for layer in drops] == [0.3] * 3
    assert generators_of(classifier) == [masks]


def test_fine_tuning_the_classifier_leaves_the_network_as_it_was():
    dbn = network(spread=1.0)
    before = {name: value.clone() for name, value in dbn.state_dict().items()}
    classifier = dbn.classifier(3, generator=stream())
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in dbn.state_dict().items())


def test_learned_layers_are_a_better_start_than_none(digits):
    images, labels = digits
    images = images[:, :, 4:24:2, 4:24:2].flatten(1)  # 10 x 10 is enough here
    dbn = DeepBeliefNetwork((100, 64, 64), generator=stream())
    raw = dbn.classifier(10, generator=stream())
    for layer in range(2):
        steps(dbn.learner(layer, images[:1_400], **settings(batch_size=50)), 400)
    tuned = dbn.classifier(10, generator=stream())
    scores = []
    for classifier in (raw, tuned):
        data = images[:1_400], labels[:1_400]
        learner = SupervisedLearner(
            classifier, AdamW(classifier.parameters(), lr=2e-3), cross_entropy_from_logits, *data,
            batch_size=50, prepare=lambda batch, _: batch / 255, streams=Streams(0),
        )  # fmt: skip
        steps(learner, 150)
        scores.append(accuracy(predict(classifier, images[1_400:] / 255), labels[1_400:]))
    assert scores[1] >= 0.8
    assert scores[1] > scores[0] + 0.05


# --- fantasies --------------------------------------------------------------------------------------------------------


def test_fantasies_can_be_driven_as_a_learner_and_resumed_to_the_bit():
    def fresh():
        return Fantasies(network(spread=1.0), 5, streams=Streams(0), labels=torch.tensor([0, 1, 2, 0, 1]))

    straight, resumed = assert_resumes_exactly(fresh, 4, 5)
    assert isinstance(straight, Learner)
    assert torch.equal(resumed.images(), straight.images())


def test_what_is_told_of_fantasies_is_their_mean_free_energy():
    dreams = Fantasies(network(spread=1.0), 5, streams=Streams(0))
    told = steps(dreams, 1)[0]["free_energy"]
    torch.testing.assert_close(told, dreams.network.top.free_energy(dreams.chains.visible).detach().mean())


def test_looking_at_fantasies_changes_neither_them_nor_the_next_look():
    looked, left = (Fantasies(network(spread=1.0), 5, streams=Streams(0)) for _ in range(2))
    steps(looked, 3)
    assert torch.equal(looked.images(), looked.images())
    steps(looked, 3), steps(left, 6)
    assert torch.equal(looked.chains.visible, left.chains.visible)


def test_fantasies_are_pixel_probabilities_that_begin_where_asked():
    dbn = network(spread=1.0)
    start = torch.ones(4, 9)
    dreams = Fantasies(dbn, 4, streams=Streams(0), start=start)
    assert torch.equal(dreams.chains.visible, start)
    images = dreams.images()
    assert images.shape == (4, 8)
    assert images.min() >= 0
    assert images.max() <= 1


def test_fantasies_show_the_label_that_is_held_from_the_first_look():
    labels = torch.tensor([2, 0, 1])
    dreams = Fantasies(network(), 3, streams=Streams(0), labels=labels, start=torch.ones(3, 9))
    assert torch.equal(dreams.chains.visible, torch.cat([torch.ones(3, 6), torch.eye(3)[labels]], dim=1))


def test_fantasies_of_a_single_machine_are_pixel_probabilities_too():
    dbn = network(sizes=(8, 5), spread=1.0)
    dreams = Fantasies(dbn, 3, streams=Streams(0), labels=torch.arange(3), start=torch.ones(3, 11))
    wanted = dbn.top.visible_probabilities(dbn.top.hidden_probabilities(dreams.chains.visible))[:, :8]
    torch.testing.assert_close(dreams.images(), wanted.detach())


def test_at_rest_the_chains_begin_at_what_is_shown_while_nothing_is_hidden():
    dbn = network(sizes=(8, 5), spread=1.0)
    dreams = Fantasies(dbn, 20_000, streams=Streams(0))
    dreams.start_at_rest()
    rates = dbn.top.visible_from_logits(dbn.top.visible_bias[None]).detach()[0, :8]
    torch.testing.assert_close(dreams.chains.visible[:, :8].mean(0), rates, rtol=0, atol=0.015)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "named"),
    [
        (lambda: DeepBeliefNetwork((8,)), r"sizes=\(8,\): must be two or more widths"),
        (lambda: DeepBeliefNetwork((8, 0)), "sizes"),
        (lambda: DeepBeliefNetwork((8, 4), 1), "classes=1"),
        (lambda: network().rbm(3), "layer=3: must be from 0 to 2"),
        (lambda: network().learner(0, PATTERNS, torch.arange(3), **settings()), "labels='given'"),
        (lambda: network().learner(2, PATTERNS, **settings()), "labels=None: must be given for the top layer"),
        (lambda: network().learner(2, PATTERNS, torch.arange(2), **settings()), "labels=2: must be as many as the 3"),
        (lambda: network().learner(2, PATTERNS, torch.arange(3) + 1, **settings()), "class numbers from 0 to 2"),
        (lambda: network().learner(0, PATTERNS * 3, **settings()), "data values"),
        (lambda: network().learner(0, PATTERNS, **settings(gibbs_steps=0)), "gibbs_steps=0"),
        (lambda: network().up(PATTERNS[:, :5], 1), "visible shape"),
        (lambda: Fantasies(network(0), 2, streams=Streams(0), labels=torch.arange(2)), "learned without classes"),
        (lambda: Fantasies(network(), 2, streams=Streams(0), labels=torch.arange(3)), "labels=3: must be 2"),
        (lambda: Fantasies(network(), 0, streams=Streams(0)), "chains=0"),
    ],
)
def test_bad_input_is_refused(do, named):
    with pytest.raises(InputError, match=named):
        do()


def test_the_fine_tuner_is_that_of_the_classifier_with_decay_warm_up_and_cosine():
    dbn = network(spread=1.0)
    data, labels = PATTERNS.repeat(20, 1), torch.arange(3).repeat(20)
    options = {"steps": 30, "batch_size": 10, "learning_rate": 1e-2}
    tuner = dbn.fine_tuner(data, labels, dropout=0.2, streams=Streams(0), **options)
    own = Streams(0)
    twin = dbn.classifier(3, generator=own.torch("head"), dropout=0.2, dropout_generator=own.torch("dropout"))
    learner = SupervisedLearner(
        twin, AdamW(decay_groups(twin, 0.01), lr=1e-2, fused=True), cross_entropy_from_logits, data, labels,
        batch_size=10, schedule=warmup_cosine(3, 30), streams=own.child("fine tuning"),
    )  # fmt: skip
    assert_same_state(steps(tuner, 30), steps(learner, 30))
    assert_same_state(tuner.network.state_dict(), twin.state_dict())
