"""Recurrent layers on top of each other: residual connections, dropout between them."""

import torch
from torch import Tensor

from foundations.recurrent import GRU, LSTM, RNN
from foundations.streams import generators_of

FEATURES, HIDDEN, BATCH, TIME = 3, 4, 5, 7


def _sequences(generator: torch.Generator) -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=generator)


def test_residual_layers_add_their_input_from_the_second_layer_on(generator):
    plain = GRU(FEATURES, HIDDEN, 3, generator=generator)
    x = _sequences(generator)
    residual = GRU(FEATURES, HIDDEN, 3, residual=True)
    residual.load_state_dict(plain.state_dict())
    wanted = x
    for layer in range(3):
        single = GRU(wanted.shape[2], HIDDEN)
        single.load_state_dict(dict(zip(single.state_dict(), plain.weights(layer), strict=True)))
        shown, _ = single(wanted)
        wanted = wanted + shown if layer else shown
    torch.testing.assert_close(residual(x)[0], wanted)


def test_the_gradient_reaches_the_first_of_fifty_layers_through_residual_connections(generator):
    norms = []
    for residual in (False, True):
        network = RNN(FEATURES, HIDDEN, 50, residual=residual, generator=generator).double()
        network(_sequences(generator).double())[0].sum().backward()
        norms.append(network.weight_ih_l0.grad.norm().item())
    plain, residual = norms
    assert plain < 1e-8
    assert residual > 1


def test_dropout_acts_between_layers_and_nowhere_else(generator):
    stream = torch.Generator().manual_seed(1)
    dropping = LSTM(FEATURES, HIDDEN, 2, dropout=0.5, generator=generator, dropout_generator=stream)
    x = _sequences(generator)
    single = LSTM(FEATURES, HIDDEN)
    second = LSTM(HIDDEN, HIDDEN)
    single.load_state_dict(dict(zip(single.state_dict(), dropping.weights(0), strict=True)))
    second.load_state_dict(dict(zip(second.state_dict(), dropping.weights(1), strict=True)))
    kept = torch.rand(TIME, BATCH, HIDDEN, generator=torch.Generator().manual_seed(1)).transpose(0, 1) < 0.5
    torch.testing.assert_close(dropping(x)[0], second(single(x)[0] * kept * 2)[0])


def test_dropout_rests_in_evaluation(generator):
    dropping = GRU(FEATURES, HIDDEN, 2, dropout=0.5, generator=generator).eval()
    plain = GRU(FEATURES, HIDDEN, 2)
    plain.load_state_dict(dropping.state_dict())
    x = _sequences(generator)
    assert torch.equal(dropping(x)[0], plain(x)[0])


def test_the_stream_of_the_masks_is_found_for_checkpoints():
    stream = torch.Generator()
    assert generators_of(LSTM(FEATURES, HIDDEN, 2, dropout=0.5, dropout_generator=stream)) == [stream]
