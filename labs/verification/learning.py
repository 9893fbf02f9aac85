"""Data preparation and single neurons against scikit-learn and SciPy; early stopping and gradients worked by hand."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.stats
import torch
from sklearn import impute, linear_model, neural_network, preprocessing
from torch import nn

import foundations
from foundations import augmentation
from foundations.batches import Batches
from foundations.preprocessing import (
    FourierFeatures,
    InterquartileOutliers,
    ZScoreOutliers,
    category_steps,
    numeric_steps,
)
from labs.verification.twin import Difference, Twin, generator, largest, normal, values

FITTED = 1e-5
"""How near two minimisers of the same loss end to each other."""
SAMPLED_KERNEL = 0.05
"""How near 20,000 random waves come to the kernel that they stand for."""


def preparation_twins() -> list[Twin]:
    """Scaling, imputation, encoding, outliers, splits into batches, augmentation."""

    def twin(name: str, reference: str, own: Callable[[], Any], formula: Callable[[], Any]) -> Twin:
        return Twin(name, "data preparation", reference, values(own, formula))

    rows, holes = _rows(), _rows(missing=True)
    fillers = {"mean": impute.SimpleImputer(), "median": impute.SimpleImputer(strategy="median")}
    fillers["neighbours"] = impute.KNNImputer()
    scaled = preprocessing.StandardScaler().fit_transform(holes)
    ranges = {"unit": (0, 1), "symmetric": (-1, 1)}
    return [
        *(
            twin(f"numeric_steps, {name}", "sklearn MinMaxScaler", _scaled(name), _fitted(scaler, rows))
            for name, scaler in ((name, preprocessing.MinMaxScaler(ends)) for name, ends in ranges.items())
        ),
        twin("numeric_steps, standard", "scipy.stats.zscore", _scaled("standard"), lambda: scipy.stats.zscore(rows)),
        *(
            twin(f"numeric_steps, {name}", f"sklearn {type(filler).__name__}", _filled(name), _fitted(filler, scaled))
            for name, filler in fillers.items()
        ),
        twin("category_steps, one_hot", "numpy.unique", lambda: _encoded("one_hot"), lambda: np.eye(3)[_codes()]),
        twin("category_steps, ordinal", "numpy.unique", lambda: _encoded("ordinal")[:, 0], _codes),
        twin("ZScoreOutliers", "scipy.stats.zscore", partial(_flags, ZScoreOutliers(2.0, "flag")), _far),
        twin("InterquartileOutliers", "scipy.stats.iqr", partial(_flags, InterquartileOutliers(1.5, "flag")), _outside),
        Twin("FourierFeatures", "data preparation", "the Gaussian kernel", _kernel, SAMPLED_KERNEL),
        twin("Batches", "every index once an epoch", _epoch, lambda: torch.arange(12)),
        twin("affine, a quarter turn", "torch.rot90", _turned, lambda: torch.rot90(normal(2, 1, 6, 6), 1, (2, 3))),
    ]


def neuron_twins() -> list[Twin]:
    """The perceptron, logistic regression, and an MLP's probabilities."""
    return [
        Twin("Perceptron", "classifiers", "sklearn.linear_model.Perceptron", _perceptron),
        Twin(
            "Linear, logistic regression", "classifiers", "sklearn.linear_model.LogisticRegression", _logistic, FITTED
        ),
        Twin("MLP, probabilities", "classifiers", "sklearn.neural_network.MLPClassifier", _mlp),
    ]


def training_twins() -> list[Twin]:
    """What is watched while a network learns."""
    return [
        Twin("EarlyStopping, best step", "training", "a scripted curve", values(lambda: _stopped()[0], lambda: 2)),
        Twin("EarlyStopping, last step", "training", "a scripted curve", values(lambda: _stopped()[1], lambda: 5)),
        Twin("GradientHealth", "training", "linear nets: depth factors of w", _linear_health, 1e-6),
        Twin("accuracy", "training", "sklearn.metrics.accuracy_score", _accuracy),
        Twin("root_mean_squared_error", "training", "sklearn.metrics.root_mean_squared_error", _rmse),
    ]


# --- data preparation -------------------------------------------------------------------------------------------------


def _rows(*, missing: bool = False) -> Any:
    rows = np.random.default_rng(0).normal(3, 2, (40, 3))
    rows[5, 0] = 40.0
    if missing:
        rows[[1, 7, 7, 20], [0, 1, 2, 1]] = np.nan
    return rows


def _words() -> Any:
    return np.array(["inland", "bay", "island", "bay", "inland"], dtype=object)


def _codes() -> Any:
    return np.unique(_words(), return_inverse=True)[1]


def _scaled(scaling: Any) -> Callable[[], Any]:
    return lambda: numeric_steps(scaling=scaling).fit_transform(_rows())


def _filled(imputation: Any) -> Callable[[], Any]:
    return lambda: numeric_steps(imputation=imputation).fit_transform(_rows(missing=True))


def _fitted(transformer: Any, rows: Any) -> Callable[[], Any]:
    return lambda: transformer.fit_transform(rows)


def _encoded(encoding: Any) -> Any:
    return category_steps(encoding).fit_transform(_words()[:, None])


def _flags(rule: Any) -> Any:
    return rule.fit_transform(_rows())[:, 3:]


def _far() -> Any:
    return np.abs(scipy.stats.zscore(_rows())) > 2


