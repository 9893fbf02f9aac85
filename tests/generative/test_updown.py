"""Up-down fine-tuning: which weights each phase teaches, what they are taught, and that likelihood rises."""

import math

import pytest
import torch
from states import assert_resumes_exactly

from foundations.errors import InputError
from foundations.learner import Learner
from foundations.schedules import linear_decay
from foundations.streams import Streams
from generative.boltzmann import (
    DeepBeliefNetwork,
    UntiedBeliefNetwork,
    UpDown,
    estimated_bound,
    exact_log_partition,
    log_likelihood,
    variational_bound,
)
from generative.boltzmann.exact import binary_states
from generative.boltzmann.updown import _teach_down, _teach_up

PATTERNS = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0]])
LABELS = torch.arange(3)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def network(classes=3, sizes=(8, 5, 4, 6), spread=0.7):
    dbn = DeepBeliefNetwork(sizes, classes, generator=stream())
    draw = stream(1)
    with torch.no_grad():
        for parameter in dbn.parameters():
            parameter.normal_(0, spread, generator=draw)
    return dbn


def learner(tuned=None, data=PATTERNS, labels=LABELS, **settings):
    tuned = UntiedBeliefNetwork(network()) if tuned is None else tuned
    return UpDown(tuned, data, labels, **{"batch_size": 3, "learning_rate": 0.1, "streams": Streams(0)} | settings)


def steps(learner, count):
    updates = learner.learn()
    return [next(updates) for _ in range(count)]


def touched(module):
    """The names of the weights with a gradient other than 0."""
    return {name for name, parameter in module.named_parameters() if bool(parameter.grad.any())}


# --- two sets of weights ----------------------------------------------------------------------------------------------


def test_untied_it_begins_as_the_network_that_it_copies():
    tied = network()
    untied, rows = UntiedBeliefNetwork(tied), torch.rand(5, 6, generator=stream(2))
    assert torch.equal(untied.up(PATTERNS, 2), tied.up(PATTERNS, 2))
    assert torch.equal(untied.down(rows[:, :4], stream()), tied.down(rows[:, :4], stream()))
    assert torch.equal(untied(PATTERNS), tied(PATTERNS))


def test_the_way_up_and_the_classifier_take_recognition_weights_and_the_way_down_the_generative_ones():
    untied = UntiedBeliefNetwork(network())
    up, down = untied.up(PATTERNS, 2), untied.down(torch.ones(2, 4), stream())
    with torch.no_grad():
        untied.recognition[0].weight.add_(1)
    assert not torch.equal(untied.up(PATTERNS, 2), up)
    assert torch.equal(untied.down(torch.ones(2, 4), stream()), down)
    hidden = untied.classifier(3, generator=stream()).body[:2](PATTERNS)
    torch.testing.assert_close(hidden, untied.up(PATTERNS, 1))


def test_a_network_with_classes_names_that_of_the_lowest_free_energy():
    dbn = network()
    wanted = -dbn.top.label_free_energies(dbn.up(PATTERNS, 2))
    torch.testing.assert_close(dbn(PATTERNS), wanted)
    torch.testing.assert_close(dbn((PATTERNS * 255).byte()), wanted)


# --- the bound --------------------------------------------------------------------------------------------------------


def exact_log_probability(dbn, visible):
    """log p(v) by adding up all hidden states of a network with two layers below its top machine."""
    first, second, top = dbn.rbms
    lower, upper = binary_states(torch.arange(2**5), 5).float(), binary_states(torch.arange(2**4), 4).float()

    def log_given(machine, below, above):
        p = machine.visible_probabilities(above)[:, None]
        return torch.where(below[None] == 1, p, 1 - p).log().sum(-1)  # (above, below)

    of_upper = (-top.label_free_energies(upper)).logsumexp(1) - exact_log_partition(top)
    of_lower = (log_given(second, lower, upper) + of_upper[:, None]).logsumexp(0)
    return (log_given(first, visible, lower) + of_lower[:, None]).logsumexp(0).detach()


