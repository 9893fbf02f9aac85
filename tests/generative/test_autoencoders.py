"""The networks, what makes them hard to fit, and their training; the linear one against principal components."""

import math
from typing import get_args

import pytest
import torch
from sklearn.decomposition import PCA
from states import assert_resumes_exactly
from torch import nn

from foundations.errors import InputError
from foundations.layers import Dropout, Linear
from foundations.learner import Learner
from foundations.losses import mean_squared_error
from foundations.optimizers import Adam
from foundations.schedules import warmup_cosine
from foundations.streams import Streams
from generative.autoencoders import (
    Autoencoder,
    AutoencoderLearner,
    Model,
    add_noise,
    build_autoencoder,
    kl_sparsity,
    l1_sparsity,
    mask,
    soil,
)
from generative.autoencoders.building import SPARSE_RATE
from generative.codes import PrincipalComponents, embed, hoyer_sparsity, psnr, reconstruct

MODELS = get_args(Model)


def small(images, model="dense", **settings):
    return build_autoencoder(
        model,
        images,
        **{"code_size": 8, "steps": 20, "streams": Streams(0), "batch_size": 16, "channels": 8} | settings,
        **({} if model == "conv" else {"hidden": (128,)}),
    )


def learn(learner, steps):
    updates = learner.learn()
    return [{name: float(value) for name, value in next(updates).items()} for _ in range(steps)]


# --- the networks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 12, 8)])
def test_reconstructions_have_the_images_shape_and_lie_between_0_and_1(model, shape):
    images = torch.randint(256, (20, *shape), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    autoencoder = small(images, model).autoencoder
    assert embed(autoencoder, images).shape == (20, 8)
    made = reconstruct(autoencoder, images)
    assert made.shape == images.shape
    assert made.min() >= 0
    assert made.max() <= 1


def test_the_decoders_layers_are_the_encoders_turned_round_and_the_deep_ones_are_those_of_hinton(digit_images):
    settings = {"code_size": 30, "steps": 1, "streams": Streams(0)}
    autoencoder = build_autoencoder("deep", digit_images, **settings).autoencoder
    sizes = [(each.in_features, each.out_features) for each in autoencoder.modules() if isinstance(each, Linear)]
    there = [(784, 1000), (1000, 500), (500, 250), (250, 30)]
    assert sizes == there + [(out, into) for into, out in reversed(there)]


@pytest.mark.parametrize("model", ["dense", "deep", "conv", "denoising"])
def test_codes_are_normalised_over_the_batch(model, digit_images):
    codes = small(digit_images, model).autoencoder.train().encode(digit_images[:200] / 255)
    torch.testing.assert_close(codes.mean(0), torch.zeros(8), rtol=0, atol=1e-4)
    torch.testing.assert_close(codes.std(0), torch.ones(8), rtol=0, atol=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_denoising_and_sparse_models_look_at_soiled_images_and_the_others_at_clean_ones(model, digit_images):
    learner, seen = small(digit_images, model), []
    learner.autoencoder.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    learner._leave_gradients(digit_images[:16] / 255)
    assert torch.equal(seen[0], digit_images[:16] / 255) == (model not in ("denoising", "sparse"))


def test_the_sparse_models_units_pay_nothing_at_their_own_rate_and_something_at_another(digit_images):
    pay = small(digit_images, "sparse")._sparsity
    assert pay(torch.full((4, 8), SPARSE_RATE)).item() == pytest.approx(0, abs=1e-6)
    assert pay(torch.full((4, 8), SPARSE_RATE + 0.1)) > 1e-4


def test_weights_do_not_decay_of_themselves(digit_images):
    assert [group["weight_decay"] for group in small(digit_images).optimizer.param_groups] == [0.0]


def test_codes_of_the_sparse_model_are_rates(digit_images):
    codes = embed(small(digit_images, "sparse").autoencoder, digit_images)
    assert codes.min() > 0
    assert codes.max() < 1


def test_forward_is_decode_of_encode():
    network = Autoencoder(Linear(4, 2), Linear(2, 4))
    x = torch.randn(3, 4)
    assert torch.equal(network(x), network.decoder(network.encoder(x)))


@pytest.mark.parametrize("model", MODELS)
def test_building_and_training_leave_the_global_random_stream_alone(model, digit_images):
    before = torch.get_rng_state()
    learn(small(digit_images, model), 2)
    assert torch.equal(before, torch.get_rng_state())


# --- what makes it hard -----------------------------------------------------------------------------------------------


def test_masking_drops_the_asked_share_of_pixels_and_leaves_the_others(generator):
    found = mask(torch.full((100, 1, 20, 20), 0.5), generator, share=0.3)
    assert set(found.unique().tolist()) == {0.0, 0.5}
    assert (found == 0).float().mean() == pytest.approx(0.3, abs=0.01)


def test_noise_has_the_asked_spread_and_no_drift(generator):
    noise = add_noise(torch.ones(100, 1, 20, 20), generator, std=0.2) - 1
    assert noise.std() == pytest.approx(0.2, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.005)


def test_l1_sparsity_by_hand_on_two_points():
    assert l1_sparsity(0.5)(torch.tensor([[1.0, -2.0], [0.0, 3.0]])) == pytest.approx(0.5 * (3 + 3) / 2)


def test_kl_sparsity_by_hand_on_two_points():
    # means 0.5 and 0.2, the wanted rate 0.2: only the first unit pays
    wanted = 0.2 * math.log(0.2 / 0.5) + 0.8 * math.log(0.8 / 0.5)
    codes = torch.tensor([[0.4, 0.1], [0.6, 0.3]], dtype=torch.float64)
    assert kl_sparsity(3.0, rate=0.2)(codes).item() == pytest.approx(3 * wanted, abs=1e-12)


def test_kl_sparsity_is_the_divergence_of_two_coins_in_value_and_gradient():
    rates = torch.tensor([[0.1, 0.3, 0.7]], dtype=torch.float64, requires_grad=True)
    found = kl_sparsity(1.0, rate=0.25)(rates)
    coin = torch.distributions.Bernoulli
    wanted = torch.distributions.kl_divergence(coin(torch.tensor(0.25, dtype=torch.float64)), coin(rates)).sum()
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=0)
    slopes = [torch.autograd.grad(each, rates)[0] for each in (found, wanted)]
    torch.testing.assert_close(*slopes, rtol=1e-10, atol=0)


def test_a_unit_at_the_wanted_rate_pays_nothing():
    assert kl_sparsity(1.0, rate=0.25)(torch.full((4, 6), 0.25)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: l1_sparsity(-1), "strength=-1"),
        (lambda: kl_sparsity(math.inf), "strength=inf"),
        (lambda: kl_sparsity(1, rate=1), "rate=1"),
        (lambda: mask(torch.ones(2, 2), torch.Generator(), share=1.0), "share=1.0"),
        (lambda: add_noise(torch.ones(2, 2), torch.Generator(), std=-1), "std=-1"),
    ],
)
def test_impossible_penalties_and_noises_are_refused(wrong, named):
    with pytest.raises(InputError, match=named):
        wrong()


