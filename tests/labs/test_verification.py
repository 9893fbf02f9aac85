"""`python -m labs verify`: what it compares, when it fails, and the page that it writes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import foundations
from foundations import InputError
from labs.verification import catalogue, report
from labs.verification.command import main
from labs.verification.twin import Count, Difference, Twin, functions, largest, modules, normal, same_arguments

PAGE = Path(foundations.__file__).parent.parent / "docs" / "verification.md"
BLOCKS_WITH_TWINS = [
    *("dot", "matrix_product", "transpose", "derivative", "gradient", "jacobian", "check_gradients"),
    *("Uniform", "Normal", "Bernoulli", "Categorical", "kl_divergence", "ZScoreOutliers", "InterquartileOutliers"),
    *("Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softmax", "Linear", "Dropout", "SpatialDropout"),
    *("Residual", "Conv2d", "ConvTranspose2d", "MaxPool2d", "AveragePool2d", "GlobalAveragePool", "GlobalMaxPool"),
    *("BatchNorm", "LayerNorm", "GroupNorm", "SGD", "AdaGrad", "RMSProp", "Adam", "AdamW", "one_cycle"),
    *("ReduceOnPlateau", "clip_gradient_norm", "clip_gradient_value", "l1_penalty", "l2_penalty", "Perceptron"),
    *("EarlyStopping", "GradientHealth", "MLP", "LeNet5", "AlexNet", "Inception", "GoogLeNet", "CifarResNet"),
    *("resnet18", "resnet34", "resnet50", "scratch.convolution", "scratch.Network"),
]


def twin(value: float, gradient: float | None = None, bound: float = 1e-10) -> Twin:
    return Twin("Made", "area", "reference", lambda: Difference(value, gradient), bound)


@pytest.fixture(scope="module")
def twins() -> list[Twin]:
    return catalogue.twins()


@pytest.mark.slow
def test_everything_agrees_with_its_reference(twins):
    found = [*map(report.verify, twins), *map(report.count, catalogue.counts())]
    assert [f"{each.name}: {each.problem}" for each in found if not each.ok] == []


@pytest.mark.parametrize("block", BLOCKS_WITH_TWINS)
def test_the_block_has_a_twin(twins, block):
    assert block in {each.block.partition(",")[0] for each in twins}


def test_every_layer_with_two_bodies_has_them_compared(twins):
    layers = {name for name in dir(foundations) if _has_two_bodies(getattr(foundations, name))}
    compared = {each.block.partition(",")[0] for each in twins if each.block.endswith(", equations")}
    assert layers <= compared
    assert "Conv2d" in layers


def _has_two_bodies(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, foundations.layers.TwoBodies)


def test_no_twin_is_listed_twice(twins):
    keys = [(each.block, each.reference) for each in twins]
    assert len(keys) == len(set(keys))


def test_the_committed_page_lists_exactly_the_twins_and_counts(twins):
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    listed = [tuple(row[:3]) for row in rows if len(row) == 7 and row[0] not in ("block", "---")]
    assert listed == [(each.block, each.area, each.reference) for each in twins]
    networks = [row[0] for row in rows if len(row) == 5 and row[0] not in ("network", "---")]
    assert networks == [each.block for each in catalogue.counts()]


def test_the_committed_page_has_nothing_that_failed():
    assert not re.search(r"\| NO \|", PAGE.read_text())


# --- comparing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "gradient"), [(2e-10, 0.0), (0.0, 2e-10), (float("nan"), 0.0), (0.0, float("nan"))])
def test_too_large_a_difference_fails(value, gradient):
    assert not report.verify(twin(value, gradient)).ok


@pytest.mark.parametrize("gradient", [None, 0.0, 1e-10])
def test_a_difference_within_the_bound_passes(gradient):
    assert report.verify(twin(1e-10, gradient)).ok


def test_a_comparison_that_raises_fails_with_its_message():
    def broken() -> Difference:
        raise ValueError("no such layer\nmore")

    found = report.verify(Twin("Made", "area", "reference", broken))
    assert not found.ok
    assert found.problem == "ValueError: no such layer"


def test_a_wrong_value_is_seen():
    found = functions(torch.sin, lambda x: torch.sin(x) + 1e-3, lambda: normal(5))()
    assert found.value == pytest.approx(1e-3)
    assert found.gradient == 0


def test_a_wrong_gradient_is_seen():
    found = functions(torch.sin, lambda x: torch.sin(x).detach() + 0 * x, lambda: normal(5))()
    assert found.value == 0
    assert found.gradient > 1e-3


def test_a_wrong_gradient_of_a_weight_is_seen():
    class Frozen(nn.Linear):
        def forward(self, x):
            return nn.functional.linear(x, self.weight.detach() + 0 * self.weight, self.bias)

    found = modules(lambda: foundations.Linear(4, 3), lambda: Frozen(4, 3), lambda: normal(5, 4))()
    assert found.value < 1e-12
    assert found.gradient > 1e-3


def test_wrong_running_statistics_are_seen():
    def slower() -> nn.Module:
        return nn.BatchNorm1d(4, momentum=0.2)

    assert modules(lambda: foundations.BatchNorm(4), slower, lambda: normal(8, 4))().value > 1e-3


def test_modules_with_other_weights_are_refused():
    compare = modules(lambda: foundations.Linear(4, 3), lambda: nn.Linear(3, 4), lambda: normal(5, 4))
    with pytest.raises(ValueError, match="shape"):
        compare()


def test_differences_are_relative_to_large_references():
    assert largest(torch.tensor([1e6 + 1, 0.0]), torch.tensor([1e6, 0.0])) == pytest.approx(1e-6)


def test_other_shapes_are_no_agreement():
    assert not report.verify(Twin("Made", "area", "reference", lambda: Difference(largest([1.0], [[1.0]])))).ok


def test_a_layer_with_two_bodies_gets_a_twin_for_each():
    found = same_arguments(foundations.Conv2d, nn.Conv2d, (1, 2, 4, 4), 2, 3, 3, area="convolution")
    assert [each.reference for each in found] == ["torch.nn.Conv2d", "its own kernel body"]


@pytest.mark.parametrize(("own", "unit", "ok"), [(269_722, 10_000, True), (275_001, 10_000, False), (61_705, 1, False)])
def test_counts_are_compared_to_the_published_digits(own, unit, ok):
    published = 61_706 if unit == 1 else 270_000
    assert report.count(Count("Net", "networks", "paper", published, lambda: own, unit)).ok == ok


# --- the command ------------------------------------------------------------------------------------------------------


def test_an_area_alone_is_compared(capsys):
    assert main(["linear-algebra"]) == 0
    said = capsys.readouterr().out
    assert "numpy.matmul" in said
    assert "torch.nn.Conv2d" not in said
    assert "6 of 6 agree" in said


@pytest.mark.parametrize("name", ["linear", "Linear", "LINEAR"])
def test_a_block_alone_is_compared_with_all_its_variants(capsys, name):
    assert main([name]) == 0
    assert "Linear, no bias, equations" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "near"), [("Conv2", "Conv2d"), ("convolutoin", "convolution")])
def test_an_unknown_name_is_refused_with_the_nearest(name, near):
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        main([name])


def test_the_exit_status_is_1_where_something_differs(capsys, monkeypatch):
    monkeypatch.setattr(catalogue, "twins", lambda: [twin(1.0)])
    monkeypatch.setattr(catalogue, "counts", list)
    assert main([]) == 1
    assert "FAILED Made: differs from reference by 1.0e+00" in capsys.readouterr().err


def test_the_page_holds_the_tables(tmp_path):
    page = tmp_path / "page.md"
    assert main(["dot", "LeNet5", "--markdown", str(page)]) == 0
    assert "| dot | linear algebra | numpy.dot |" in page.read_text()
    assert "| LeNet5 | 61,706 | 61,706 |" in page.read_text()


def test_a_page_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match="--markdown"):
        main(["dot", "--markdown", str(tmp_path / "nowhere" / "page.md")])


def test_unknown_flags_are_refused_in_one_line():
    with pytest.raises(InputError) as caught:
        main(["--fast"])
    assert "\n" not in str(caught.value)


def test_the_command_is_loaded_without_heavy_packages():
    heavy = "{'torch', 'numpy', 'scipy', 'sklearn', 'rich'}"
    code = f"import sys, labs.verification.command; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
