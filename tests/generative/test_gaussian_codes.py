import pytest
import torch

from foundations.errors import InputError
from generative.gaussian_codes import CodeSampler, GaussianCodes


def codes(count=500, dtype=torch.float32):
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return noise @ torch.tensor([[2.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 0.1]], dtype=dtype) + 5


def test_draws_have_the_mean_and_the_covariance_of_the_codes(generator):
    wanted = codes()
    found = GaussianCodes(wanted).draw(100_000, generator)
    torch.testing.assert_close(found.mean(0), wanted.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(found.T.cov(), wanted.T.cov(), rtol=0.02, atol=0.02)


def test_a_number_that_never_changes_is_drawn_as_it_is(generator):
    flat = codes()
    flat[:, 1] = 7
    torch.testing.assert_close(GaussianCodes(flat).draw(50, generator)[:, 1], torch.full((50,), 7.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_are_of_the_codes_type_and_the_same_for_a_stream(dtype):
    one, other = (GaussianCodes(codes(dtype=dtype)).draw(9, torch.Generator().manual_seed(0)) for _ in range(2))
    assert one.dtype == dtype
    assert torch.equal(one, other)


def test_too_few_codes_are_refused():
    with pytest.raises(InputError, match="samples=14: must be at least 15"):
        GaussianCodes(codes(14))


class Halving:
    """A coder that keeps a code of half the pixels' sum, and spreads it again, beyond the range of pixels."""

    def encode(self, images):
        return images.flatten(1).sum(1, keepdim=True) / 2

    def decode(self, codes):
        return codes.view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_sampled_images_are_decoded_draws_from_the_gaussian_of_the_images_codes_clipped():
    images = torch.rand(30, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    streams = [torch.Generator().manual_seed(3) for _ in range(2)]
    found = CodeSampler(Halving(), images).sample(9, streams[0])
    drawn = GaussianCodes(Halving().encode(images)).draw(9, streams[1])
    assert torch.equal(found, Halving().decode(drawn).clamp(0, 1))
    assert found.max() == 1