def test_the_bound_lies_below_the_log_likelihood_and_its_draws_weigh_up_to_it():
    dbn = UntiedBeliefNetwork(network(spread=0.2))
    with torch.no_grad():
        dbn.recognition[0].weight.add_(0.1)  # a way up that is not the best
    exact = exact_log_probability(dbn, PATTERNS)
    draws = variational_bound(dbn, PATTERNS.repeat(20_000, 1), exact_log_partition(dbn.top), stream()).view(-1, 3)
    assert (draws.mean(0) < exact - 0.05).all()
    weighed = draws.logsumexp(0) - math.log(len(draws))  # E_q p(v, h) / q(h | v) = p(v)
    torch.testing.assert_close(weighed, exact, rtol=0, atol=0.03)


def test_the_exact_probabilities_of_all_inputs_sum_to_one():
    everything = binary_states(torch.arange(2**8), 8).float()
    assert float(exact_log_probability(network(), everything).logsumexp(0)) == pytest.approx(0, abs=1e-4)


def test_the_bound_of_one_machine_is_its_log_likelihood():
    dbn = network(classes=0, sizes=(8, 5))
    log_z = exact_log_partition(dbn.top)
    wanted = log_likelihood(dbn.top, PATTERNS, log_z).detach()
    torch.testing.assert_close(variational_bound(dbn, PATTERNS, log_z, stream()), wanted)


def test_the_estimated_bound_is_the_mean_of_the_bound_with_an_estimated_partition_function():
    dbn, labels = network(spread=0.2), torch.arange(3)
    given = {"chains": 200, "temperatures": 100, "streams": Streams(0)}
    found, log_z = estimated_bound(dbn, PATTERNS, PATTERNS, labels, **given)
    assert log_z.low < exact_log_partition(dbn.top) < log_z.high
    wanted = variational_bound(dbn, PATTERNS, log_z.value, Streams(0).torch("bound")).mean()
    assert found == pytest.approx(float(wanted))


# --- the three phases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("teach", [_teach_down, _teach_up])
def test_each_way_gets_the_gradient_of_the_cost_of_what_it_predicts(teach):
    machine = network().rbm(0).double()
    below, above = (torch.rand(7, width, generator=stream(3)).round().double() for width in (8, 5))
    way, given, wanted = ("visible", above, below) if teach is _teach_down else ("hidden", below, above)
    probabilities = getattr(machine, f"{way}_probabilities")(given)
    cost = torch.nn.functional.binary_cross_entropy(probabilities, wanted, reduction="sum") / 7
    gradients = torch.autograd.grad(cost, [machine.weight, getattr(machine, f"{way}_bias")])
    for parameter in machine.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with torch.no_grad():
        assert float(teach(machine, below, above)) == pytest.approx(cost.item(), rel=1e-10)
    assert touched(machine) == {"weight", f"{way}_bias"}
    for found, gradient in zip((machine.weight.grad, getattr(machine, f"{way}_bias").grad), gradients, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-12)


def test_the_wake_phase_teaches_nothing_by_itself_and_the_top_phase_the_top_machine_alone():
    tuning = learner()
    chosen = torch.arange(3)
    with torch.no_grad():
        layers = tuning._wake(chosen)
        assert touched(tuning.network) == set()
        tuning._associate(layers[-1], chosen)
    assert touched(tuning.network) == {f"rbms.2.{name}" for name in ("weight", "visible_bias", "hidden_bias")}


def test_an_update_moves_the_way_down_the_way_up_and_the_top_and_nothing_else():
    tuning = learner()
    before = {name: parameter.detach().clone() for name, parameter in tuning.network.named_parameters()}
    steps(tuning, 1)
    moved = {name for name, parameter in tuning.network.named_parameters() if not torch.equal(parameter, before[name])}
    down = {f"rbms.{layer}.{name}" for layer in (0, 1) for name in ("weight", "visible_bias")}
    up = {f"recognition.{layer}.{name}" for layer in (0, 1) for name in ("weight", "hidden_bias")}
    assert moved == down | up | {f"rbms.2.{name}" for name in ("weight", "visible_bias", "hidden_bias")}


