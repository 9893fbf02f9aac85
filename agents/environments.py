"""Gymnasium environments by name, many side by side: the fast kind where there is one, clear errors elsewhere."""

import importlib
import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, VectorEnv

import agents.envs  # noqa: F401  registers the environments of this package
from foundations.errors import InputError, require, require_choice

Autoreset = Literal["next_step", "same_step"]

MODES = {"next_step": AutoresetMode.NEXT_STEP, "same_step": AutoresetMode.SAME_STEP}
EXTRAS = {
    "gymnasium.envs.box2d": "deep-learning-labs[box2d]",
    "gymnasium.envs.mujoco": "gymnasium[mujoco]",
    "gymnasium.envs.phys2d": "gymnasium[jax]",
    "gymnasium.envs.tabular": "gymnasium[jax]",
}
"""What to install for a family of environments, by the module that holds it."""

Made = TypeVar("Made")


def make_environments(
    environment: str, count: int, *, autoreset: Autoreset = "next_step", **settings: Any
) -> VectorEnv[Any, Any, Any]:
    """`count` environments of Gymnasium's id `environment` side by side; `settings` go to their constructor.

    Written for many at once in NumPy where such a version exists and takes all the settings, one after the other
    (`SyncVectorEnv`) elsewhere. `autoreset` says what follows an episode's end: "next_step", the default of
    Gymnasium, spends a step on the reset; "same_step" resets at once.

    Raises: InputError for an unknown environment or setting, a missing package, and a count below 1.
    """
    require(count >= 1, "count", count, "at least 1 environment")
    require_choice("autoreset", autoreset, MODES)
    spec = find(environment)
    mode = MODES[autoreset]
    chosen = settings if mode is AutoresetMode.NEXT_STEP else {**settings, "autoreset_mode": mode}
    if _has_vector_form(spec, chosen):
        return _built(
            spec, lambda: gymnasium.make_vec(spec, count, vectorization_mode="vector_entry_point", **chosen), settings
        )
    options = {"disable_env_checker": True, **settings}  # its wrapper costs time at every step
    sync = {"autoreset_mode": mode}
    return _built(
        spec,
        lambda: gymnasium.make_vec(spec, count, vectorization_mode="sync", vector_kwargs=sync, **options),
        settings,
    )


def make_one(environment: str, **settings: Any) -> gymnasium.Env[Any, Any]:
    """A single environment of Gymnasium's id `environment`, as `gymnasium.make` builds it.

    Raises: InputError for an unknown environment or setting, and for a missing package.
    """
    spec = find(environment)
    return _built(spec, lambda: gymnasium.make(spec, **settings), settings)


def find(environment: str) -> EnvSpec:
    """What is registered under `environment`; "module:Id-v0" imports the module first.

    Raises: InputError for what is not registered, with the nearest names.
    """
    module, _, name = environment.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise InputError(
                f"environment={environment!r}: module {module!r} was not found; install it first"
            ) from error
    spec = gymnasium.registry.get(name)
    if spec is None:
        lower = {known.lower(): known for known in gymnasium.registry}
        near = [lower[each] for each in get_close_matches(name.lower(), lower, n=3)]
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise InputError(f"environment={environment!r}: must be the id of a registered Gymnasium environment{hint}")
    return spec


def _has_vector_form(spec: EnvSpec, settings: dict[str, Any]) -> bool:
    if spec.vector_entry_point is None:
        return False
    creator = _built(spec, lambda: _creator(spec), settings)
    return settings.keys() <= inspect.signature(creator).parameters.keys()


def _creator(spec: EnvSpec) -> Callable[..., Any]:
    entry = spec.vector_entry_point
    found: Callable[..., Any] = load_env_creator(entry) if isinstance(entry, str) else entry  # type: ignore[assignment]
    return found


def _built(spec: EnvSpec, build: Callable[[], Made], settings: dict[str, Any]) -> Made:
    """What `build` gives, the errors of a missing package and of a wrong setting said clearly."""
    try:
        return build()
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        family = next((extra for module, extra in EXTRAS.items() if module in str(spec.entry_point)), "gymnasium[all]")
        raise InputError(
            f"environment={spec.id!r}: needs a package that is not installed; install it: pip install '{family}'"
        ) from error
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"settings={settings!r}: must be settings of {spec.id} ({error})") from error
