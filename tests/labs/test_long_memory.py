import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.kit.config import check
from labs.long_memory import CELLS, TASKS, Config, Trial, build, loss, main, sequences, trials


class Bench:
    """As much of a run as building and drawing needs."""

    streams = Streams(0)
    device = torch.device("cpu")


@pytest.mark.parametrize("task", TASKS)
def test_the_baseline_is_the_error_of_who_has_forgotten(task):
    _, wanted = sequences(Trial(task, 20, "RNN", 0), 20_000, "test", Bench())
    answers = torch.ones(20_000, 1, 1) if task == "adding" else torch.zeros(20_000, 3, 8)
    assert loss(answers, wanted).item() == pytest.approx(TASKS[task].baseline, rel=0.03)


def test_all_cells_of_a_task_learn_from_the_same_sequences():
    first, *others = (sequences(Trial("copy", 20, cell, 0), 10, "training", Bench())[0] for cell in CELLS)
    assert all(torch.equal(first, other) for other in others)


def test_training_and_test_sequences_differ():
    trial = Trial("adding", 20, "GRU", 0)
    assert not torch.equal(sequences(trial, 10, "training", Bench())[0], sequences(trial, 10, "test", Bench())[0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("task", "shape"), [("adding", (5, 1, 1)), ("copy", (5, 3, 8))])
def test_each_network_answers_what_its_task_asks(task, shape, cell):
    trial = Trial(task, 20, cell, 0)
    x, _ = sequences(trial, 5, "training", Bench())
    assert build(trial, Config(hidden_size=4), Bench())(x.float()).shape == shape


def test_every_task_length_cell_and_seed_has_a_phase_of_its_own():
    phases = [trial.phase for trial in trials(Config(lengths=(50, 20), copy_lengths=(20,), repetitions=2))]
    assert len(phases) == len(set(phases)) == 3 * 3 * 2
    assert all(phase.isidentifier() for phase in phases)
    assert phases[0] == "adding_20_rnn_0"


def test_lengths_given_twice_are_tried_once():
    assert len(list(trials(Config(lengths=(20, 20), copy_lengths=(20,))))) == 6


def test_too_short_sequences_are_refused():
    with pytest.raises(InputError, match=r"^lengths=7|^lengths\.0=7|7: must be greater than or equal to 8"):
        check(Config, {"lengths": (7,)})


def test_no_lengths_are_refused():
    with pytest.raises(InputError, match=r"^copy_lengths=\(\): must be one length at least$"):
        main(Config(copy_lengths=()), None)  # type: ignore[arg-type]
