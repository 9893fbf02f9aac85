import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agents.spaces import describe_actions, describe_observations
from foundations.errors import InputError


def test_numbers_stay_as_they_are_in_single_precision():
    inputs = describe_observations(Box(-5, np.inf, (2, 3), np.float64))
    found = inputs.to_network(np.arange(24.0).reshape(4, 2, 3))
    assert (inputs.kind, inputs.shape, inputs.features) == ("flat", (6,), 6)
    assert found.dtype == np.float32
    assert found.tolist() == np.arange(24.0).reshape(4, 6).tolist()


def test_an_index_becomes_a_one_hot_code():
    inputs = describe_observations(Discrete(4, start=2))
    assert (inputs.kind, inputs.shape) == ("index", (4,))
    assert inputs.to_network(np.array([2, 5])).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_several_indices_become_codes_side_by_side():
    inputs = describe_observations(MultiDiscrete([2, 3], start=[0, 1]))
    assert inputs.shape == (5,)
    assert inputs.to_network(np.array([[1, 1], [0, 3]])).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]


def test_bits_are_numbers():
    assert describe_observations(MultiBinary((2, 2))).to_network(np.ones((3, 2, 2), np.int8)).tolist() == [[1] * 4] * 3


@pytest.mark.parametrize(
    ("shape", "wanted"), [((84, 96, 3), (3, 84, 96)), ((4, 84, 96), (4, 84, 96)), ((28, 30), (1, 28, 30))]
)
def test_images_are_channels_first_and_between_0_and_1(shape, wanted):
    inputs = describe_observations(Box(0, 255, shape, np.uint8))
    image = np.random.default_rng(0).integers(0, 256, (5, 2, *shape), np.uint8)
    found = inputs.to_network(image)
    assert (inputs.kind, inputs.shape) == ("image", wanted)
    assert found.shape == (5, 2, *wanted)
    moved = np.moveaxis(image, -1, 2) if shape[-1] == 3 else image.reshape(5, 2, *wanted)
    np.testing.assert_allclose(found, moved / 255, atol=1e-6)


def test_an_image_with_other_bounds_is_scaled_from_them():
    found = describe_observations(Box(-1, 1, (3, 8, 8), np.float32)).to_network(np.full((1, 3, 8, 8), -0.5))
    np.testing.assert_allclose(found, 0.25)


@given(arrays(np.int64, st.tuples(st.integers(0, 3), st.integers(1, 4)), elements=st.integers(0, 6)))
def test_codes_have_one_one_whatever_the_batch(index):
    codes = describe_observations(Discrete(7)).to_network(index)
    assert codes.shape == (*index.shape, 7)
    assert (codes.sum(axis=-1) == 1).all()
    assert np.array_equal(codes.argmax(axis=-1), index)


def test_choices_count_from_the_spaces_start():
    actions = describe_actions(Discrete(3, start=-1))
    found = actions.to_environment(np.array([0, 2]))
    assert (actions.kind, actions.sizes, actions.count, actions.outputs) == ("discrete", (3,), 1, 3)
    assert found.tolist() == [-1, 1]
    assert found.dtype == np.int64


def test_several_choices():
    actions = describe_actions(MultiDiscrete([3, 2]))
    assert (actions.kind, actions.sizes, actions.count, actions.outputs) == ("multi_discrete", (3, 2), 2, 5)
    assert actions.to_environment(np.array([[2, 1]])).tolist() == [[2, 1]]


def test_bits_are_choices_of_two():
    space = MultiBinary((2, 2))
    actions = describe_actions(space)
    assert actions.sizes == (2, 2, 2, 2)
    assert space.contains(actions.to_environment(np.array([[0, 1, 1, 0]]))[0])


def test_numbers_are_clipped_and_stretched_to_the_bounds():
    space = Box(np.array([0, -2], np.float32), np.array([10, 2], np.float32))
    actions = describe_actions(space)
    found = actions.to_environment(np.array([[-1, 0], [0.5, 1], [-7, 9]]))
    assert (actions.kind, actions.count, actions.outputs) == ("continuous", 2, 2)
    assert found.tolist() == [[0, 0], [7.5, 2], [0, 2]]
    assert found.dtype == np.float32


def test_numbers_without_bounds_pass():
    actions = describe_actions(Box(-np.inf, np.inf, (2, 1), np.float32))
    assert actions.to_environment(np.array([[-7, 9]])).tolist() == [[[-7], [9]]]


@given(arrays(np.float64, (3, 2), elements=st.floats(-1e6, 1e6)))
def test_any_numbers_become_actions_of_the_space(numbers):
    space = Box(np.array([-0.3, 1.1], np.float32), np.array([0.7, 1.3], np.float32))
    assert all(space.contains(each) for each in describe_actions(space).to_environment(numbers))


@pytest.mark.parametrize("space", [Dict({"a": Discrete(2)}), spaces.Text(3), spaces.Tuple((Discrete(2), Discrete(3)))])
def test_spaces_that_no_network_takes_are_named(space):
    with pytest.raises(InputError, match=r"observation space=.*must be Box, Discrete"):
        describe_observations(space)
    with pytest.raises(InputError, match=r"action space=.*must be Discrete"):
        describe_actions(space)


def test_a_space_that_the_agent_does_not_take_is_named_with_what_it_takes():
    with pytest.raises(InputError, match=r"action space=Box.*must be Discrete \(discrete\) for this agent"):
        describe_actions(Box(-1, 1, (1,), np.float32), ("discrete",))
