import pytest
import torch

from foundations.errors import InputError
from labs.optimizers import GRID, SURFACES, Film, Race, tuned_rates
from labs.optimizers_on_digits import Config, Digits, kinds


def _race(steps: int = 0) -> Race:
    rates = {"SGD": [0.001], "momentum": [0.001], "Adam": [0.1]}
    race = Race(dict.fromkeys(SURFACES, rates))
    for _ in zip(range(steps), race.learn(), strict=False):
        pass
    return race


@pytest.mark.parametrize("surface", SURFACES)
def test_a_surface_is_zero_and_flat_at_its_minimum_and_above_it_elsewhere(surface):
    shape = SURFACES[surface]
    best = torch.tensor(shape.best, dtype=torch.float64, requires_grad=True)
    value = shape.value(best[0], best[1])
    value.backward()
    assert value.item() == pytest.approx(0)
    assert best.grad.abs().max() == pytest.approx(0)
    around = torch.cartesian_prod(torch.linspace(*shape.across, 40), torch.linspace(*shape.up, 40))
    assert (shape.value(*around.unbind(1)) > 0).all()


def test_the_race_goes_downhill_and_remembers_every_place():
    race = _race(steps=30)
    for surface, shape in SURFACES.items():
        for path in race.paths(surface).values():
            assert path.shape == (1, 31, 2)
            assert shape.value(*path[0, -1]) < shape.value(*torch.tensor(shape.start))


def test_resuming_the_race_is_exact():
    straight, first, resumed = _race(steps=20), _race(steps=8), _race()
    resumed.load_state_dict(first.state_dict())
    for _ in zip(range(12), resumed.learn(), strict=False):
        pass
    for surface in SURFACES:
        for name, path in straight.paths(surface).items():
            assert torch.equal(resumed.paths(surface)[name], path)


def test_a_rate_is_chosen_inside_the_grid_and_keeps_the_path_on_the_map():
    rates = tuned_rates(steps=40)
    race = Race(rates)
    for _ in zip(range(40), race.learn(), strict=False):
        pass
    for surface, shape in SURFACES.items():
        assert all(GRID[0] < rate[0] < GRID[-1] for rate in rates[surface].values())
        for path in race.paths(surface).values():
            assert (path[0, :, 0] > shape.across[0]).all()
            assert (path[0, :, 1] < shape.up[1]).all()


def test_frames_of_the_film_are_pictures_that_differ():
    race = _race()
    film = Film(race)
    first = film.frame(0)
    for _ in zip(range(5), race.learn(), strict=False):
        pass
    second = film.frame(5)
    film.close()
    assert first.shape == second.shape
    assert first.shape[:2] == (1, 3)
    assert 0 <= first.min() < first.max() <= 1
    assert not torch.equal(first, second)


class _Run:
    """As much of a run as the digits ask for."""

    def __init__(self) -> None:
        from foundations.streams import Streams

        self.streams, self.device = Streams(0), torch.device("cpu")

    def load_images(self, spec):
        from labs.kit.data import load_images

        return load_images(spec)


def test_all_optimizers_start_from_the_same_weights_and_see_the_same_batches():
    digits = Digits(Config(data="digits", hidden=8), _Run())
    learners = [digits.learner(name, 0.01, digits.run.streams) for name in kinds()]
    for learner in learners[1:]:
        for left, right in zip(learner.network.parameters(), learners[0].network.parameters(), strict=True):
            assert torch.equal(left, right)
    assert len({next(learner.learn())["loss/training"].item() for learner in learners}) == 1


def test_the_rate_for_the_digits_is_one_that_learns():
    digits = Digits(Config(data="digits", hidden=16, tuning_steps=20, batch_size=32), _Run())
    assert 1e-3 <= digits.tune("Adam") <= 1e-1


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match=r"^batch_size=5000"):
        Digits(Config(data="digits", batch_size=5_000), _Run())
