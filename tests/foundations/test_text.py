import json
import unicodedata
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from states import saved_and_loaded

from foundations.batches import Batches
from foundations.errors import InputError
from foundations.text import SPECIALS, BucketedBatches, Vocabulary, characters, lengths_of, pad, words

TOKENS = st.text(alphabet="abcdefg", min_size=1)


@given(st.text())
def test_characters_joined_are_the_text(text):
    assert "".join(characters(text)) == text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's a film, isn't it?!", ["it", "'s", "a", "film", ",", "is", "n't", "it", "?", "!"]),
        ("I can't — we’d 've", ["i", "ca", "n't", "—", "we", "'d", "'ve"]),
        ("Ça coûte 12.50 £", ["ça", "coûte", "12", ".", "50", "£"]),
        ("'quoted' n'tuple", ["'", "quoted", "'", "n", "'", "tuple"]),
        ("snake_case", ["snake", "_", "case"]),
        (" \n", []),
    ],
)
def test_words_are_lower_case_and_punctuation_stands_apart(text, tokens):
    assert words(text) == tokens


def test_an_accent_typed_after_its_letter_is_the_same_word():
    assert words("cafe\u0301") == words("café") == ["café"]


@given(st.text())
def test_no_letter_or_digit_gets_lost_in_words(text):
    normal = unicodedata.normalize("NFC", text).lower()
    assert [sign for token in words(text) for sign in token if sign.isalnum()] == list(filter(str.isalnum, normal))


def test_the_specials_come_first():
    vocabulary = Vocabulary(["a"])
    assert vocabulary.tokens == ("<pad>", "<unk>", "<bos>", "<eos>", "a")
    assert (vocabulary.pad, vocabulary.unknown_token, vocabulary.begin, vocabulary.end) == (0, 1, 2, 3)


def test_frequent_tokens_come_first_and_the_alphabet_breaks_ties():
    assert Vocabulary.build(["cbbaa", "cccd"]).tokens[len(SPECIALS) :] == ("c", "a", "b", "d")


def test_rare_tokens_are_left_out():
    vocabulary = Vocabulary.build(["aaabbc"], minimum_count=2)
    assert "b" in vocabulary
    assert "c" not in vocabulary


def test_the_size_counts_the_specials():
    assert Vocabulary.build(["aaabbc"], size=6).tokens[len(SPECIALS) :] == ("a", "b")


@given(st.lists(TOKENS, min_size=1))
def test_decoding_undoes_encoding(tokens):
    vocabulary = Vocabulary.build([tokens])
    assert vocabulary.decode(vocabulary.encode(tokens, begin=True, end=True)) == tokens


def test_decoding_stops_at_the_end_and_takes_tensors():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.decode(torch.tensor([2, 4, 5, 3, 4, 0])) == ["a", "b"]


def test_an_unknown_token_is_refused_by_name():
    with pytest.raises(InputError, match="token 'z'"):
        Vocabulary(["a"]).encode("az")


def test_an_unknown_token_is_mapped_only_where_asked_for():
    assert Vocabulary(["a"], unknown="map").encode("az") == [4, 1]


def test_a_number_beyond_the_vocabulary_is_refused():
    with pytest.raises(InputError, match="token number=9"):
        Vocabulary(["a"]).decode([9])


@pytest.mark.parametrize(
    ("tokens", "settings", "text"),
    [
        ([], {}, "tokens="),
        (["a", "b", "a"], {}, "token 'a'"),
        (["<pad>"], {}, "token '<pad>'"),
        (["a"], {"unknown": "mapp"}, "did you mean 'map'"),
    ],
)
def test_impossible_vocabularies_are_refused(tokens, settings, text):
    with pytest.raises(InputError, match=text):
        Vocabulary(tokens, **settings)


@pytest.mark.parametrize("settings", [{"minimum_count": 0}, {"size": 4}, {"minimum_count": 3}])
def test_limits_that_leave_no_token_are_refused(settings):
    with pytest.raises(InputError):
        Vocabulary.build(["ab"], **settings)


def test_a_saved_vocabulary_comes_back(tmp_path):
    vocabulary = Vocabulary(["ä", "\n", "b"], unknown="map")
    vocabulary.save(tmp_path / "vocabulary.json")
    found = Vocabulary.load(tmp_path / "vocabulary.json", fingerprint=vocabulary.fingerprint)
    assert (found.tokens, found.unknown) == (vocabulary.tokens, "map")


def test_another_runs_vocabulary_is_refused(tmp_path):
    Vocabulary(["b", "a"]).save(tmp_path / "vocabulary.json")
    with pytest.raises(InputError, match="another run"):
        Vocabulary.load(tmp_path / "vocabulary.json", fingerprint=Vocabulary(["a", "b"]).fingerprint)