def test_the_wake_phase_draws_upwards_and_the_sleep_phase_downwards():
    tuning = learner(data=PATTERNS.repeat(20_000, 1), labels=LABELS.repeat(20_000), batch_size=60_000)
    first = tuning.network.upward(0)
    with torch.no_grad():
        layers = tuning._wake(torch.arange(0, 60_000, 3))
        torch.testing.assert_close(layers[1].mean(0), first.hidden_probabilities(PATTERNS[:1])[0], rtol=0, atol=0.015)
        fantasy = torch.tensor([[1.0, 0, 1, 1]]).expand(20_000, 4)
        lowest, lower, _ = tuning._sleep(fantasy)
        wanted = tuning.network.rbm(1).visible_probabilities(fantasy[:1])[0]
        torch.testing.assert_close(lower.mean(0), wanted, rtol=0, atol=0.015)
        expected = tuning.network.rbm(0).visible_probabilities(lower).mean(0)
        torch.testing.assert_close(lowest.mean(0), expected, rtol=0, atol=0.015)


def test_the_top_machines_chains_are_as_long_as_asked_and_begin_at_the_labelled_data():
    tuning, sweeps = learner(gibbs_steps=4), []
    draw_hidden = tuning._chains.draw_hidden

    def watched(probabilities):
        sweeps.append(probabilities.clone())
        draw_hidden(probabilities)

    tuning._chains.draw_hidden = watched
    inputs, chosen = torch.eye(3, 4), torch.tensor([2, 0, 1])
    with torch.no_grad():
        tuning._associate(inputs, chosen)
        wanted = tuning.network.top.hidden_probabilities(tuning.network.top.with_labels(inputs, LABELS[chosen]))
    assert len(sweeps) == 4
    torch.testing.assert_close(sweeps[0], wanted)


def test_momentum_is_the_heavy_balls_and_the_schedule_sets_the_learning_rate():
    tuning = learner(momentum=0.5, learning_rate=0.1, schedule=linear_decay(4))
    weight = tuning.network.recognition[0].weight
    places, gradients = [weight.detach().clone()], []
    for _ in zip(range(2), tuning.learn(), strict=False):
        places.append(weight.detach().clone())
        gradients.append(weight.grad.clone())
    torch.testing.assert_close(places[0] - places[1], 0.1 * gradients[0])
    torch.testing.assert_close(places[1] - places[2], 0.075 * (0.5 * gradients[0] + gradients[1]), rtol=1e-4, atol=1e-6)


def test_the_figures_are_the_costs_of_both_ways_and_the_share_of_top_units_that_changed():
    tuning, twin = learner(), learner()
    (metrics,) = steps(tuning, 1)
    with torch.no_grad():
        chosen = twin.batches.next()
        layers = twin._wake(chosen)
        fantasies = twin._sleep(twin._associate(layers[-1], chosen))
    first, second = (twin.network.rbm(layer) for layer in (0, 1))
    up, upper = (twin.network.upward(layer) for layer in (0, 1))
    nats = torch.nn.functional.binary_cross_entropy

    def cost(probabilities, states):
        return nats(probabilities, states, reduction="sum").detach() / 3

    wake = cost(first.visible_probabilities(layers[1]), layers[0]) + cost(
        second.visible_probabilities(layers[2]), layers[1]
    )
    sleep = cost(up.hidden_probabilities(fantasies[0]), fantasies[1]) + cost(
        upper.hidden_probabilities(fantasies[1]), fantasies[2]
    )
    torch.testing.assert_close(metrics["wake/nats"], wake)
    torch.testing.assert_close(metrics["sleep/nats"], sleep)
    changed = (twin._seen.visible != twin._chains.visible).float().mean()
    assert 0 < metrics["top/reconstruction_error"] == changed < 1


