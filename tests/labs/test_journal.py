"""The journal: what it acknowledged outlives every end."""

import os

import pytest

from labs.kit.journal import Journal, Point, read_points

POINTS = [Point("loss", 0.1, 1, 1000), Point("loss", 1e-300, 2, 2000), Point("größe/θ", -3.5, 3, 3000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_points_come_back_as_they_went_in(path):
    Journal(path).append(POINTS)
    assert read_points(path) == POINTS


def test_no_journal_holds_no_points(path):
    assert read_points(path) == []


def test_a_point_is_readable_at_once_without_closing(path):
    journal = Journal(path)
    journal.append(POINTS[:1])
    assert read_points(path) == POINTS[:1]


def test_half_a_line_at_the_end_is_not_a_point(path):
    Journal(path).append(POINTS)
    with path.open("a") as file:
        file.write('["loss", 0.')
    assert read_points(path) == POINTS


def test_appending_after_half_a_line_loses_only_the_half(path):
    Journal(path).append(POINTS[:2])
    with path.open("a") as file:
        file.write('["loss", 0.')
    Journal(path).append(POINTS[2:])
    assert read_points(path) == POINTS


def test_a_reopened_journal_keeps_what_was_there(path):
    for point in POINTS:
        journal = Journal(path)
        journal.append([point])
        journal.close()
    assert read_points(path) == POINTS


def test_a_disk_that_fills_up_leaves_no_half_points(path, monkeypatch):
    journal = Journal(path)
    journal.append(POINTS[:1])
    write, room = os.write, [20]

    def nearly_full(file, data):
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = write(file, data[: room[0]])
        room[0] -= taken
        return taken

    with monkeypatch.context() as full:
        full.setattr(os, "write", nearly_full)
        with pytest.raises(OSError, match="No space"):
            journal.append(POINTS[1:])
    assert path.read_bytes().endswith(b"]\n")
    journal.append(POINTS[1:])
    assert read_points(path) == POINTS


def test_closing_twice_does_no_harm(path):
    journal = Journal(path)
    journal.append(POINTS)
    journal.close()
    journal.close()
    assert read_points(path) == POINTS