# --- the training -----------------------------------------------------------------------------------------------------


def linear_learner(rows, code_size):
    stream = torch.Generator().manual_seed(0)
    network = Autoencoder(
        Linear(rows.shape[1], code_size, generator=stream), Linear(code_size, rows.shape[1], generator=stream)
    )
    optimizer = Adam(network.parameters(), lr=0.02, fused=True)
    return AutoencoderLearner(network, optimizer, rows, batch_size=len(rows), streams=Streams(0))


def test_a_linear_autoencoder_spans_the_subspace_of_the_principal_components(generator):
    spreads = torch.tensor([3.0, 2.5, 2.0, 0.5, 0.4, 0.3, 0.2, 0.1])
    turn = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    rows = (torch.randn(300, 8, generator=generator) * spreads) @ turn + 1
    learner = linear_learner(rows, 3)
    learn(learner, 1_200)
    spanned = torch.linalg.qr(learner.autoencoder.decoder.weight.detach())[0]  # (8, 3), orthonormal columns
    wanted = torch.from_numpy(PCA(3).fit(rows.numpy()).components_)  # (3, 8)
    cosines = torch.linalg.svdvals(wanted @ spanned)  # of the principal angles
    assert cosines.min() > math.cos(math.radians(1))
    best = mean_squared_error(reconstruct(PrincipalComponents(rows, 3), rows), rows)
    assert mean_squared_error(reconstruct(learner.autoencoder, rows), rows) == pytest.approx(best.item(), rel=1e-2)


def test_a_step_descends_the_error_against_the_clean_images_of_what_was_corrupted(digit_images):
    learner = small(digit_images, corrupt=lambda images, generator: 1 - images)
    images = digit_images[:16] / 255
    learner.autoencoder.train()
    metrics = learner._leave_gradients(images)
    wanted = mean_squared_error(learner.autoencoder(1 - images), images)
    assert metrics["loss/training"] == pytest.approx(wanted.item(), rel=1e-5)