def test_the_network_that_was_copied_stays_as_it_was():
    tied = network()
    before = {name: value.clone() for name, value in tied.state_dict().items()}
    steps(learner(UntiedBeliefNetwork(tied)), 3)
    assert all(torch.equal(value, before[name]) for name, value in tied.state_dict().items())


# --- learning ---------------------------------------------------------------------------------------------------------


def test_fine_tuning_raises_the_bound_of_a_greedily_learned_network():
    dbn = DeepBeliefNetwork((8, 6, 6, 8), 3, generator=stream())
    data, labels = PATTERNS.repeat(20, 1), LABELS.repeat(20)
    for layer in range(3):
        known = labels if layer == 2 else None
        steps(dbn.learner(layer, data, known, batch_size=10, learning_rate=0.2, streams=Streams(0)), 300)
    tuned = UntiedBeliefNetwork(dbn)
    settings = {"batch_size": 10, "learning_rate": 0.2, "schedule": linear_decay(800)}
    told = steps(learner(tuned, data, labels, **settings), 800)
    greedy, better = (
        variational_bound(each, data.repeat(20, 1), exact_log_partition(each.top), stream()).mean()
        for each in (dbn, tuned)
    )
    assert greedy < better - 0.4
    assert -2 < better <= -math.log(3)  # log 3 is the best that can be
    assert torch.equal(tuned(PATTERNS).argmax(1), LABELS)
    for name in ("wake/nats", "sleep/nats"):
        assert sum(each[name] for each in told[-100:]) < sum(each[name] for each in told[:100])


def test_it_is_a_learner_with_detached_metrics():
    tuning = learner(momentum=0.5)
    assert isinstance(tuning, Learner)
    (metrics,) = steps(tuning, 1)
    assert set(metrics) == {"wake/nats", "sleep/nats", "top/reconstruction_error"}
    assert all(value.shape == () and not value.requires_grad for value in metrics.values())


@pytest.mark.parametrize("classes", [0, 3])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(classes):
    def fresh():
        data, labels = torch.rand(50, 8, generator=stream(7)), torch.arange(50) % 3
        settings = {"batch_size": 8, "momentum": 0.5, "gibbs_steps": 2, "schedule": linear_decay(30)}
        return learner(UntiedBeliefNetwork(network(classes)), data, labels if classes else None, **settings)

    assert_resumes_exactly(fresh, 9, 11)


def test_the_global_random_stream_is_left_alone():
    before = torch.get_rng_state()
    steps(learner(UntiedBeliefNetwork(network())), 2)
    assert torch.equal(before, torch.get_rng_state())


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "named"),
    [
        (lambda: learner(UntiedBeliefNetwork(network(sizes=(8, 5)))), r"sizes=\(8, 5\): must be three or more"),
        (lambda: learner(data=PATTERNS[:, :7]), "data width=7: must be 8"),
        (lambda: learner(data=PATTERNS * 2), "data values"),
        (lambda: learner(labels=None), "labels=None: must be given exactly where the network has classes"),
        (lambda: learner(UntiedBeliefNetwork(network(0))), "labels='given': must be given exactly where"),
        (lambda: learner(labels=LABELS[:2]), "labels=2: must be as many as the 3"),
        (lambda: learner(labels=LABELS + 1), "class numbers from 0 to 2"),
        (lambda: learner(gibbs_steps=0), "gibbs_steps=0: must be at least 1"),
        (lambda: learner(batch_size=4), "batch_size=4"),
        (lambda: learner(learning_rate=-1.0), "lr=-1"),
        (lambda: network(0)(PATTERNS), "classes=0: must be at least 2"),
        (lambda: variational_bound(network(), PATTERNS / 2, 0.0, stream()), "visible='grey': must be 0 or 1"),
        (lambda: variational_bound(network(), PATTERNS[:, :7], 0.0, stream()), "visible shape"),
    ],
)
def test_bad_input_is_refused(do, named):
    with pytest.raises(InputError, match=named):
        do()