def _outside() -> Any:
    rows = _rows()
    reach = 1.5 * scipy.stats.iqr(rows, axis=0)
    first, third = np.percentile(rows, [25, 75], axis=0)
    return (rows < first - reach) | (rows > third + reach)


def _kernel() -> Difference:
    """z(x) . z(y) / waves against exp(-2 pi^2 scale^2 |x - y|^2)."""
    points = np.random.default_rng(1).normal(0, 0.3, (6, 2))
    z = FourierFeatures(waves=20_000, scale=0.5).fit_transform(points)
    squared = np.square(points[:, None] - points[None]).sum(-1)
    return Difference(largest(z @ z.T / 20_000, np.exp(-2 * np.pi**2 * 0.25 * squared)))


def _epoch() -> Any:
    batches = Batches(12, 3, generator())
    return torch.cat([batches.next() for _ in range(batches.per_epoch)]).sort().values


def _turned() -> Any:
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    return augmentation.affine(normal(2, 1, 6, 6), quarter.expand(2, 2, 3))


# --- classifiers ------------------------------------------------------------------------------------------------------


def _two_classes() -> tuple[Any, Any]:
    """Two clouds that a line parts; the first sample is of class 1, where both rules begin alike."""
    x = normal(60, 2)
    y = (x @ torch.tensor([1.0, -2.0], dtype=torch.float64) > 0).long()
    x = x + torch.where(y == 1, 0.2, -0.2)[:, None] * torch.tensor([1.0, -2.0], dtype=torch.float64)
    order = torch.argsort(y, descending=True, stable=True)
    mixed = torch.stack([order[: len(order) // 2], order.flip(0)[: len(order) // 2]], 1).flatten()
    return x[mixed], y[mixed]


def _perceptron() -> Difference:
    x, y = _two_classes()
    own = foundations.Perceptron(x, y)
    for _ in own.learn():
        pass
    reference = linear_model.Perceptron(shuffle=False, tol=None, max_iter=50).fit(x.numpy(), y.numpy())
    found = [*own.weight.tolist(), float(own.bias)]
    return Difference(largest(found, [*reference.coef_[0], reference.intercept_[0]]))


def _logistic() -> Difference:
    """One sigmoid neuron after gradient descent, against the minimum that scikit-learn finds."""
    x = normal(80, 3)
    y = (x[:, :1] + normal(80, 1, seed=2) > 0).double()
    neuron = foundations.Linear(3, 1, generator=generator()).double()
    optimizer = foundations.SGD(neuron.parameters(), lr=1.0, momentum=0.9)
    for _ in range(400):
        optimizer.zero_grad()
        foundations.losses.binary_cross_entropy_from_logits(neuron(x), y).backward()
        optimizer.step()
    reference = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x.numpy(), y[:, 0].numpy())
    found = torch.cat([weight.flatten() for weight in neuron.parameters()])
    return Difference(largest(found, [*reference.coef_[0], reference.intercept_[0]]))


def _mlp() -> Difference:
    """scikit-learn's probabilities, with its weights put into ours."""
    x, y = normal(30, 4).numpy(), np.arange(30) % 3
    reference = neural_network.MLPClassifier((6, 5), max_iter=1, random_state=0)
    reference.partial_fit(x, y, classes=[0, 1, 2])
    own = foundations.MLP((4, 6, 5, 3)).double()
    layers = [layer for layer in own.modules() if isinstance(layer, foundations.Linear)]
    for layer, weight, bias in zip(layers, reference.coefs_, reference.intercepts_, strict=True):
        layer.load_state_dict({"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias)})
    return Difference(largest(foundations.activations.softmax(own(torch.from_numpy(x))), reference.predict_proba(x)))


# --- training ---------------------------------------------------------------------------------------------------------


def _stopped() -> tuple[int, int]:
    """Best and last step with a patience of 3 where validation is best at step 2."""
    stopping = foundations.EarlyStopping(patience=3)
    network = nn.Linear(1, 1)
    for step, loss in enumerate([3.0, 2.0, 1.0, 1.5, 1.2, 1.1, 0.1]):
        if stopping.update(loss, network, step):
            break
    return stopping.best_step or 0, step


def _linear_health() -> Difference:
    """Four layers w = 1/2 make w^4 x: the gradient of each weight is w^3 x, and the output of layer l is w^l x."""
    network = nn.Sequential(*(foundations.Linear(1, 1, bias=False) for _ in range(4)))
    for layer in network:
        nn.init.constant_(layer.get_parameter("weight"), 0.5)
    with foundations.GradientHealth(network) as health:
        network(torch.tensor([[3.0]])).sum().backward()
        found = health()
    measured = [float(found[f"gradients/{i}"]) for i in range(4)] + [
        float(found[f"activations/{i}/mean"]) for i in range(4)
    ]
    return Difference(largest(measured, [3 / 8] * 4 + [3 / 2, 3 / 4, 3 / 8, 3 / 16]))


def _accuracy() -> Difference:
    from sklearn.metrics import accuracy_score

    logits, labels = normal(50, 4), torch.arange(50) % 4
    return Difference(largest(foundations.accuracy(logits, labels), accuracy_score(labels, logits.argmax(1))))


def _rmse() -> Difference:
    from sklearn.metrics import root_mean_squared_error

    found, wanted = normal(50), normal(50, seed=2)
    return Difference(
        largest(foundations.root_mean_squared_error(found, wanted), root_mean_squared_error(wanted, found))
    )