def test_a_changed_vocabulary_file_is_refused(tmp_path):
    file = tmp_path / "vocabulary.json"
    Vocabulary(["a", "b"]).save(file)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "tokens": ["b", "a"]}))
    with pytest.raises(InputError, match="changed"):
        Vocabulary.load(file)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"tokens": 3, "unknown": "map", "fingerprint": ""}'])
def test_a_file_that_is_no_vocabulary_is_refused(content, tmp_path):
    file = tmp_path / "vocabulary.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match="vocabulary"):
        Vocabulary.load(file)


@given(st.lists(st.lists(st.integers(4, 9), min_size=1, max_size=6), min_size=1, max_size=6))
def test_padding_fills_up_behind(sequences):
    tokens, lengths = pad(sequences)
    assert tokens.shape == (len(sequences), max(map(len, sequences)))
    for row, length, sequence in zip(tokens, lengths, sequences, strict=True):
        assert row[:length].tolist() == sequence
        assert not row[length:].any()
    assert torch.equal(lengths_of(tokens), lengths)


def test_padding_goes_to_the_size_asked_for():
    assert pad([[4], [5, 6]], 3)[0].tolist() == [[4, 0, 0], [5, 6, 0]]


@pytest.mark.parametrize(
    ("sequences", "text"),
    [([], "sequences="), ([[1], []], "number 1 is empty"), ([[1], [1, 2, 3]], "2 tokens at most")],
)
def test_sequences_that_are_empty_or_too_long_are_refused(sequences, text):
    with pytest.raises(InputError, match=text):
        pad(sequences, 2)


@pytest.mark.parametrize(
    ("tokens", "text"), [([[4, 0], [0, 0]], "^name='nothing but padding'"), ([[0, 4]], "^name='padding before tokens'")]
)
def test_lengths_of_what_is_not_padded_behind_are_refused(tokens, text):
    with pytest.raises(InputError, match=text):
        lengths_of(torch.tensor(tokens), "name")


def _bucketed(lengths: torch.Tensor, batch_size: int, seed: int = 0, **settings: int) -> BucketedBatches:
    return BucketedBatches(lengths, batch_size, torch.Generator().manual_seed(seed), **settings)


@given(st.integers(1, 60), st.data())
def test_every_index_comes_once_an_epoch(count, data):
    lengths = torch.randint(1, 30, (count,), generator=torch.Generator().manual_seed(count))
    batches = _bucketed(lengths, data.draw(st.integers(1, count)), pool=data.draw(st.integers(1, 4)))
    for _ in range(2):
        epoch = torch.cat([batches.next() for _ in range(batches.per_epoch)])
        assert sorted(epoch.tolist()) == list(range(count))


def test_batches_hold_similar_lengths():
    lengths = torch.randint(1, 101, (1_000,), generator=torch.Generator().manual_seed(0))
    bucketed = _bucketed(lengths, 20)
    plain = Batches(1_000, 20, torch.Generator().manual_seed(0))

    def padding(batches: Batches) -> int:
        chosen = [lengths[batches.next()] for _ in range(50)]
        return sum(int((batch.max() - batch).sum()) for batch in chosen)

    assert padding(bucketed) < 0.1 * padding(plain)


def test_short_and_long_batches_come_in_random_order():
    batches = _bucketed(torch.arange(1, 1_001), 10)
    firsts = [int(batches.next()[0]) for _ in range(100)]
    assert 30 < sum(left < right for left, right in pairwise(firsts)) < 70


def test_each_epoch_has_other_batches():
    batches = _bucketed(torch.arange(1, 101), 10, pool=2)
    first, second = ({tuple(batches.next().tolist()) for _ in range(10)} for _ in range(2))
    assert not first & second


@pytest.mark.parametrize("seen", [0, 1, 3, 4, 7])
def test_resuming_is_exact_across_epochs(seen):
    lengths = torch.arange(1, 11)
    straight = _bucketed(lengths, 3)
    for _ in range(seen):
        straight.next()
    resumed = _bucketed(lengths, 3, seed=99)
    resumed.load_state_dict(saved_and_loaded(straight.state_dict()))
    assert resumed.epoch == straight.epoch
    for _ in range(9):
        assert torch.equal(straight.next(), resumed.next())


@pytest.mark.parametrize(
    ("lengths", "settings", "name"),
    [
        (torch.tensor([1, 0]), {}, "lengths"),
        (torch.tensor([1.0, 2.0]), {}, "lengths"),
        (torch.ones(2, 2, dtype=torch.int64), {}, "lengths"),
        (torch.tensor([1, 2]), {"pool": 0}, "pool"),
    ],
)
def test_impossible_lengths_are_refused_by_name(lengths, settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        _bucketed(lengths, 1, **settings)
