"""Explanations by `explain` beside the package lime's: the same weights, sooner.

Lime's progress bars are off. The small CNN has 4,266 weights, two strided convolutions and a dense layer; LeNet-5
itself takes nearly all of our time, so that little is left to be won. Where weights or fidelity are not what is
promised, the benchmark stops. How it is measured: `pairs.py`; "torch's" in the table is lime's, or one digit after the
other.

    python benchmarks/explain_speed.py                    # about two minutes
    python benchmarks/explain_speed.py --only table --check
"""

import sys
from collections.abc import Callable
from typing import Any

import lime.lime_image
import numpy as np
import torch
from lime.lime_image import LimeImageExplainer
from lime.lime_tabular import LimeTabularExplainer
from numpy.typing import NDArray
from pairs import MakePairs, Pair, main
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn

import explain
import foundations

lime.lime_image.tqdm = lambda rows: rows
NAIVE, BATCHED, BUILDING, TABLE, TOGETHER = 1.7, 1.2, 4.0, 2.5, 1.5
"""How many times as fast, at least."""
LABELS = tuple(range(10))
Predict = Callable[[NDArray[Any]], NDArray[Any]]


def networks(device: torch.device) -> dict[str, nn.Module]:
    """Digit networks at random weights, sharpened so that their probabilities differ."""
    stream = torch.Generator().manual_seed(0)
    small = nn.Sequential(
        *(foundations.Conv2d(1, 4, 3, stride=2, padding=1, generator=stream), foundations.ReLU()),
        *(foundations.Conv2d(4, 8, 3, stride=2, padding=1, generator=stream), foundations.ReLU()),
        *(foundations.layers.Flatten(), foundations.Linear(8 * 49, 10, generator=stream)),
    )
    made: dict[str, nn.Module] = {"small CNN": small, "LeNet-5": foundations.LeNet5(generator=stream)}
    for network in made.values():
        last = [layer for layer in network.modules() if isinstance(layer, foundations.Linear)][-1]
        nn.init.normal_(last.weight, std=0.5, generator=stream)
    return {name: nn.Sequential(each, nn.Softmax(dim=1)).eval().to(device) for name, each in made.items()}


def digits(count: int) -> torch.Tensor:
    """Digits of 28x28 pixels: the embedded 8x8 ones, each pixel thrice as wide and high, in a frame."""
    images = torch.from_numpy(load_digits().images[:count]).float() / 16
    return nn.functional.pad(images.repeat_interleave(3, 1).repeat_interleave(3, 2), (2, 2, 2, 2))[:, None]


def image_pairs(device: torch.device) -> list[Pair]:
    """49 cells, 1,000 samples, ten labels; lime with a naive and with a well-batched predict function."""
    image, cells = digits(1)[0], explain.grid(28, 28, 7)
    pairs = []
    for name, network in networks(device).items():
        box = explain.BlackBox(network)

        def ours(box: explain.BlackBox = box) -> explain.Explanation:
            return explain.explain_image(box, image, layout="CHW", segments=cells, fill=0, labels=LABELS, seed=0)

        for way, size, limit in (("naive", 10, NAIVE), ("batched", 128, BATCHED)):
            predict = predictions(network, device, naive=way == "naive")

            def theirs(predict: Predict = predict, size: int = size) -> Any:
                return lime_image(image[0].numpy(), predict, cells, size)

            require_equal(ours(), theirs())
            title = f"image, {name}, lime with a {way} predict function"
            pairs.append(Pair(title, "image", ours, theirs, limit, least=True))
    return pairs


def predictions(network: nn.Module, device: torch.device, *, naive: bool) -> Predict:
    """What lime calls with grey images in three channels: with gradients in double precision and back, or well made."""

    def slowly(batch: NDArray[Any]) -> NDArray[Any]:
        images = torch.tensor(batch[..., :1].astype(np.float64)).permute(0, 3, 1, 2)
        return np.asarray(network(images.float().to(device)).detach().cpu().numpy())

    def quickly(batch: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(batch[..., 0]))[:, None].to(device)
            return np.asarray(network(images).cpu().numpy())

    return slowly if naive else quickly


