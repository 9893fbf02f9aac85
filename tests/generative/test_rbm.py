import pytest
import torch
from states import assert_resumes_exactly
from torch import Tensor

from foundations.errors import InputError
from foundations.learner import Learner
from foundations.schedules import linear_decay
from foundations.streams import Streams
from generative.boltzmann import (
    RBM,
    ContrastiveDivergence,
    GibbsChains,
    LabelledRBM,
    base_rates,
    exact_log_partition,
    independent_log_likelihood,
)
from generative.boltzmann import log_likelihood as log_likelihood_of
from generative.boltzmann.exact import binary_states

BARS = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1]])


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def small_rbm(visible=6, hidden=4, spread=1.0, seed=0, *, classes=0):
    kind = LabelledRBM(visible - classes, classes, hidden) if classes else RBM(visible, hidden)
    draw = stream(seed)
    with torch.no_grad():
        for parameter in kind.parameters():
            parameter.normal_(0, spread, generator=draw)
    return kind.double()


def states(width):
    return binary_states(torch.arange(2**width), width)


def visible_states(rbm):
    """All that the visible units can be."""
    if not isinstance(rbm, LabelledRBM):
        return states(rbm.visible)
    inputs, labels = states(rbm.inputs), torch.eye(rbm.classes, dtype=torch.float64)
    return torch.cat([inputs.repeat_interleave(rbm.classes, 0), labels.repeat(len(inputs), 1)], dim=1)


def enumerated(rbm):
    """The joint distribution and log Z from the energies of all states: p (visible states, hidden states)."""
    visible, hidden = visible_states(rbm), states(rbm.hidden)
    rows = [-rbm.energy(v.expand(len(hidden), -1), hidden) for v in visible]
    energies = torch.stack(rows)
    log_z = energies.flatten().logsumexp(0)
    return (energies - log_z).exp(), log_z


def learner(rbm, data, **settings):
    return ContrastiveDivergence(
        rbm, data, **{"batch_size": len(data), "learning_rate": 0.1, "streams": Streams(0)} | settings
    )


def steps(learner, count):
    updates = learner.learn()
    return [next(updates) for _ in range(count)]


