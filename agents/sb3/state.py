"""All that a Stable-Baselines3 model needs to go on exactly, as tensors and plain values; its own save leaves some out.

Saved by the library are weights, optimizers and settings. Here are also the place in the environments, the replay
buffer (its filled part), running statistics, counters and the stream of the action space.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import VecNormalize

from foundations.errors import require

COUNTERS = (
    *("num_timesteps", "_episode_num", "_n_updates", "_n_calls", "_total_timesteps", "_num_timesteps_at_start"),
    *("_current_progress_remaining", "exploration_rate"),
)
ARRAYS = ("_last_obs", "_last_original_obs", "_last_episode_starts")
REPLAYED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
STATISTICS = ("obs_rms", "ret_rms")


def model_state(model: BaseAlgorithm) -> dict[str, Any]:
    """The state of `model`, environments and global streams apart."""
    _, others = model._get_torch_save_params()
    state: dict[str, Any] = {
        "parameters": model.get_parameters(),
        "tensors": {name: recursive_getattr(model, name).detach().clone() for name in others},
        "counters": {name: _plain(getattr(model, name)) for name in COUNTERS if hasattr(model, name)},
        "arrays": {name: _tensor(getattr(model, name, None)) for name in ARRAYS},
        "actions": model.action_space.np_random.bit_generator.state,
    }
    replay = getattr(model, "replay_buffer", None)
    if replay is not None:
        state["replay"] = _replay_state(replay)
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None:
        state["normalizer"] = _normalizer_state(normalizer)
    return state


def load_model_state(model: BaseAlgorithm, state: Mapping[str, Any]) -> None:
    """Continue from `state`."""
    model.set_parameters(dict(state["parameters"]), exact_match=True, device=model.device)
    for name, saved in state["tensors"].items():
        recursive_getattr(model, name).data.copy_(saved)
    for name, value in state["counters"].items():
        setattr(model, name, value)
    for name, saved in state["arrays"].items():
        setattr(model, name, None if saved is None else saved.numpy().copy())
    model.action_space.np_random.bit_generator.state = state["actions"]
    if "replay" in state:
        _load_replay(getattr(model, "replay_buffer"), state["replay"])  # noqa: B009  only some models have one
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None:
        _load_normalizer(normalizer, state["normalizer"])


def _replay_state(replay: ReplayBuffer) -> dict[str, Any]:
    count = replay.size()
    arrays = {name: torch.from_numpy(getattr(replay, name)[:count].copy()) for name in REPLAYED}
    return {**arrays, "pos": replay.pos, "full": replay.full}


def _load_replay(replay: ReplayBuffer, state: Mapping[str, Any]) -> None:
    count = len(state["rewards"])
    require(count <= replay.buffer_size, "buffer_size", replay.buffer_size, f"at least the {count} saved steps")
    for name in REPLAYED:
        getattr(replay, name)[:count] = state[name].numpy()
    replay.pos, replay.full = state["pos"], state["full"]


def _normalizer_state(normalizer: VecNormalize) -> dict[str, Any]:
    statistics = {}
    for name in STATISTICS:
        if (found := getattr(normalizer, name, None)) is not None:
            mean, variance = (torch.from_numpy(np.array(each)) for each in (found.mean, found.var))
            statistics[name] = {"mean": mean, "var": variance, "count": float(found.count)}
    running = {name: _tensor(getattr(normalizer, name)) for name in ("returns", "old_obs", "old_reward")}
    return {"statistics": statistics, "running": running}


def _load_normalizer(normalizer: VecNormalize, state: Mapping[str, Any]) -> None:
    for name, saved in state["statistics"].items():
        statistics: RunningMeanStd = getattr(normalizer, name)
        statistics.mean, statistics.var = saved["mean"].numpy().copy(), saved["var"].numpy().copy()
        statistics.count = saved["count"]
    for name, saved in state["running"].items():
        setattr(normalizer, name, saved.numpy().copy())


def _tensor(array: Any) -> torch.Tensor | None:
    return None if array is None else torch.from_numpy(np.array(array))


def _plain(value: Any) -> int | float:
    return value if isinstance(value, int | float) else float(value)