def test_the_gradient_is_that_of_the_error_and_the_penalty(digit_images):
    learner = small(digit_images, sparsity=l1_sparsity(0.1))
    network, images = learner.autoencoder.train(), digit_images[:16] / 255
    learner._leave_gradients(images)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    found = [parameter.grad.clone() for parameter in trained]
    codes = network.encode(images)
    loss = (network.decode(codes) - images).square().mean() + 0.1 * codes.abs().sum(dim=1).mean()
    for one, other in zip(found, torch.autograd.grad(loss, trained), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_sparsity_is_asked_of_the_codes_before_noise_is_added(digit_images):
    learner = small(digit_images, sparsity=l1_sparsity(0.1), code_noise=9.0)
    images = digit_images[:16] / 255
    wanted = 0.1 * learner.autoencoder.train().encode(images).abs().sum(dim=1).mean()
    assert learner._leave_gradients(images)["loss/sparsity"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_learning_rate_warms_up_and_falls_along_a_cosine(digit_images):
    learner = small(digit_images, steps=20, learning_rate=1e-2)
    rates = [learner.optimizer.param_groups[0]["lr"] for _ in zip(range(20), learner.learn(), strict=False)]
    assert rates == pytest.approx([1e-2 * warmup_cosine(2, 20)(step) for step in range(20)])


def test_it_is_a_learner(digit_images):
    assert isinstance(small(digit_images), Learner)


@pytest.mark.parametrize(
    ("model", "components"),
    [("dense", 8), ("deep", 8), ("denoising", 4), pytest.param("conv", 2, marks=pytest.mark.slow)],
)
def test_it_learns_to_reconstruct_unseen_images_better_than_principal_components(model, components, digit_images):
    train, test = digit_images[:1500], digit_images[1500:]
    steps = 200
    learner = small(train, model, steps=steps, batch_size=64, learning_rate=1e-2)
    learn(learner, steps)
    yardstick = psnr(test, reconstruct(PrincipalComponents(train, components), test))
    assert psnr(test, reconstruct(learner.autoencoder, test)) > yardstick


def trained(model, images, steps=80, **settings):
    """The network after a short training."""
    learner = small(images, model, steps=steps, batch_size=64, learning_rate=1e-2, **settings)
    learn(learner, steps)
    return learner.autoencoder


def test_kl_sparsity_brings_the_units_to_the_wanted_rate(digit_images):
    network = trained("sparse", digit_images, steps=150, sparsity=kl_sparsity(0.1, rate=0.2))
    assert embed(network, digit_images).mean() == pytest.approx(0.2, abs=0.04)


@pytest.fixture(scope="module")
def hoyer_of_dense(digit_images):
    return hoyer_sparsity(embed(trained("dense", digit_images, code_size=16), digit_images)).mean()


@pytest.mark.parametrize(
    ("model", "penalty"),
    [("sparse", None), ("sparse", l1_sparsity(3e-3)), ("dense", l1_sparsity(1e-2))],
    ids=["KL", "L1 of rates", "L1 of normalised codes"],
)
def test_a_sparse_code_is_much_sparser_than_a_dense_one(model, penalty, hoyer_of_dense, digit_images):
    codes = embed(trained(model, digit_images, code_size=16, sparsity=penalty), digit_images)
    assert hoyer_sparsity(codes).mean() > 1.6 * hoyer_of_dense


def test_which_units_of_a_sparse_code_are_on_depends_on_the_image(digit_images):
    codes = embed(trained("sparse", digit_images, steps=150, code_size=16), digit_images)
    on = codes > codes.amax(dim=0) / 4
    assert on.float().mean() < 0.4
    assert on.any(dim=1).float().mean() > 0.9
    assert on.float().mean(dim=0).max() < 0.8


@pytest.mark.parametrize(
    ("model", "asked", "wanted"),
    [("dense", 0.5, 0.5), ("dense", 5.0, 5.0), ("sparse", None, 0.03), ("sparse", 0.5, 0.5), ("dense", None, 0.0)],
)
def test_code_noise_of_the_asked_spread_reaches_the_decoder(model, asked, wanted, digit_images):
    learner, seen = small(digit_images, model, code_noise=asked, code_size=50), []
    learner.autoencoder.encoder.register_forward_hook(lambda module, given, codes: seen.append(codes))
    learner.autoencoder.decoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    learner._leave_gradients(digit_images[:200] / 255)
    codes, shaken = seen
    assert (shaken - codes).std().item() == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("model", ["dense", "conv"])
def test_the_code_cannot_grow_to_drown_the_noise(model, digit_images):
    images = digit_images[:300]
    network = trained(model, images, steps=30 if model == "dense" else 10, code_noise=2.0)
    spread = network.train().encode(images / 255).std(dim=0)
    torch.testing.assert_close(spread, torch.ones(8), rtol=0, atol=0.01)


def test_validation_is_the_error_of_clean_images_when_it_is_due(digit_images):
    learner = small(digit_images[:500], "denoising", validation=digit_images[500:600], validate_every=3)
    found = learn(learner, 3)
    assert ["validation/loss" in metrics for metrics in found] == [False, False, True]
    images = digit_images[500:600] / 255
    wanted = mean_squared_error(reconstruct(learner.autoencoder, images), images)
    assert found[-1]["validation/loss"] == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_resuming_is_exact(model, digit_images):
    def fresh():
        return small(digit_images, model, code_noise=0.1, validation=digit_images[:50], validate_every=2)

    assert_resumes_exactly(fresh, 3, 4)


def test_resuming_goes_on_with_the_masks_of_dropout(digit_images):
    rows = (digit_images[:100] / 255).flatten(1)

    def fresh():
        stream = torch.Generator().manual_seed(1)
        encoder = nn.Sequential(Linear(784, 4, generator=stream), Dropout(0.5, generator=stream))
        network = Autoencoder(encoder, Linear(4, 784, generator=stream))
        return AutoencoderLearner(network, Adam(network.parameters()), rows, batch_size=10, streams=Streams(0))

    assert_resumes_exactly(fresh, 2, 3)


def test_half_of_the_soiled_images_are_noisy(generator):
    nothing = torch.zeros(1000, 1, 8, 8)  # moved it stays nothing
    assert soil(nothing, generator).flatten(1).any(dim=1).float().mean() == pytest.approx(0.5, abs=0.05)


def test_soiled_images_keep_their_shape_and_range(digit_images, generator):
    soiled = soil(digit_images[:50] / 255, generator)
    assert soiled.shape == (50, 1, 28, 28)
    assert soiled.min() >= 0
    assert soiled.max() <= 1


# --- bad input --------------------------------------------------------------------------------------------------------


def train_on(images, encoder=None, decoder=None, **settings):
    network = Autoencoder(encoder or Linear(4, 2), decoder or Linear(2, 4))
    optimizer = Adam(network.parameters())
    return AutoencoderLearner(network, optimizer, images, **{"batch_size": 2, "streams": Streams(0)} | settings)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: train_on(torch.full((9, 4), math.nan)), "images='NaN or infinity': must be finite"),
        (lambda: train_on(torch.ones(9, 4, dtype=torch.int64)), "images dtype"),
        (lambda: train_on(torch.ones(9, 4), decoder=Linear(2, 5)), r"reconstruction shape=\(2, 5\): must be \(2, 4\)"),
        (lambda: train_on(torch.ones(9, 4), batch_size=10), "batch_size=10"),
        (lambda: train_on(torch.ones(9, 4), validation=torch.ones(9, 5)), "validation shape"),
        (lambda: train_on(torch.full((9, 4), 100.0), sparsity=kl_sparsity(1.0)), "Sigmoid"),
        (lambda: train_on(torch.ones(9, 4), code_noise=-1), "code_noise=-1"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_is(wrong, named):
    with pytest.raises(InputError, match=named):
        wrong()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": "dens"}, "did you mean 'dense'"),
        ({"code_size": 0}, "code_size=0"),
        ({"model": "conv", "channels": 0}, "channels=0"),
    ],
)
def test_impossible_settings_are_refused(settings, named, digit_images):
    with pytest.raises(InputError, match=named):
        small(digit_images, **settings)


def test_a_convolution_wants_sides_that_four_divides():
    with pytest.raises(InputError, match=r"that 4 divides"):
        small(torch.zeros(20, 1, 30, 28, dtype=torch.uint8), "conv")
    with pytest.raises(InputError, match="images shape"):
        small(torch.zeros(20, 784, dtype=torch.uint8))


def test_corruptions_of_ones_own_are_taken(digit_images):
    given = []

    def darken(images, generator):
        given.append(images)
        return 0 * images

    learn(small(digit_images, "denoising", corrupt=darken), 2)
    assert len(given) == 2
