import pytest
import torch
from states import assert_resumes_exactly

from foundations.errors import InputError
from foundations.optimizers.variants import VARIANTS
from foundations.surfaces import SURFACES, Race, best_rates

GRID = tuple(10 ** (quarters / 4) for quarters in range(-20, 5))
OPTIMIZERS = {name: VARIANTS[name] for name in ("SGD", "momentum", "Adam")}
RATES = {"SGD": [0.001], "momentum": [0.001], "Adam": [0.1]}


def _race(steps: int = 0) -> Race:
    race = Race(OPTIMIZERS, dict.fromkeys(SURFACES, RATES))
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
    straight, resumed = assert_resumes_exactly(_race, 8, 12)
    for surface in SURFACES:
        for name, path in straight.paths(surface).items():
            assert torch.equal(resumed.paths(surface)[name], path)


def test_a_rate_is_chosen_inside_the_grid_and_keeps_the_path_on_the_map():
    rates = best_rates(OPTIMIZERS, GRID, steps=40)
    race = Race(OPTIMIZERS, rates)
    for _ in zip(range(40), race.learn(), strict=False):
        pass
    for surface, shape in SURFACES.items():
        assert all(GRID[0] < rate[0] < GRID[-1] for rate in rates[surface].values())
        for path in race.paths(surface).values():
            assert (path[0, :, 0] > shape.across[0]).all()
            assert (path[0, :, 1] < shape.up[1]).all()


def test_a_point_does_not_feel_the_others_of_its_optimizer():
    alone, together = (Race({"Adam": VARIANTS["Adam"]}, {"beale": {"Adam": rates}}) for rates in ([0.1], [0.1, 0.5]))
    for race in (alone, together):
        for _ in zip(range(5), race.learn(), strict=False):
            pass
    assert torch.equal(alone.paths("beale")["Adam"][0], together.paths("beale")["Adam"][0])


@pytest.mark.parametrize("rates", [{}, {"beale": {"SGD": [0.1]}}])
def test_a_race_without_rates_for_all_its_optimizers_is_refused(rates):
    with pytest.raises(InputError, match="rates"):
        Race(OPTIMIZERS, rates)
