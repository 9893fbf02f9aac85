import pytest
import torch

from foundations.errors import InputError
from generative.latent import CODE, Latent


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
