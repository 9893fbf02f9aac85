"""The exact models of Gymnasium's tabular environments."""

from functools import cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.toy_text.blackjack import BlackjackEnv

from agents.dynamic_programming import Floats, Model, model_of
from foundations.errors import require

CARDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10)
SUMS, DEALER, ACE = 32, 11, 2
STICK, HIT = 0, 1
BUST, NATURAL = 0, 22
"""A dealer's ends, beside the sums 17 to 21: above 21, and 21 with two cards."""


def exact_model(environment: gymnasium.Env[Any, Any]) -> Model:
    """All that `environment` may do: FrozenLake, CliffWalking and Taxi say it; Blackjack's model follows its rules.

    Raises: InputError for an environment without a table of outcomes.
    """
    bare: Any = environment.unwrapped
    if isinstance(bare, BlackjackEnv):
        return blackjack_model(natural=bare.natural, sab=bare.sab)
    known = hasattr(bare, "P") and hasattr(bare, "initial_state_distrib")
    require(known, "environment", str(environment), "FrozenLake, CliffWalking, Taxi or Blackjack: others have no model")
    require(not getattr(bare, "fickle_passenger", False), "fickle_passenger", True, "False: its model lacks the whims")
    return model_of(bare.P, bare.initial_state_distrib)


def blackjack_model(*, natural: bool = False, sab: bool = True) -> Model:
    """Blackjack of Gymnasium, from its rules: an endless deck, the dealer draws up to 17, stick = 0, hit = 1.

    A state is (sum, dealer's card, usable ace), numbered in mixed radix. One more for each card of the dealer is for a
    natural, an ace and a ten as dealt: it pays more than another 21, though the observation is the same. With `sab` it
    beats all but the dealer's natural, else with `natural` its win pays 1.5.
    Source: Sutton & Barto 2018, example 5.1.
    """
    observed = np.arange(SUMS * DEALER * ACE)
    twins = np.array([_number(21, card, 1) for card in range(DEALER)])
    observed = np.concatenate([observed, twins])
    table: dict[int, dict[int, list[tuple[float, int, float, bool]]]] = {}
    for state, seen in enumerate(observed.tolist()):
        total, card, ace = seen // (DEALER * ACE), seen // ACE % DEALER, seen % ACE
        if not (4 <= total <= 21 and card >= 1 and (not ace or total >= 12)):
            table[state] = {action: [(1.0, state, 0.0, True)] for action in (STICK, HIT)}  # never met
            continue
        is_natural = state >= SUMS * DEALER * ACE
        table[state] = {STICK: _stick(total, card, is_natural, natural, sab), HIT: _hit(total, card, ace)}
    model = model_of(table, _deal(len(observed)))
    return Model(model.probabilities, model.next_states, model.rewards, model.terminated, model.start, observed)


def _number(total: int, card: int, ace: int) -> int:
    return (total * DEALER + card) * ACE + ace


def _add(total: int, ace: int, card: int) -> tuple[int, int]:
    """A hand's sum and usable ace with one more card."""
    hard = total - 10 * ace + card
    usable = int((ace or card == 1) and hard + 10 <= 21)
    return hard + 10 * usable, usable


def _hit(total: int, dealer: int, ace: int) -> list[tuple[float, int, float, bool]]:
    outcomes = []
    for card in CARDS:
        more, usable = _add(total, ace, card)
        bust = more > 21
        outcomes.append((1 / len(CARDS), 0 if bust else _number(more, dealer, usable), -1.0 * bust, bust))
    return outcomes


def _stick(total: int, card: int, is_natural: bool, natural: bool, sab: bool) -> list[tuple[float, int, float, bool]]:
    chances: dict[float, float] = {}
    for end, chance in _dealer(card).items():
        theirs = 21 if end == NATURAL else end
        reward = float(np.sign(total - theirs))
        if is_natural and sab and end != NATURAL:
            reward = 1.0
        elif is_natural and natural and not sab and reward == 1:
            reward = 1.5
        chances[reward] = chances.get(reward, 0.0) + chance
    return [(chance, 0, reward, True) for reward, chance in chances.items()]


@cache
def _dealer(card: int) -> dict[int, float]:
    """How the dealer ends who shows `card`: end -> probability."""
    ends: dict[int, float] = {}

    def draw(total: int, ace: int, cards: int, chance: float) -> None:
        if total >= 17:
            end = BUST if total > 21 else NATURAL if total == 21 and cards == 2 else total
            ends[end] = ends.get(end, 0.0) + chance
            return
        for each in CARDS:
            draw(*_add(total, ace, each), cards + 1, chance / len(CARDS))

    draw(*_add(0, 0, card), 1, 1.0)
    return ends


def _deal(states: int) -> Floats:
    """Two cards for the player, one of the dealer's to see."""
    start = np.zeros(states)
    for first in CARDS:
        for second in CARDS:
            total, ace = _add(*_add(0, 0, first), second)
            for dealer in CARDS:
                is_natural = total == 21
                state = SUMS * DEALER * ACE + dealer if is_natural else _number(total, dealer, ace)
                start[state] += len(CARDS) ** -3
    return start
