import pytest
import torch
from torch import nn

from foundations.embedding import Embedding
from foundations.errors import InputError

TOKENS = torch.tensor([[3, 0, 3], [1, 6, 2]])


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_it_is_torchs_in_value_and_gradient(body, dtype, tolerance, generator):
    own, reference = Embedding(7, 5, generator=generator, body=body).to(dtype), nn.Embedding(7, 5, dtype=dtype)
    reference.load_state_dict(own.state_dict())
    slopes = torch.randn(2, 3, 5, generator=generator).to(dtype)
    values = []
    for module in (own, reference):
        values.append(module(TOKENS))
        (values[-1] * slopes).sum().backward()
    torch.testing.assert_close(values[0], values[1], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(own.weight.grad, reference.weight.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (torch.tensor([7]), "token=7"),
        (torch.tensor([-1]), "token=-1"),
        (torch.tensor([1.0]), "tokens dtype=torch.float32"),
    ],
)
def test_unknown_tokens_are_refused(tokens, text):
    with pytest.raises(InputError, match=text):
        Embedding(7, 5)(tokens)


@pytest.mark.parametrize(("sizes", "name"), [((0, 5), "vocabulary_size"), ((7, 0), "features")])
def test_impossible_sizes_are_refused_by_name(sizes, name):
    with pytest.raises(InputError, match=f"^{name}="):
        Embedding(*sizes)
