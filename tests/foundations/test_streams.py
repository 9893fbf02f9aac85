import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foundations.errors import InputError
from foundations.streams import Streams


def _numbers(streams: Streams, name: str) -> tuple[list[float], list[float]]:
    return torch.rand(3, generator=streams.torch(name)).tolist(), streams.numpy(name).random(3).tolist()


def test_the_same_seed_and_name_give_the_same_numbers():
    assert _numbers(Streams(7), "noise") == _numbers(Streams(7), "noise")


def test_another_seed_gives_other_numbers():
    assert _numbers(Streams(7), "noise") != _numbers(Streams(8), "noise")


@given(st.text(max_size=8), st.text(max_size=8))
def test_different_names_give_different_numbers(left, right):
    same = _numbers(Streams(0), left) == _numbers(Streams(0), right)
    assert same == (left == right)


def test_a_stream_does_not_depend_on_what_was_asked_for_before():
    streams = Streams(0)
    streams.torch("other")
    streams.numpy("another").random(5)
    assert _numbers(streams, "noise") == _numbers(Streams(0), "noise")


def test_a_child_is_named_by_its_whole_path():
    streams = Streams(0)
    assert _numbers(streams.child("a").child("b"), "c") == _numbers(Streams(0, ("a", "b")), "c")
    assert _numbers(streams.child("a"), "c") != _numbers(streams.child("b"), "c")
    assert _numbers(streams.child("a"), "b") != _numbers(streams.child("b"), "a")
    assert _numbers(streams.child("ab"), "c") != _numbers(streams.child("a"), "bc")


def test_numbers_are_the_same_in_another_process():
    code = "from foundations.streams import Streams; print(Streams(3).numpy('x').integers(10**9))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == Streams(3).numpy("x").integers(10**9)


def test_the_global_streams_are_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    _numbers(Streams(0), "noise")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_a_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed=-1"):
        Streams(-1)
