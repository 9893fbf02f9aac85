"""Films of an agent at play, made without a screen."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Env
from numpy.typing import NDArray
from PIL import Image

from agents.environments import make_one
from agents.evaluation import player_of
from agents.playing import Agent, Player
from foundations.errors import require

Frames = NDArray[np.uint8]


def film(
    agent_or_player: Agent | Player, environment: str, *, seed: int, steps: int, every: int = 1, **settings: Any
) -> Frames:
    """What is seen while the agent plays greedily for `steps` steps, one episode after the other.

    A frame is taken every `every` steps, and always where an episode starts or ends. `settings` go to the
    environment's constructor.
    Shapes: (frames, height, width, 3), bytes.
    Raises: InputError for an unknown environment, one that draws no pictures, and counts below 1.
    """
    require(steps >= 1, "steps", steps, "at least 1")
    require(every >= 1, "every", every, "at least 1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame's pictures without a screen
    modes = make_one(environment, **settings).metadata.get("render_modes") or []
    require("rgb_array" in modes, "environment", environment, 'one with the render mode "rgb_array"')
    stage = make_one(environment, render_mode="rgb_array", **settings)
    try:
        return np.stack(_frames(player_of(agent_or_player, greedy=True, seed=seed), stage, seed, steps, every))
    finally:
        stage.close()


def _frames(player: Player, stage: Env[Any, Any], seed: int, steps: int, every: int) -> list[Frames]:
    observation, _ = stage.reset(seed=int(np.random.SeedSequence(seed).generate_state(1)[0]))
    frames, started = [_frame(stage)], True
    for step in range(1, steps + 1):
        action = player.act(np.asarray(observation)[None], np.array([started]))[0]
        observation, _, terminated, truncated, _ = stage.step(action)
        started = bool(terminated or truncated)
        if step % every == 0 or started:
            frames.append(_frame(stage))
        if started and step < steps:
            observation, _ = stage.reset()
            frames.append(_frame(stage))
    return frames


def _frame(stage: Env[Any, Any]) -> Frames:
    return np.array(stage.render(), np.uint8)


def halved(frames: Frames) -> Frames:
    """Frames of half the height and width, each pixel the mean of four, so that thin lines stay.

    Shapes: (frames, height, width, 3) -> (frames, height // 2, width // 2, 3), bytes.
    """
    count, height, width, colours = frames.shape
    even = frames[:, : height // 2 * 2, : width // 2 * 2]
    small: Frames = even.reshape(count, height // 2, 2, width // 2, 2, colours).mean(axis=(2, 4)).astype(np.uint8)
    return small


def save_film(frames: Frames, file: Path, *, frames_per_second: float = 30.0) -> None:
    """Write `frames` (count, height, width, 3) as an animated GIF that plays for ever.

    Raises: InputError for what is no film, and for a speed that is not above 0.
    """
    require(frames.ndim == 4 and frames.shape[-1] == 3 and len(frames) > 0, "frames", frames.shape, "(n, h, w, 3)")
    require(frames_per_second > 0, "frames_per_second", frames_per_second, "above 0")
    pictures = [Image.fromarray(frame).quantize(64, dither=Image.Dither.NONE) for frame in frames]
    milliseconds = max(20, round(1000 / frames_per_second))  # viewers slow down what is faster
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, optimize=True)
