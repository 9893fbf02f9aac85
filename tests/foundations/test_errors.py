import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundations.errors import InputError, require, require_choice


def test_a_condition_that_holds_passes():
    require(True, "steps", 1, "at least 1")


def test_the_message_names_parameter_value_and_what_is_allowed():
    with pytest.raises(InputError) as caught:
        require(False, "batch_size", 0, "at least 1")
    assert str(caught.value) == "batch_size=0: must be at least 1"


def test_it_is_caught_as_a_value_error():
    with pytest.raises(ValueError, match="must be"):
        require(False, "a", 1, "2")


@given(st.text())
def test_the_message_is_one_line_whatever_the_text_given(text):
    with pytest.raises(InputError) as caught:
        require(False, "name", text, "another")
    assert len(str(caught.value).splitlines()) == 1


def test_an_allowed_choice_passes():
    require_choice("model", "dense", ["dense", "dcgan"])


def test_a_near_miss_is_answered_with_the_nearest_choice():
    with pytest.raises(InputError) as caught:
        require_choice("model", "dcgna", ["dense", "dcgan"])
    assert str(caught.value) == "model='dcgna': must be one of dcgan, dense; did you mean 'dcgan'?"


def test_a_far_miss_is_answered_with_the_list_alone():
    with pytest.raises(InputError, match=r"must be one of dcgan, dense$"):
        require_choice("model", "zzz", ["dense", "dcgan"])