def lime_image(image: NDArray[Any], predict: Predict, cells: NDArray[Any], batch_size: int) -> Any:
    """Lime's explanation of all labels at the settings of ours."""
    explainer = LimeImageExplainer(feature_selection="none", random_state=0)
    settings: dict[str, Any] = {"labels": LABELS, "top_labels": None, "hide_color": 0, "num_samples": 1000}
    return explainer.explain_instance(
        image, predict, segmentation_fn=lambda _: cells, batch_size=batch_size, **settings
    )


def require_equal(ours: explain.Explanation, theirs: Any) -> None:
    """Single precision, hence not to 1e-12, as the tests have it in double."""
    for label in LABELS:
        differences = [abs(ours.weights[label][cell] - weight) for cell, weight in theirs.local_exp[label]]
        if max(differences) > 1e-5:
            raise SystemExit(f"label {label}: weights differ from lime's by {max(differences)}")


def building_pairs(device: torch.device) -> list[Pair]:
    """200 perturbations of a colour image of 224x224 pixels in 49 cells, which a constant answers at once.

    Ours checks, fits and explains besides.
    """
    del device
    random = np.random.default_rng(0)
    image = random.random((224, 224, 3)).astype(np.float32)
    segments, samples = explain.grid(224, 224, 7), 200

    def constant(batch: NDArray[Any]) -> NDArray[Any]:
        return np.full((len(batch), 2), 0.5)

    def ours() -> Any:
        box = explain.BlackBox(constant, batch_size=50)
        return explain.explain_image(box, image, layout="HWC", segments=segments, fill=0, samples=samples, seed=0)

    def theirs() -> Any:
        explainer = LimeImageExplainer(random_state=0)
        return explainer.data_labels(image, np.zeros_like(image), segments, constant, samples, batch_size=50)

    return [Pair("building, 224 x 224 RGB, 49 cells", "image", ours, theirs, BUILDING, least=True)]


def table_pairs(device: torch.device) -> list[Pair]:
    """The breast-cancer table (569 rows, 30 columns) and a network; ours continuous, lime with its defaults."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    del device
    rows, classes = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(rows, classes)
    box, explainer = explain.BlackBox(model), LimeTabularExplainer(rows, random_state=0)

    def ours() -> explain.Explanation:
        return explain.explain_row(box, rows[0], rows, labels=[1], seed=0)

    def theirs() -> Any:
        return explainer.explain_instance(rows[0], model.predict_proba)

    found, wanted = ours().r2[1], theirs().score
    if found <= wanted:
        raise SystemExit(f"R2 {found:.3f}, not above lime's {wanted:.3f}")
    title = f"table, 30 columns, R2 {found:.2f} against lime's {wanted:.2f}"
    return [Pair(title, "table", ours, theirs, TABLE, least=True)]


def together_pairs(device: torch.device) -> list[Pair]:
    """100 digits in one call beside one call each, by the small CNN; the network's own time is the same in both."""
    images, cells = digits(100), explain.grid(28, 28, 7)
    box = explain.BlackBox(networks(device)["small CNN"])
    settings: dict[str, Any] = {"layout": "CHW", "segments": cells, "fill": 0, "labels": LABELS, "seed": 0}

    def ours() -> Any:
        return explain.explain_images(box, list(images), **settings)

    def each() -> Any:
        return [explain.explain_image(box, image, **settings) for image in images]

    return [Pair("100 digits in one call, beside one by one", "many", ours, each, TOGETHER, least=True)]


MAKERS: tuple[MakePairs, ...] = (image_pairs, building_pairs, table_pairs, together_pairs)

if __name__ == "__main__":
    sys.exit(main("explain_speed", __doc__, MAKERS, rounds=10, turn=0.05))
