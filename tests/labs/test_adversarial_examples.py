"""What the lab attacks, and what it warns of."""

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from generative.adversarial import Norm
from labs.adversarial_examples import EPSILONS, SHOWN, Attacked, Config, load, report
from labs.drawings.adversarial_examples import draw_pictures


def results(plain=0.9, robust=0.8, fgsm=0.5, pgd=0.4):
    def share(name, attack, epsilon):
        return {"plain": plain, "robust": robust}[name] if epsilon == 0 else {"fgsm": fgsm, "pgd": pgd}[attack]

    nothing = torch.zeros(0)
    return {
        (name, attack, norm, epsilon): Attacked(share(name, attack, epsilon), nothing, nothing, nothing)
        for name in ("plain", "robust")
        for norm, epsilons in EPSILONS.items()
        for epsilon in epsilons
        for attack in ("fgsm", "pgd")
    }


def test_the_lab_measures_in_every_norm_that_the_package_knows():
    assert set(EPSILONS) == set(Norm.__args__)


def test_the_digits_shown_are_of_different_classes_and_keep_their_labels():
    run = Unwatched()
    part = load(Config(test_images=200), run)
    assert len(part.test_labels[:SHOWN].unique()) == SHOWN
    pairs = zip(run.data.test_images, run.data.test_labels, strict=True)
    known = {image.numpy().tobytes(): int(label) for image, label in pairs}
    taken = zip(part.test_images, part.test_labels, strict=True)
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in taken)
    assert len(part.test_labels) == 200


def test_a_batch_larger_than_the_data_is_refused_before_training():
    with pytest.raises(InputError, match="batch_size=50000"):
        load(Config(batch_size=50_000), Unwatched())


def test_images_that_are_not_square_are_refused_before_training():
    with pytest.raises(InputError, match="data='tall': must be of 28x28 or 32x32 images, not 28x32"):
        load(Config(data="tall"), Unwatched(train_images=torch.zeros(1438, 1, 32, 28, dtype=torch.uint8)))


def test_the_pictures_name_the_attack_and_each_images_true_class():
    labels = torch.tensor([3, 8])
    shown = Attacked(0.5, torch.zeros(2, 1, 28, 28), torch.tensor([3, 5]), torch.tensor([0.9, 0.6]))
    figure = draw_pictures(dict.fromkeys(results(), shown), "l2", labels, tuple("0123456789"), Config())
    assert "(PGD), 20 steps: the whole change" in figure.get_suptitle()
    rows = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert rows == ["3", "8"] * 2  # against either network


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"plain": 0.3}, "the plain network reads 30%"),
        ({"robust": 0.2}, "has not learned"),
        ({"pgd": 0.1}, "no shelter"),
        ({"fgsm": 0.3}, "not to be trusted"),
    ],
)
def test_what_went_wrong_is_said(found, said):
    run = Unwatched()
    report(results(**found), 0.3, Config(), run)
    assert any(said in note for note in run.notes)


def test_a_good_run_is_without_alarms_and_sums_up_both_networks():
    run = Unwatched()
    report(results(), 0.3, Config(), run)
    assert run.notes == []
    assert run.values["accuracy/robust/attacked"] == 0.4
    assert run.tables["accuracy"][0]["plain, pgd"] == "90.0%"
