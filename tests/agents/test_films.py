import os

import numpy as np
import pytest
from PIL import Image, ImageSequence

from agents.films import film, halved, save_film
from foundations.errors import InputError


class Swinging:
    """Pushes where the car goes."""

    def __init__(self):
        self.starts = []

    def act(self, observations, started):
        self.starts.append(bool(started[0]))
        return np.sign(observations[:, 1]).astype(np.int64) + 1


def swing(steps=6, **settings):
    return film(Swinging(), "MountainCar-v0", seed=0, steps=steps, **settings)


def test_frames_are_pictures_of_the_beginning_and_of_every_step():
    frames = swing()
    assert (frames.shape, frames.dtype) == ((7, 400, 600, 3), np.uint8)


def test_a_film_moves():
    frames = swing()
    assert not np.array_equal(frames[0], frames[-1])


def test_the_same_seed_gives_the_same_film():
    assert np.array_equal(swing(), swing())


def test_every_so_many_steps_make_a_frame():
    assert len(swing(7, every=3)) == 3  # beginning, third, sixth


def test_ends_and_beginnings_are_always_seen():
    player = Swinging()
    frames = film(player, "MountainCar-v0", seed=0, steps=8, every=100, max_episode_steps=3)
    assert len(frames) == 5  # beginning, end and beginning, end and beginning
    assert player.starts == [True, False, False] * 2 + [True, False]


def test_no_screen_is_needed(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    swing(1)
    assert os.environ["SDL_VIDEODRIVER"]


def test_a_pixel_of_a_halved_film_is_the_mean_of_four():
    frames = np.zeros((2, 4, 7, 3), np.uint8)
    frames[1, 0, 0], frames[1, 3, 3] = 200, 100
    small = halved(frames)
    assert (small.shape, small.dtype) == ((2, 2, 3, 3), np.uint8)
    assert (small[1, 0, 0, 0], small[1, 1, 1, 0], small.sum()) == (50, 25, 3 * 75)


def test_a_saved_film_plays_at_its_speed_for_ever(tmp_path):
    save_film(swing(19), tmp_path / "swing.gif", frames_per_second=10)
    with Image.open(tmp_path / "swing.gif") as saved:
        shown = [frame.info["duration"] for frame in ImageSequence.Iterator(saved)]  # equal frames become one
        assert sum(shown) == 2000
        assert saved.info["loop"] == 0
        assert saved.size == (600, 400)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "steps=0"),
        ({"every": 0}, "every=0"),
        ({"environment": "MountainCar-v9"}, "did you mean 'MountainCar-v0'"),
    ],
)
def test_bad_input_is_refused_clearly(settings, said):
    with pytest.raises(InputError) as caught:
        film(Swinging(), **{"environment": "MountainCar-v0", "seed": 0, "steps": 1, **settings})
    assert said in str(caught.value)


@pytest.mark.parametrize(("shape", "speed"), [((4, 4, 3), 30), ((0, 4, 4, 3), 30), ((1, 4, 4, 3), 0)])
def test_what_is_no_film_is_refused(tmp_path, shape, speed):
    with pytest.raises(InputError):
        save_film(np.zeros(shape, np.uint8), tmp_path / "x.gif", frames_per_second=speed)
