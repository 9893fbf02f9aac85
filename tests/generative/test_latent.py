import math

import pytest
import torch

from foundations.errors import InputError
from generative.latent import CODE, Latent, interpolate, traverse


def test_latents_without_categories_are_noise(generator):
    latents = Latent(16).draw(1000, generator)
    assert latents.shape == (1000, 16)
    assert latents.mean().item() == pytest.approx(0, abs=0.03)
    assert latents.std().item() == pytest.approx(1, abs=0.03)


def test_each_latent_has_one_category_all_about_as_often(generator):
    codes = Latent(16, 10).draw(2000, generator)[:, 16:]
    assert torch.equal(codes.sum(1), torch.full((2000,), CODE))
    assert torch.equal(codes.unique(), torch.tensor([0.0, CODE]))
    counts = (codes > 0).sum(0)
    assert 140 < counts.min() < counts.max() < 260


def test_the_category_of_a_latent_can_be_chosen(generator):
    latent = Latent(2, 3)
    latents = latent.of_category(torch.zeros(2, 2), torch.tensor([2, 0]))
    assert torch.equal(latents, torch.tensor([[0, 0, 0, 0, CODE], [0, 0, CODE, 0, 0]]))
    assert latents.shape[1] == latent.width


@pytest.mark.parametrize(("size", "categories", "name"), [(0, 0, "latent_size"), (4, 1, "categories"), (4, -2, "cat")])
def test_impossible_spaces_are_refused_by_name(size, categories, name):
    with pytest.raises(InputError, match=f"^{name}"):
        Latent(size, categories)


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("steps", [2, 7])
def test_the_ends_of_a_path_are_the_given_ones_to_the_bit(generator, spherical, steps):
    start, end = torch.randn(2, 16, generator=generator)
    path = interpolate(start, end, steps, spherical=spherical)
    assert path.shape == (steps, 16)
    assert torch.equal(path[0], start)
    assert torch.equal(path[-1], end)


def test_a_straight_path_goes_in_equal_steps():
    path = interpolate(torch.tensor([0.0, 4.0]), torch.tensor([2.0, 0.0]), 5)
    assert torch.equal(path, torch.tensor([[0, 4], [0.5, 3], [1, 2], [1.5, 1], [2, 0]]))


def test_a_spherical_path_goes_in_equal_angles_and_keeps_the_length():
    path = interpolate(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 4, spherical=True)
    angles = torch.tensor([0, math.pi / 6, math.pi / 3, math.pi / 2])
    torch.testing.assert_close(path, 2 * torch.stack([angles.cos(), angles.sin()], dim=1))


def test_a_spherical_path_along_one_ray_is_the_straight_one():
    start = torch.tensor([1.0, 2.0])
    assert torch.equal(interpolate(start, 3 * start, 4, spherical=True), interpolate(start, 3 * start, 4))


def test_a_path_does_not_change_its_ends():
    start, end = torch.zeros(3), torch.ones(3)
    interpolate(start, end, 4).fill_(7)
    assert torch.equal(start, torch.zeros(3))
    assert torch.equal(end, torch.ones(3))


@pytest.mark.parametrize(
    ("start", "end", "steps", "name"),
    [
        (torch.zeros(3), torch.ones(3), 1, "steps"),
        (torch.zeros(1, 3), torch.ones(1, 3), 4, "start shape"),
        (torch.zeros(3), torch.ones(4), 4, "end shape"),
        (torch.ones(3), -torch.ones(3), 4, "end"),
    ],
)
def test_impossible_paths_are_refused_by_name(start, end, steps, name):
    with pytest.raises(InputError, match=f"^{name}"):
        interpolate(start, end, steps, spherical=True)


def test_a_traversal_changes_one_number_alone():
    latents = traverse(torch.tensor([5.0, 6.0, 7.0]), 1, torch.tensor([-1.0, 0.0]))
    assert torch.equal(latents, torch.tensor([[5.0, -1, 7], [5, 0, 7]]))


@pytest.mark.parametrize(("dimension", "values", "name"), [(3, torch.ones(2), "dimension"), (0, torch.ones(0), "val")])
def test_impossible_traversals_are_refused_by_name(dimension, values, name):
    with pytest.raises(InputError, match=f"^{name}"):
        traverse(torch.zeros(3), dimension, values)
