"""What a unit of a network answers to: inputs made for it by gradient ascent, and real patches that excite it most."""

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.evaluation import predict
from foundations.modes import evaluation_mode


def maximize_activations(
    network: nn.Module,
    units: int,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    steps: int = 200,
    step_size: float = 0.2,
    brightest_start: float = 0.1,
) -> Tensor:
    """For each unit k an input x_k in [0, 1] that it answers to strongly, by gradient ascent from dim noise.

        x_k <- clip(x_k + step_size g / |g|, 0, 1),   g = d network(x_k)_k / d x_k

    Each starts uniform in [0, brightest_start), drawn from `generator`. Steps have the same length for all units,
    however steep their answers are; the bounds take the place of the fixed norm |x| in the paper. What comes out is a
    local maximum at best. Weights and modes of the network stay as they are.
    Shapes: `shape` is that of one input; network(x) has one answer a unit, (batch, units, *) with one place; gives
    (units, *shape). Raises: InputError for another number of answers, steps below 1, and a step size not above 0.
    Source: Erhan et al. 2009, "Visualizing higher-layer features of a deep network", University of Montreal TR 1341.
    """
    require(steps >= 1, "steps", steps, "at least 1")
    require(0 < step_size < float("inf"), "step_size", step_size, "above 0 and finite")
    device = next(network.parameters()).device
    made = (brightest_start * torch.rand(units, *shape, generator=generator)).to(device)
    with evaluation_mode(network):
        for _ in range(steps):
            made.requires_grad_()
            answers = network(made).flatten(1)
            require(answers.shape[1] == units, "units", units, f"{answers.shape[1]}, the answers of the network")
            (slope,) = torch.autograd.grad(answers.diagonal().sum(), made)
            length = slope.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * len(shape))
            made = (made + step_size * slope / length).clamp(0, 1).detach()
    return made


def strongest_patches(
    layers: nn.Module, images: Tensor, *, field: int, stride: int, count: int = 6
) -> tuple[Tensor, Tensor]:
    """For each channel of a convolution its strongest answer, and the patches of `count` images that excite it most.

    Each image gives one patch, the one where the channel answers most. `field` is the receptive field, the side in
    pixels of what one place of the map sees, `stride` the pixels from one place to the next; no padding.
    Shapes: images (n, channels, height, width), layers(images) (n, units, rows, columns) -> (units),
    (units, min(count, n), channels, field, field).
    Raises: InputError where field and stride do not fit the maps.
    Source: Zeiler & Fergus 2013, arXiv:1311.2901 (the top activations of a feature map).
    """
    maps = predict(layers, images)
    fits = all(
        stride * (places - 1) + field <= side for places, side in zip(maps.shape[2:], images.shape[2:], strict=True)
    )
    require(fits, "field", field, f"no larger than the image allows for maps of {tuple(maps.shape[2:])} places")
    strongest, places = maps.flatten(start_dim=2).max(dim=2)  # (n, units): one patch an image
    top = strongest.topk(min(count, len(images)), dim=0)
    patches = []
    for unit, chosen in enumerate(top.indices.T):
        for image in chosen.tolist():
            row, column = (stride * place for place in divmod(int(places[image, unit]), maps.shape[3]))
            patches.append(images[image, :, row : row + field, column : column + field])
    return top.values[0], torch.stack(patches).unflatten(0, (maps.shape[1], -1))
