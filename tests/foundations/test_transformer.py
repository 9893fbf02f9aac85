import pytest
import torch
from torch import Tensor, nn

from foundations.errors import InputError
from foundations.masks import causal_mask, padding_mask
from foundations.networks.recurrent_language_model import RecurrentLanguageModel
from foundations.networks.transformer import LanguageModel, TransformerDecoder, TransformerEncoder

BODIES = ["kernel", "equations"]
PADDING = padding_mask(torch.tensor([5, 3]))
MEMORY = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
SEEN = padding_mask(torch.tensor([2, 4]))
AHEAD = torch.ones(5, 5, dtype=torch.bool).triu(1)


class Called(nn.Module):
    """A module as a function of one input, so that two of them can be compared."""

    def __init__(self, module: nn.Module, call) -> None:
        super().__init__()
        self.module, self.call = module, call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.module, x)


def torchs(kind, stack, norm_first, activation, count=2):
    layer = kind(8, 2, 16, dropout=0.0, activation=activation, norm_first=norm_first, batch_first=True)
    settings = {"enable_nested_tensor": False} if stack is nn.TransformerEncoder else {}
    return stack(layer, count, norm=nn.LayerNorm(8) if norm_first else None, **settings)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_agrees_with_torch(norm_first, activation, body, assert_twins, generator):
    own = TransformerEncoder(2, 8, 2, 16, norm_first=norm_first, activation=activation, body=body, generator=generator)
    twin = torchs(nn.TransformerEncoderLayer, nn.TransformerEncoder, norm_first, activation)
    x = torch.randn(2, 5, 8, generator=generator)
    assert_twins(own, twin, x)
    assert_twins(
        Called(own, lambda own, x: own(x, mask=PADDING)),
        Called(twin, lambda twin, x: twin(x, src_key_padding_mask=~PADDING[:, 0])),
        x,
    )
    assert_twins(Called(own, lambda own, x: own(x, causal=True)), Called(twin, lambda twin, x: twin(x, mask=AHEAD)), x)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_decoder_agrees_with_torch(norm_first, body, assert_twins, generator):
    own = TransformerDecoder(2, 8, 2, 16, norm_first=norm_first, body=body, generator=generator)
    twin = torchs(nn.TransformerDecoderLayer, nn.TransformerDecoder, norm_first, "relu")
    assert_twins(
        Called(own, lambda own, x: own(x, MEMORY.to(x.dtype), PADDING, SEEN)),
        Called(
            twin,
            lambda twin, x: twin(
                x,
                MEMORY.to(x.dtype),
                tgt_mask=AHEAD,
                tgt_key_padding_mask=~PADDING[:, 0],
                memory_key_padding_mask=~SEEN[:, 0],
            ),
        ),
        torch.randn(2, 5, 8, generator=generator),
    )


def test_a_decoder_that_takes_one_token_at_a_time_gives_what_it_gives_for_all(generator):
    decoder = TransformerDecoder(2, 8, 2, 16, generator=generator)
    x, memory = torch.randn(2, 5, 8, generator=generator), MEMORY.float()
    cache = decoder.new_cache(5)
    steps = [decoder(step, memory, memory_mask=SEEN, cache=cache) for step in x.split(1, dim=1)]
    torch.testing.assert_close(torch.cat(steps, dim=1), decoder(x, memory, memory_mask=SEEN))


def test_dropout_changes_a_layer_in_training_alone_and_leaves_the_global_stream(generator):
    masks = torch.Generator().manual_seed(1)
    encoder = TransformerEncoder(1, 8, 2, 16, dropout=0.3, generator=generator, dropout_generator=masks)
    x = torch.randn(2, 5, 8, generator=generator)
    before = torch.get_rng_state()
    assert not torch.equal(encoder(x), encoder(x))
    assert torch.equal(encoder.eval()(x), encoder(x))
    assert torch.equal(torch.get_rng_state(), before)


# --- the language model -----------------------------------------------------------------------------------------------


def model(generator: torch.Generator, **settings) -> LanguageModel:
    """Small, and far enough from its first weights for every part to matter."""
    built = LanguageModel(11, 12, num_layers=2, embed_dim=16, num_heads=2, generator=generator, **settings)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return built


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_logits_depend_on_earlier_tokens_their_order_and_no_later_ones(positions, generator):
    built = model(generator, positions=positions)
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6]])
    logits = built(tokens)
    assert logits.shape == (1, 6, 11)
    later, swapped = tokens.clone(), tokens[:, [1, 0, 2, 3, 4, 5]]
    later[0, 4:] = 9
    torch.testing.assert_close(built(later)[:, :4], logits[:, :4])
    assert not torch.allclose(built(swapped)[:, 3], logits[:, 3], atol=1e-3)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_logits_with_a_cache_are_those_without_to_five_digits(positions, generator):
    built = model(generator, positions=positions).eval()
    tokens = torch.randint(11, (3, 12), generator=generator)
    cache = built.new_cache()
    pieces = [built(piece, cache) for piece in tokens.split([4, 1, 1, 3, 3], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), built(tokens), rtol=0, atol=1e-5)


