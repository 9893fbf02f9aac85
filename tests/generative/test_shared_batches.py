"""Two processes that share each batch train a GAN, batch norm included, and a VAE as one process does."""

import pytest
import torch
from group import together

from foundations.errors import InputError
from foundations.streams import Streams
from generative.gan.learner import build_gan
from generative.vae import build_vae

GANS = {
    "dcgan": {},
    "conditional": {},
    "wasserstein": {"loss": "wasserstein", "penalty": "r1", "norm": "spectral", "critic_steps": 2},
    "dense": {},
}
VAES = {
    "elbo": {},
    "free bits": {"free_bits": 0.05, "beta": 0.5, "warmup": 4},
    "several latents": {"samples": 3},
    "importance weighted": {"objective": "importance_weighted", "samples": 3},
    "conditional": {"labels": True, "binarization": "static"},
}


def images():
    stream = torch.Generator().manual_seed(0)
    return torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8, generator=stream), torch.arange(40) % 10


def gan(name):
    model = name if name in ("dcgan", "conditional", "dense") else "dcgan"
    return build_gan(
        model, *images(), steps=20, batch_size=8, streams=Streams(0), latent_size=5, channels=2, **GANS[name]
    )


def vae(name):
    settings = dict(VAES[name])
    pixels, labels = images()
    labels = labels if settings.pop("labels", False) else None
    given = {"steps": 20, "batch_size": 8, "streams": Streams(0), "hidden": (6,), "latent_size": 3} | settings
    learner = build_vae(pixels[..., ::4, ::4], labels, **given)
    look = learner._look
    learner._look = lambda chosen: look(chosen).double()  # coins are floats
    return learner


def trained(build, steps, names):
    """For each name the metrics of each step, the gradients of the first, and the state behind the last."""
    torch.set_default_dtype(torch.float64)
    try:
        return {name: _trained(build(name), steps) for name in names}
    finally:
        torch.set_default_dtype(torch.float32)


def _trained(learner, steps):
    updates = learner.learn()
    networks = [learner.vae] if hasattr(learner, "vae") else [learner.generator, learner.discriminator]
    metrics = [next(updates)]
    gradients = [each.grad.clone() for network in networks for each in network.parameters()]
    metrics += [next(updates) for _ in range(steps - 1)]
    figures = [{key: float(value) for key, value in each.items()} for each in metrics]
    return figures, gradients, learner.state_dict()


@pytest.fixture(scope="module")
def gans():
    return trained(gan, 6, list(GANS)), together(trained, 2, gan, 6, list(GANS))


@pytest.fixture(scope="module")
def vaes():
    return trained(vae, 6, list(VAES)), together(trained, 2, vae, 6, list(VAES))


def assert_close(found, wanted, tolerance=1e-10):
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", GANS)
def test_both_players_get_the_gradients_of_one_process(gans, name):
    alone, processes = gans
    for found in processes:
        assert_close(found[name][0][0], alone[name][0][0])
        assert_close(found[name][1], alone[name][1])


# The dense generator has biases in front of batch norm: their gradients are 0 but for rounding, which Adam enlarges.
@pytest.mark.parametrize("name", [name for name in GANS if name != "dense"])
def test_a_gan_of_two_processes_becomes_that_of_one(gans, name):
    alone, processes = gans
    for found in processes:
        assert_close(found[name][0], alone[name][0])
        for part in ("generator", "discriminator", "average", "noise", "batches"):
            assert_close(found[name][2][part], alone[name][2][part])


def test_all_processes_hold_the_same_gan_to_the_bit(gans):
    first, second = gans[1]
    for name in GANS:
        assert_close(first[name][2], second[name][2], tolerance=0)


@pytest.mark.parametrize("name", VAES)
def test_a_vae_of_two_processes_becomes_that_of_one(vaes, name):
    alone, processes = vaes
    for found in processes:
        assert_close(found[name][0], alone[name][0])
        assert_close(found[name][1], alone[name][1])
        for part in ("vae", "noise", "binarization", "batches"):
            assert_close(found[name][2][part], alone[name][2][part])


def refusals():
    """What learners say of a batch of 9 for two processes."""
    said = []
    for build in (build_gan, build_vae):
        model = ("dcgan",) if build is build_gan else ()
        try:
            build(*model, images()[0], steps=2, batch_size=9, streams=Streams(0))
        except InputError as error:
            said.append(str(error))
    return said


def test_a_batch_that_two_processes_cannot_share_is_refused():
    wanted = "batch_size=9: must be a multiple of 2, the processes that share each batch"
    assert together(refusals, 2) == [[wanted, wanted]] * 2