# --- the distribution -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [0, 3])
def test_the_free_energy_sums_the_hidden_states_up(classes):
    rbm = small_rbm(classes=classes)
    hidden = states(rbm.hidden)
    for visible in visible_states(rbm)[::5]:
        wanted = -(-rbm.energy(visible.expand(len(hidden), -1), hidden)).logsumexp(0)
        torch.testing.assert_close(rbm.free_energy(visible[None])[0], wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("classes", [0, 3])
def test_the_exact_partition_function_is_the_sum_over_both_layers(classes):
    rbm = small_rbm(classes=classes)
    assert exact_log_partition(rbm) == pytest.approx(float(enumerated(rbm)[1].detach()), abs=1e-10)


def test_the_partition_function_of_more_states_than_one_portion_is_whole():
    rbm = small_rbm(visible=3, hidden=14)
    wanted = (-rbm.free_energy(states(3))).logsumexp(0)
    assert exact_log_partition(rbm) == pytest.approx(float(wanted.detach()), abs=1e-10)


@pytest.mark.parametrize("classes", [0, 3])
def test_conditional_probabilities_are_those_of_the_joint_distribution(classes):
    rbm = small_rbm(classes=classes)
    joint, _ = enumerated(rbm)
    visible, hidden = visible_states(rbm), states(rbm.hidden)
    given_visible = joint @ hidden / joint.sum(1, keepdim=True)
    given_hidden = joint.T @ visible / joint.sum(0)[:, None]
    torch.testing.assert_close(rbm.hidden_probabilities(visible), given_visible, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(rbm.visible_probabilities(hidden), given_hidden, rtol=1e-9, atol=1e-9)


def test_probabilities_of_all_visible_states_sum_to_one():
    rbm = small_rbm()
    total = log_likelihood_of(rbm, states(6), exact_log_partition(rbm)).exp().sum()
    assert float(total.detach()) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("classes", [0, 3])
def test_long_chains_visit_states_as_often_as_they_are_probable(classes):
    rbm = small_rbm(classes=classes)
    chains = GibbsChains(rbm, 40_000, stream())
    visible = chains.sweep(40)
    wanted = enumerated(rbm)[0].detach().sum(1)
    all_states = visible_states(rbm)
    found = torch.stack([(visible == state).all(1).double().mean() for state in all_states])
    assert float((found - wanted).abs().sum()) < 0.04  # noise alone makes about 0.03 of it


def test_a_machine_without_weights_at_its_base_rates_has_the_likelihood_of_independent_units():
    rates = torch.tensor([0.2, 0.9, 0.5])
    by_hand = torch.tensor([0.2 * 0.1 * 0.5, 0.8 * 0.9 * 0.5]).log()
    visible = torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    found = independent_log_likelihood(visible, rates)
    torch.testing.assert_close(found, by_hand)
    rbm = RBM(3, 2)
    rbm.weight.data.zero_()
    rbm.begin_at(rates)
    torch.testing.assert_close(found, log_likelihood_of(rbm, visible, exact_log_partition(rbm)).detach())


def test_biases_begin_so_that_units_are_on_at_their_base_rates():
    rbm, rates = RBM(6, 4, generator=stream()), base_rates(BARS)
    rbm.begin_at(rates)
    with torch.no_grad():
        rbm.weight.zero_()
    torch.testing.assert_close(rbm.visible_probabilities(torch.zeros(1, 4))[0], rates)
    torch.testing.assert_close(rates, (BARS.sum(0) + 0.5) / 5)


def test_labels_begin_at_their_base_rates_too():
    rbm, rates = LabelledRBM(3, 3, 4), torch.tensor([0.1, 0.5, 0.9, 0.2, 0.3, 0.5])
    rbm.begin_at(rates)
    with torch.no_grad():
        rbm.weight.zero_()
    torch.testing.assert_close(rbm.visible_probabilities(torch.zeros(1, 4))[0], rates)


def test_bytes_and_floats_have_the_same_base_rates():
    torch.testing.assert_close(base_rates((BARS * 255).byte()), base_rates(BARS))


# --- labels -----------------------------------------------------------------------------------------------------------


def test_the_free_energies_of_labels_are_those_of_the_labelled_states():
    rbm = small_rbm(classes=3)
    inputs = states(3)
    for label in range(3):
        labelled = rbm.with_labels(inputs, torch.full((8,), label))
        torch.testing.assert_close(rbm.label_free_energies(inputs)[:, label], rbm.free_energy(labelled))


def test_chains_keep_a_held_label_and_follow_the_distribution_given_it():
    rbm = small_rbm(classes=3)
    labels = torch.full((20_000,), 1)
    chains = GibbsChains(rbm, 20_000, stream(), held=rbm.one_hot(labels).double())
    visible = chains.sweep(40)
    assert torch.equal(visible[:, 3:].argmax(1), labels)
    all_states = visible_states(rbm)
    given = all_states[:, 3 + 1] == 1
    shares = enumerated(rbm)[0].detach().sum(1) * given
    wanted = (shares / shares.sum()) @ all_states
    torch.testing.assert_close(visible.mean(0), wanted, rtol=0, atol=0.015)


# --- learning ---------------------------------------------------------------------------------------------------------


def exact_gradients(rbm, data):
    """<s>_data - <s>_model of the statistics v h^T, v and h, turned round: the gradient of -log p by enumeration."""
    joint, _ = enumerated(rbm)
    visible, hidden = visible_states(rbm), states(rbm.hidden)
    probabilities = rbm.hidden_probabilities(data)
    return {
        "weight": hidden.T @ joint.T @ visible - probabilities.T @ data / len(data),
        "visible_bias": joint.sum(1) @ visible - data.mean(0),
        "hidden_bias": joint.sum(0) @ hidden - probabilities.mean(0),
    }


def test_the_gradient_of_the_likelihood_is_data_minus_model_statistics():
    rbm, data = small_rbm(), BARS.double()
    log_z = (-rbm.free_energy(states(6))).logsumexp(0)
    (rbm.free_energy(data).mean() + log_z).backward()
    for name, wanted in exact_gradients(rbm, data).items():
        torch.testing.assert_close(getattr(rbm, name).grad, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("persistent", [True, False])
def test_with_long_chains_the_estimated_gradient_is_the_exact_one(persistent):
    rbm, data = small_rbm(spread=0.7), BARS.double().repeat(2_000, 1)
    chains = 8_000 if persistent else None
    learns = learner(rbm, data, gibbs_steps=25, persistent=persistent, chains=chains)
    learns.leave_gradients(torch.arange(len(data)))
    for name, wanted in exact_gradients(rbm, BARS.double()).items():
        torch.testing.assert_close(getattr(rbm, name).grad, wanted, rtol=0, atol=0.025)


def test_one_step_of_divergence_is_the_textbooks():
    rbm, data = small_rbm(), BARS.double()
    learns = learner(rbm, data)
    chosen = torch.arange(4)
    draws = stream()
    draws.set_state(learns.chains.stream.get_state())
    learns.leave_gradients(chosen)
    up = rbm.hidden_probabilities(data)
    hidden = (torch.rand(up.shape, generator=draws, dtype=torch.float64) < up).double()
    down = rbm.visible_probabilities(hidden)
    visible = (torch.rand(down.shape, generator=draws, dtype=torch.float64) < down).double()
    wanted = (rbm.hidden_probabilities(visible).T @ visible - up.T @ data) / 4
    torch.testing.assert_close(rbm.weight.grad, wanted.detach(), rtol=1e-10, atol=1e-10)


def likelihood(rbm, data):
    rbm = rbm.double()
    value = float(log_likelihood_of(rbm, data.double(), exact_log_partition(rbm)).mean().detach())
    rbm.float()
    return value


@pytest.mark.parametrize(("persistent", "gibbs_steps", "least"), [(False, 1, -1.75), (False, 5, -1.6), (True, 1, -1.7)])
def test_it_learns_four_patterns_from_four_nats_down_to_near_log_four(persistent, gibbs_steps, least):
    rbm = RBM(6, 8, generator=stream())
    assert likelihood(rbm, BARS) < -4.1  # 6 log 2 = 4.16: nothing is known
    settings = {"learning_rate": 0.3, "persistent": persistent, "gibbs_steps": gibbs_steps}
    if persistent:
        settings |= {"learning_rate": 0.15, "chains": 400}
    steps(learner(rbm, BARS.repeat(5, 1), schedule=linear_decay(1_500), **settings), 1_500)
    assert least < likelihood(rbm, BARS) <= -1.386  # log 4 is the best that can be


def test_grey_data_are_drawn_anew_at_every_look():
    rbm = RBM(6, 4, generator=stream())
    data = torch.full((100, 6), 51, dtype=torch.uint8)
    learns = learner(rbm, data)
    learns.leave_gradients(torch.arange(100))
    first = learns._seen.visible.clone()
    learns.leave_gradients(torch.arange(100))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, learns._seen.visible)
    assert float(first.mean()) == pytest.approx(0.2, abs=0.06)


def test_persistent_chains_go_on_from_where_they_were_and_others_from_the_data():
    runs = {}
    for persistent in (True, False):
        learns = learner(small_rbm(spread=8.0), BARS.double(), persistent=persistent, learning_rate=0.0)
        with torch.no_grad():
            learns.rbm.visible_bias.zero_(), learns.rbm.hidden_bias.zero_()
            learns.rbm.weight.copy_(torch.eye(4, 6) * 40)  # a unit that is on stays on: hidden copies of the visible
            learns.rbm.hidden_bias.fill_(-20.0)
            learns.rbm.visible_bias[:4] = -20.0
            learns.chains.visible.fill_(1.0)
        learns.leave_gradients(torch.arange(4))
        runs[persistent] = learns.chains.visible[:, :4].clone()
    assert torch.equal(runs[True], torch.ones(4, 4, dtype=torch.float64))
    assert torch.equal(runs[False], BARS[:, :4].double())


def test_persistent_chains_begin_at_data():
    learns = learner(RBM(6, 4, generator=stream()), BARS, persistent=True, chains=9)
    assert torch.equal(learns.chains.visible, BARS.repeat(3, 1)[:9])


def test_weight_decay_pulls_weights_and_spares_biases():
    rbm = small_rbm()
    before = {name: parameter.detach().clone() for name, parameter in rbm.named_parameters()}
    learns = learner(rbm, BARS.double(), weight_decay=0.5, learning_rate=0.1)
    steps(learns, 1)
    moved = {name: (before[name] - parameter.detach()) / 0.1 for name, parameter in rbm.named_parameters()}
    gradients = {name: parameter.grad for name, parameter in rbm.named_parameters()}
    torch.testing.assert_close(moved["weight"], gradients["weight"] + 0.5 * before["weight"])
    torch.testing.assert_close(moved["visible_bias"], gradients["visible_bias"])


def test_momentum_is_the_heavy_balls():
    learns = learner(small_rbm(), BARS.double(), momentum=0.5, learning_rate=0.1)
    places, gradients = [learns.rbm.weight.detach().clone()], []
    for _ in zip(range(2), learns.learn(), strict=False):
        places.append(learns.rbm.weight.detach().clone())
        gradients.append(learns.rbm.weight.grad.clone())
    torch.testing.assert_close(places[0] - places[1], 0.1 * gradients[0])
    torch.testing.assert_close(places[1] - places[2], 0.1 * (0.5 * gradients[0] + gradients[1]))


def test_activity_is_the_mean_hidden_probability_and_the_error_the_share_of_units_that_changed():
    learns = learner(small_rbm(), BARS.double())
    wanted = learns.rbm.hidden_probabilities(BARS.double()).mean().item()
    metrics = learns.leave_gradients(torch.arange(4))
    assert metrics["hidden/activity"].item() == pytest.approx(wanted)
    changed = (learns.chains.visible != BARS).double().mean().item()
    assert 0 < changed < 1
    assert metrics["reconstruction/error"].item() == changed


def test_the_schedule_sets_the_learning_rate_of_every_step():
    learns = learner(small_rbm(), BARS.double(), schedule=linear_decay(4), learning_rate=0.8)
    rates = [learns.optimizer.param_groups[0]["lr"] for _ in steps(learns, 1) + steps(learns, 1)]
    assert rates[-1] == pytest.approx(0.6)


def test_it_is_a_learner_with_detached_metrics():
    learns = learner(RBM(6, 4, generator=stream()), BARS)
    assert isinstance(learns, Learner)
    (metrics,) = steps(learns, 1)
    assert set(metrics) == {"gradient/norm", "hidden/activity", "reconstruction/error"}
    assert all(isinstance(value, Tensor) and not value.requires_grad for value in metrics.values())
    assert torch.equal(metrics["gradient/norm"], learns.rbm.weight.grad.norm())


@pytest.mark.parametrize("persistent", [True, False])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(persistent):
    def fresh(seed=0):
        data = torch.rand(50, 6, generator=stream(7))
        settings = {"batch_size": 8, "momentum": 0.5, "persistent": persistent, "gibbs_steps": 2}
        return learner(RBM(6, 4, generator=stream(seed)), data, schedule=linear_decay(30), **settings)

    straight, resumed = assert_resumes_exactly(fresh, 9, 11, into=fresh(1))
    assert torch.equal(resumed.chains.visible, straight.chains.visible)


def test_the_global_random_stream_is_left_alone():
    before = torch.get_rng_state()
    steps(learner(RBM(6, 4, generator=stream()), BARS, persistent=True), 2)
    assert torch.equal(before, torch.get_rng_state())


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (BARS * 2, "data values=.*in .0, 1. if floats"),
        (-BARS, "data values"),
        (BARS / 0, "data values"),
        (BARS.long(), "data dtype"),
        (BARS.view(2, 2, 6), "data shape"),
        (BARS[:0], "data shape"),
        (BARS[:, :5], "data width=5: must be 6"),
    ],
)
def test_data_that_are_no_probabilities_of_the_units_are_refused(data, named):
    with pytest.raises(InputError, match=named):
        learner(RBM(6, 4, generator=stream()), data)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"gibbs_steps": 0}, "gibbs_steps=0: must be at least 1"),
        ({"batch_size": 5}, "batch_size=5"),
        ({"chains": 3}, "chains=3: must be None unless persistent"),
        ({"persistent": True, "chains": 0}, "chains=0"),
        ({"learning_rate": -1.0}, "lr=-1"),
        ({"momentum": -0.1}, "momentum"),
        ({"weight_decay": -0.1}, "weight_decay"),
    ],
)
def test_impossible_settings_are_refused(settings, named):
    with pytest.raises(InputError, match=named):
        learner(RBM(6, 4, generator=stream()), BARS, **settings)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: RBM(0, 4), "visible=0"),
        (lambda: RBM(4, 0), "hidden=0"),
        (lambda: LabelledRBM(4, 1, 4), "classes=1"),
        (lambda: LabelledRBM(0, 3, 4), "inputs=0"),
        (lambda: RBM(6, 4).free_energy(torch.zeros(1, 5)), r"visible shape=\(1, 5\): must be \(batch, 6\)"),
        (lambda: RBM(6, 4).energy(torch.zeros(1, 6), torch.zeros(1, 6)), "hidden shape"),
        (lambda: RBM(6, 4).begin_at(torch.zeros(6)), "rates"),
        (lambda: RBM(6, 4).begin_at(torch.full((5,), 0.5)), "rates shape"),
        (lambda: LabelledRBM(3, 2, 4).one_hot(torch.tensor([2])), "labels=.2.: must be class numbers from 0 to 1"),
        (lambda: GibbsChains(RBM(6, 4), 2, stream()).start(torch.zeros(3, 6)), "start shape"),
        (lambda: exact_log_partition(RBM(6, 25)), "hidden=25: must be at most 24"),
    ],
)
def test_impossible_machines_and_states_are_refused(build, named):
    with pytest.raises(InputError, match=named):
        build()