def test_tied_logits_are_products_with_the_embeddings_and_save_their_weights(generator):
    tied, untied = model(generator), model(generator, tie_weights=False)
    difference = sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in tied.parameters())
    assert difference == 11 * 16
    tied(torch.tensor([[1, 2]]))[0, -1, 7].backward()
    assert tied.embedding.weight.grad[7].any()  # which no input was
    assert not tied.embedding.weight.grad[8].any()


def test_the_first_loss_is_that_of_a_guess_and_the_signal_keeps_its_size(generator):
    built = LanguageModel(65, 32, num_layers=8, embed_dim=64, num_heads=4, generator=generator)
    tokens = torch.randint(65, (4, 32), generator=generator)
    loss = nn.functional.cross_entropy(built(tokens).flatten(0, 1), torch.randint(65, (128,), generator=generator))
    assert loss.item() == pytest.approx(4.174, abs=0.05)


def test_building_and_running_leave_the_global_stream_alone(generator):
    before = torch.get_rng_state()
    settings = {"dropout": 0.1, "dropout_generator": torch.Generator()}
    model(generator, **settings)(torch.tensor([[1, 2]]))
    RecurrentLanguageModel(11, embed_dim=4, hidden_size=8, generator=generator, **settings)(torch.tensor([[1, 2]]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("layer", [0, 1])
def test_the_weights_of_a_layer_are_causal_distributions_that_reproduce_its_output(layer, generator):
    built = model(generator, dropout=0.5, dropout_generator=torch.Generator())
    tokens = torch.randint(11, (2, 6), generator=generator)
    weights = built.attention_weights(tokens, layer)
    assert built.training
    assert weights.shape == (2, 2, 6, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 6))
    assert not weights[..., ~causal_mask(6)].any()
    seen = []
    part = built.eval().encoder.layers[layer].self_attn
    part.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    built(tokens)
    x, wanted = seen[0]
    values = nn.functional.linear(x, part.in_proj_weight, part.in_proj_bias)[..., 32:].unflatten(-1, (2, 8))
    mixed = torch.einsum("bhqk,bkhd->bqhd", weights, values).flatten(2)
    torch.testing.assert_close(part.out_proj(mixed), wanted)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(1, 13, dtype=torch.int64), "tokens=13: must be at most 12 in a sequence"),
        (torch.zeros(1, 0, dtype=torch.int64), r"tokens=\(1, 0\) of torch.int64: must be"),
        (torch.zeros(3, dtype=torch.int64), r"must be whole numbers \(batch, time\)"),
        (torch.zeros(1, 3), r"must be whole numbers \(batch, time\)"),
        (torch.tensor([[3, 11]]), "token=11: must be from 0 to 10"),
        (torch.tensor([[3, -1]]), "token=-1: must be from 0 to 10"),
    ],
)
def test_tokens_that_are_none_too_many_or_unknown_are_refused(tokens, message, generator):
    with pytest.raises(InputError, match=message):
        model(generator)(tokens)


def test_a_full_cache_refuses_one_token_more(generator):
    built = model(generator)
    cache = built.new_cache()
    built(torch.zeros(1, 12, dtype=torch.int64), cache)
    with pytest.raises(InputError, match="tokens=13: must be at most 12"):
        built(torch.zeros(1, 1, dtype=torch.int64), cache)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LanguageModel(0, 4), "vocabulary_size=0"),
        (lambda: LanguageModel(4, 0), "context=0"),
        (lambda: LanguageModel(4, 4, num_layers=0), "num_layers=0"),
        (lambda: LanguageModel(4, 4, embed_dim=10, num_heads=4), "embed_dim=10"),
        (lambda: LanguageModel(4, 4, positions="rotatory"), "did you mean 'rotary'"),
        (lambda: LanguageModel(4, 4).attention_weights(torch.zeros(1, 2).long(), 4), "layer=4: must be from 0 to 3"),
        (lambda: TransformerEncoder(1, 8, 2, 0), "hidden_dim=0"),
        (lambda: TransformerEncoder(1, 8, 2, 4, activation="swish"), "activation='swish'"),
        (lambda: TransformerDecoder(0, 8, 2, 4), "num_layers=0"),
        (lambda: RecurrentLanguageModel(0), "vocabulary_size=0"),
        (lambda: RecurrentLanguageModel(4)(torch.tensor([[4]])), "token=4: must be from 0 to 3"),
    ],
)
def test_impossible_settings_are_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()
