"""What is said of made images that are no good, and that nothing is said of good ones."""

import pytest

from generative.alarms import alarms
from generative.metrics import Assessment


def assessment(**changes):
    figures = {
        "inception_score": 9.8,
        "frechet_distance": 0.1,
        "precision": 0.8,
        "recall": 0.8,
        "smallest_class_share": 0.09,
        "count": 10_000,
        "real_count": 10_000,
    }
    return Assessment(**figures | changes)


def alarms_of(*, copying=4.0, **changes):
    return alarms(assessment(**changes), assessment(), copying=copying, real_copying=4.4)


def test_good_images_raise_no_alarm():
    assert alarms_of() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"precision": 0.19}, "hardly a digit: 19% of the samples look real, of real test digits 80%"),
        ({"smallest_class_share": 0.019}, "mode collapse or blur: the rarest digit makes up 1.9%, not 10 %"),
        ({"recall": 0.39}, "narrow: samples cover 39% of the real digits' variety, real test digits 80%"),
        ({"copying": 2.1}, "copying: samples lie 2.10 from a training image, real test digits 4.40"),
    ],
)
def test_each_fault_is_said(changes, said):
    assert alarms_of(**changes) == [said]


@pytest.mark.parametrize(
    "changes", [{"precision": 0.21}, {"smallest_class_share": 0.021}, {"recall": 0.41}, {"copying": 2.3}]
)
def test_what_is_short_of_a_fault_is_not_said(changes):
    assert alarms_of(**changes) == []


def test_noise_is_not_called_a_collapse():
    (said,) = alarms_of(precision=0.0, recall=0.0, smallest_class_share=0.0)
    assert said.startswith("hardly a digit")


def test_copies_of_one_class_raise_both_alarms():
    assert [line.partition(":")[0] for line in alarms_of(smallest_class_share=0.0, copying=0.0)] == [
        "mode collapse or blur",
        "copying",
    ]
