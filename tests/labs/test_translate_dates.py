"""How the lab counts right answers, what it shows of attention, and what it refuses."""

import pytest
import torch

from foundations.errors import InputError
from foundations.networks.seq2seq import RecurrentSeq2Seq
from foundations.streams import Streams
from labs.kit.data.dates import ISO_LENGTH, make_dates
from labs.translate_dates import SHOWN, Answer, Config, plan, readings, right


def test_only_whole_answers_count():
    dates = make_dates(5, 2, Streams(0)).test
    answers = [Answer(dates[0].iso, 0.0), Answer(dates[1].iso[:-1], 0.0)]
    assert right(answers, dates) == 50


def test_attention_is_shown_for_each_sign_that_is_written_and_each_that_is_read():
    pairs, weights = make_dates(5, 100, Streams(0)), torch.Generator().manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 8, "generator": weights}
    found = readings(RecurrentSeq2Seq(len(pairs.source_signs), len(pairs.target_signs), **sizes), pairs)
    assert len({each.date.language for each in found}) == 6
    for each in found:
        assert each.attention.shape == (len(each.written), len(each.date.text))
        assert len(each.written) <= ISO_LENGTH + 1
        assert len(each.date.text) <= SHOWN


def test_a_batch_beyond_the_pairs_is_refused():
    with pytest.raises(InputError, match="batch_size"):
        plan(Config(training_pairs=10))
