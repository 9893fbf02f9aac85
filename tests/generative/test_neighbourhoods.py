import pytest
import torch

from foundations.errors import InputError
from generative.neighbourhoods import precision_recall, squared_reach


def line(start, count=200):
    """Points start, start + 1, ... on a line."""
    return (start + torch.arange(count, dtype=torch.float32)).unsqueeze(1)


def test_the_reach_of_a_point_is_the_distance_to_its_kth_neighbour():
    # On a line with gaps of 1 the third nearest is 2 away, 3 away at the very end, which has neighbours on one side.
    reach = squared_reach(line(0, 6), 3)
    assert reach.tolist() == [9, 4, 4, 4, 4, 9]


def test_a_set_shifted_along_a_line_is_scored_as_by_hand():
    # Made: 150.25 .. 349.25, real: 0 .. 199. The last real point, 199, reaches 3 far, to 202; its neighbours not
    # beyond. So 150.25 .. 201.25 look real: 52 of 200. By symmetry 147.25 .. 199 are covered: 148 .. 199, 52 of 200.
    assert precision_recall(line(0), line(150.25)) == (52 / 200, 52 / 200)


def test_more_neighbours_reach_farther():
    # With k = 5 the end reaches 5 far: 150.25 .. 203.25.
    assert precision_recall(line(0), line(150.25), k=5) == (54 / 200, 54 / 200)


def test_made_points_that_are_real_ones_are_precise_but_cover_only_their_own_part():
    real = line(0, 400)
    # The made ones 0 .. 99 reach 3 beyond their end.
    assert precision_recall(real, real[:100]) == (1, 103 / 400)


def test_made_points_beside_the_real_ones_cost_precision_alone():
    real = line(0, 100)
    precision, recall = precision_recall(real, torch.cat([real, line(1000, 300)]))
    assert precision == 100 / 400
    assert recall == 1


def test_exchanging_the_sets_exchanges_the_figures(generator):
    one, other = torch.randn(150, 5, generator=generator), 2 * torch.randn(120, 5, generator=generator)
    assert precision_recall(one, other) == precision_recall(other, one)[::-1]


def test_the_figures_are_those_of_all_pairs_taken_one_by_one(generator):
    real, made = torch.randn(130, 4, generator=generator), 1.5 * torch.randn(110, 4, generator=generator) + 0.5

    def share_within(points, others):
        reach = [sorted((a - b).norm().item() for b in others)[3] for a in others]
        return sum(any((p - a).norm() <= r for a, r in zip(others, reach, strict=True)) for p in points) / len(points)

    expected = share_within(made, real), share_within(real, made)
    assert precision_recall(real, made, batch_size=32) == expected
    assert 0 < min(expected) < max(expected) < 1


def test_neither_order_nor_distance_from_the_origin_matters(generator):
    real, made = torch.randn(200, 6, generator=generator), torch.randn(150, 6, generator=generator)
    expected = precision_recall(real, made)
    shuffled = made[torch.randperm(150, generator=generator)]
    assert precision_recall(real.flip(0) + 100, shuffled + 100) == pytest.approx(expected, abs=1e-9)


def test_a_set_collapsed_to_a_point_covers_nothing(generator):
    real = torch.randn(200, 6, generator=generator)
    precision, recall = precision_recall(real, real[:1].repeat(200, 1) + 0.001)
    assert precision == 1
    assert recall <= 1 / 200


@pytest.mark.parametrize(
    ("real", "made", "k", "message"),
    [
        (torch.zeros(99, 2), torch.zeros(200, 2), 3, "^real samples=99: must be at least 100"),
        (torch.zeros(200, 2), torch.zeros(9, 2), 3, "^made samples=9"),
        (torch.zeros(200, 2), torch.zeros(200, 3), 3, r"^made shape=\(200, 3\): must be \(n, 2\)"),
        (torch.zeros(200), torch.zeros(200, 3), 3, "^real shape"),
        (torch.zeros(200, 2), torch.zeros(200, 2), 0, "^k=0"),
        (torch.zeros(200, 2), torch.zeros(200, 2), 100, "^k=100"),
    ],
)
def test_bad_input_is_refused_by_name(real, made, k, message):
    with pytest.raises(InputError, match=message):
        precision_recall(real, made, k=k)
