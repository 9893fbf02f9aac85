import hashlib
from importlib.resources import files

import pytest
import torch

from foundations.augmentation import random_noise
from foundations.errors import InputError
from foundations.evaluation import accuracy, predict
from generative.judge import Judge, judge_version, load_judge


@pytest.fixture(scope="module")
def judge():
    return load_judge()


def test_the_judge_reads_real_digits_that_it_never_saw(judge, digits):
    images, labels = digits
    assert accuracy(predict(judge, images / 255), labels) > 0.9


def test_the_judge_reads_through_noise_that_a_person_reads_through(judge, digits):
    images, labels = digits
    noisy = random_noise(images / 255, torch.Generator().manual_seed(0), largest=0.15, share=1.0)
    assert accuracy(predict(judge, noisy), labels) > 0.85


def test_logits_are_a_linear_map_of_the_features(judge, digits):
    images = digits[0][:32] / 255
    features = judge.features(images)
    assert features.shape == (32, 64)
    assert features.min() >= 0
    torch.testing.assert_close(judge(images), judge.head(features))


def test_an_images_logits_do_not_depend_on_its_neighbours(judge, digits):
    images = digits[0][:64] / 255
    torch.testing.assert_close(judge(images)[:1], judge(images[:1]), rtol=1e-4, atol=1e-4)


def test_the_loaded_judge_is_frozen_and_in_evaluation_mode(judge):
    assert not judge.training
    assert not any(parameter.requires_grad for parameter in judge.parameters())


def test_its_weights_travel_in_less_than_one_and_a_half_megabytes():
    assert len((files("generative") / "weights" / "judge.safetensors").read_bytes()) < 1.5e6


def test_its_version_is_the_beginning_of_its_weights_hash():
    content = (files("generative") / "weights" / "judge.safetensors").read_bytes()
    assert judge_version() == hashlib.sha256(content).hexdigest()[:12]


def test_two_judges_from_one_stream_are_equal():
    one, other = (Judge(generator=torch.Generator().manual_seed(3)).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_loading_leaves_the_global_random_stream_alone():
    before = torch.get_rng_state()
    load_judge()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(4, 3, 28, 28), (4, 1, 32, 32), (4, 784)])
def test_images_of_another_shape_are_refused(judge, shape):
    with pytest.raises(InputError, match=r"images shape=.*must be \(batch, 1, 28, 28\)"):
        judge(torch.zeros(shape))


def test_bytes_are_refused_since_their_range_is_another(judge):
    with pytest.raises(InputError, match="images dtype"):
        judge(torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
