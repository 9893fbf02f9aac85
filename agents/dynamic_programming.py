"""Dynamic programming: the best there is to learn, from a complete model of the environment.

A `Model` lists what each action in each state may lead to. From it follow the value of any policy and the optimum,
which tabular agents are measured against. All values are in units of reward.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array
from scipy.sparse.linalg import spsolve

from foundations.errors import InputError, require

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CERTAIN = 1e-9
"""How far from 1 the probabilities of an action's outcomes may sum."""
TIED = 1e-9
"""Actions whose values differ by less than this share of the largest are equally good: rounding decides nothing."""


@dataclass(frozen=True, eq=False)
class Model:
    """All that an environment of finitely many states may do: p(s', r | s, a), as a list of outcomes.

    Shapes: `probabilities`, `next_states`, `rewards`, `terminated` (states, actions, outcomes), outcomes that are none
    having probability 0; `start` (states), the probability to begin there; `observed` (states), what an agent sees of
    a state, where that is less than all: policies choose by it.
    Raises: InputError for probabilities outside [0, 1] or that do not sum to 1, and for states that are none.
    """

    probabilities: Floats
    next_states: Integers
    rewards: Floats
    terminated: NDArray[np.bool_]
    start: Floats
    observed: Integers

    def __post_init__(self) -> None:
        shape = self.probabilities.shape
        require(len(shape) == 3, "probabilities shape", shape, "(states, actions, outcomes)")
        for name in ("next_states", "rewards", "terminated"):
            require(getattr(self, name).shape == shape, f"{name} shape", getattr(self, name).shape, str(shape))
        for name, numbers in (("probabilities", self.probabilities), ("start", self.start)):
            low, high = float(numbers.min()), float(numbers.max())
            require(low >= 0 and high <= 1 + CERTAIN, name, f"{low:g} to {high:g}", "between 0 and 1")
            sums = numbers.sum(-1)
            require(bool(np.all(np.abs(sums - 1) < CERTAIN)), f"sum of {name}", float(sums.min()), "1")
        low, high = int(self.next_states.min()), int(self.next_states.max())
        require(low >= 0 and high < self.states, "next_states", f"{low} to {high}", f"from 0 to {self.states - 1}")

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.probabilities)

    @property
    def actions(self) -> int:
        """How many actions there are in each."""
        return int(self.probabilities.shape[1])

    def at_start(self, values: Floats) -> float:
        """The mean of `values` (states) over the states in which episodes begin."""
        return float(self.start @ values)


@dataclass(frozen=True, eq=False)
class Solution:
    """The optimum: `values` (states), `action_values` (states, actions), a best `policy` (states), rounds it took."""

    values: Floats
    action_values: Floats
    policy: Integers
    rounds: int


def model_of(table: dict[int, dict[int, list[tuple[float, int, float, bool]]]], start: Floats) -> Model:
    """The model in Gymnasium's form, table[state][action] = [(probability, next state, reward, terminated), ...].

    Use: `model_of(environment.unwrapped.P, environment.unwrapped.initial_state_distrib)`.
    """
    rows = [[table[state][action] for action in sorted(table[state])] for state in sorted(table)]
    most = max(len(outcomes) for row in rows for outcomes in row)
    none = (0.0, 0, 0.0, False)
    full = [[[*outcomes, *[none] * (most - len(outcomes))] for outcomes in row] for row in rows]
    probabilities, following, rewards, terminated = np.moveaxis(np.array(full, dtype=np.float64), -1, 0)
    everything = np.arange(len(rows))
    ends = terminated.astype(np.bool_)
    return Model(probabilities, following.astype(np.int64), rewards, ends, np.asarray(start, np.float64), everything)


def action_values(model: Model, values: Floats, gamma: float) -> Floats:
    """Q(s, a) = sum over s', r of p(s', r | s, a) (r + gamma V(s')), where V is 0 behind an end.

    Shapes: values (states) -> (states, actions).
    """
    onward = np.where(model.terminated, 0.0, values[model.next_states])
    found: Floats = (model.probabilities * (model.rewards + gamma * onward)).sum(-1)
    return found


def greedy(action_values: Floats) -> Integers:
    """The first of each state's best actions. Shapes: (states, actions) -> (states)."""
    best = action_values.max(-1, keepdims=True)
    found: Integers = (action_values >= best - TIED * np.maximum(1, np.abs(best))).argmax(-1)
    return found


def likeliest_path(model: Model, policy: NDArray[np.int64]) -> Integers:
    """The states that `policy` goes through from the likeliest start, each step to its likeliest outcome.

    The path stops at an end, whose next state is its last, and before a state where it has been already.
    Shapes: policy (states), an action each -> (steps + 1).
    """
    state, path, ended = int(model.start.argmax()), list[int](), False
    while not ended and state not in path:
        path.append(state)
        action = int(policy[state])
        outcome = int(model.probabilities[state, action].argmax())
        ended = bool(model.terminated[state, action, outcome])
        state = int(model.next_states[state, action, outcome])
    return np.array([*path, state] if ended else path, np.int64)


