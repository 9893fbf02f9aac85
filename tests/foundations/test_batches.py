from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from states import saved_and_loaded

from foundations.batches import Batches
from foundations.errors import InputError


def _batches(count: int, batch_size: int, seed: int = 0, **settings: bool) -> Batches:
    return Batches(count, batch_size, torch.Generator().manual_seed(seed), **settings)


@given(st.integers(1, 50), st.data())
def test_every_index_comes_once_an_epoch(count, data):
    batches = _batches(count, data.draw(st.integers(1, count)), drop_last=False)
    epoch = torch.cat([batches.next() for _ in range(batches.per_epoch)])
    assert sorted(epoch.tolist()) == list(range(count))


@given(st.integers(1, 50), st.data())
def test_dropping_the_last_leaves_whole_batches_without_repeats(count, data):
    size = data.draw(st.integers(1, count))
    batches = _batches(count, size)
    epoch = [batches.next().tolist() for _ in range(batches.per_epoch)]
    assert {len(batch) for batch in epoch} == {size}
    assert len({index for batch in epoch for index in batch}) == size * (count // size)


def test_each_epoch_has_another_order():
    batches = _batches(100, 100)
    assert not torch.equal(batches.next(), batches.next())


def test_the_epoch_counts_up_with_its_first_batch():
    batches = _batches(4, 2)
    assert [batches.epoch for _ in range(5) if batches.next() is not None] == [0, 0, 1, 1, 2]


def test_iterating_goes_on_where_it_stopped():
    straight, interrupted = _batches(10, 3), _batches(10, 3)
    wanted = [straight.next().tolist() for _ in range(4)]
    found = [batch.tolist() for _ in range(2) for batch in islice(interrupted, 2)]
    assert found == wanted


@pytest.mark.parametrize("seen", [0, 1, 3, 4, 7])
def test_resuming_is_exact_across_epochs(seen):
    straight = _batches(10, 3)
    for _ in range(seen):
        straight.next()
    resumed = _batches(10, 3, seed=99)
    resumed.load_state_dict(saved_and_loaded(straight.state_dict()))
    assert resumed.epoch == straight.epoch
    for _ in range(9):
        assert torch.equal(straight.next(), resumed.next())


def test_a_place_beyond_the_epoch_is_refused():
    larger = _batches(10, 3)
    for _ in range(3):
        larger.next()
    with pytest.raises(InputError, match=r"state position=3: must be from 0 to 1"):
        _batches(5, 3).load_state_dict(larger.state_dict())


def test_the_global_stream_is_left_alone():
    before = torch.get_rng_state()
    _batches(10, 3).next()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("count", "batch_size", "name"), [(0, 1, "count"), (5, 0, "batch_size"), (5, 6, "batch_size")])
def test_impossible_sizes_are_refused_by_name(count, batch_size, name):
    with pytest.raises(InputError, match=f"^{name}="):
        _batches(count, batch_size)