def evaluate_policy(model: Model, policy: NDArray[Any], gamma: float, *, horizon: int | None = None) -> Floats:
    """V(s): the expected return of `policy` from each state, by solving V = r + gamma P V.

    With a `horizon`, the expected return of so many steps, by so many sweeps: it exists with gamma = 1 even for
    policies that never end an episode.

    Shapes: policy (states), an action each, or (states, actions), their probabilities -> (states).
    Raises: InputError for gamma outside [0, 1], a policy of another shape, and where gamma is 1, there is no horizon
    and the policy may go on for ever.
    """
    require(0 <= gamma <= 1, "gamma", gamma, "between 0 and 1")
    moves, rewards = _under(model, _probabilities(model, policy))
    if horizon is None:
        if gamma == 1:
            _require_ends(moves)
        return np.asarray(spsolve((eye_array(model.states) - gamma * moves).tocsc(), rewards), np.float64)
    require(horizon >= 1, "horizon", horizon, "at least 1 step")
    values = np.zeros(model.states)
    for _ in range(horizon):
        values = rewards + gamma * (moves @ values)
    return values


def value_iteration(model: Model, gamma: float, *, tolerance: float = 1e-10, limit: int = 100_000) -> Solution:
    """The optimum by sweeps of V(s) <- max over a of Q(s, a), until no value moves by more than `tolerance`.

    Raises: InputError for gamma outside [0, 1], a limit below 1, and where `limit` sweeps do not do (with gamma = 1,
    values may grow for ever).
    Source: Bellman 1957, "Dynamic Programming"; Sutton & Barto 2018, section 4.4.
    """
    require(0 <= gamma <= 1, "gamma", gamma, "between 0 and 1")
    require(limit >= 1, "limit", limit, "at least 1 sweep")
    values = np.zeros(model.states)
    for sweep in range(1, limit + 1):
        better = action_values(model, values, gamma).max(-1)
        change = float(np.abs(better - values).max())
        values = better
        if change <= tolerance:
            found = action_values(model, values, gamma)
            return Solution(values, found, greedy(found), sweep)
    raise InputError(f"gamma={gamma}: values still move by {change:.2g} after {limit} sweeps; give a smaller gamma")


def policy_iteration(model: Model, gamma: float) -> Solution:
    """The optimum by turns: the exact value of a policy, then the policy that is greedy for it, until it stays.

    It starts from the policy that takes every action with the same probability, which ends its episodes wherever any
    policy does; an action is given up for a better one only.
    Raises: InputError for gamma outside [0, 1], and with gamma = 1 where a policy may never end an episode.
    Source: Howard 1960, "Dynamic Programming and Markov Processes"; Sutton & Barto 2018, section 4.3.
    """
    policy = greedy(action_values(model, evaluate_policy(model, _uniform(model), gamma), gamma))
    rounds = 1
    while True:
        values = evaluate_policy(model, policy, gamma)
        found = action_values(model, values, gamma)
        kept = np.take_along_axis(found, policy[:, None], axis=1)[:, 0]
        best = found.max(-1)
        improves = best - kept > TIED * np.maximum(1, np.abs(best))
        if not improves.any():
            return Solution(values, found, policy, rounds)
        policy = np.where(improves, greedy(found), policy)
        rounds += 1


def _uniform(model: Model) -> Floats:
    return np.full((model.states, model.actions), 1 / model.actions)


def _probabilities(model: Model, policy: NDArray[Any]) -> Floats:
    """`policy` as probabilities (states, actions)."""
    if policy.ndim == 1 and len(policy) == model.states:
        valid = policy.size > 0 and policy.min() >= 0 and policy.max() < model.actions
        require(bool(valid), "policy", f"{policy.min()} to {policy.max()}", f"actions from 0 to {model.actions - 1}")
        chosen: Floats = np.eye(model.actions)[policy]
        return chosen
    shapes = f"({model.states},) or ({model.states}, {model.actions})"
    require(policy.shape == (model.states, model.actions), "policy shape", policy.shape, shapes)
    fair = bool((policy >= 0).all() and np.allclose(policy.sum(-1), 1))
    require(fair, "policy", f"{policy.min():g} to {policy.max():g}", "probabilities that sum to 1 in each state")
    return policy


def _under(model: Model, policy: Floats) -> "tuple[csr_array[np.float64], Floats]":
    """What a policy makes of the model: P (states, states) without what ends an episode, and r (states)."""
    weights = policy[:, :, None] * model.probabilities
    rewards: Floats = (weights * model.rewards).sum((1, 2))
    goes_on = (weights > 0) & ~model.terminated
    pairs = np.nonzero(goes_on)[0], model.next_states[goes_on]
    moves = coo_array((weights[goes_on], pairs), shape=(model.states, model.states))
    return moves.tocsr(), rewards


def _require_ends(moves: "csr_array[np.float64]") -> None:
    """Every state must lead to an end: states that do not keep all their probability among themselves."""
    ends: NDArray[np.bool_] = moves.sum(1) < 1 - CERTAIN
    while True:
        more = ends | (moves @ ends.astype(np.float64) > 0)
        if (more == ends).all():
            break
        ends = more
    allowed = f"below 1, since the policy never ends an episode from state {int((~ends).argmax())}; or give a horizon"
    require(bool(ends.all()), "gamma", 1, allowed)
