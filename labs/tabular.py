"""Q-learning, SARSA, expected SARSA and double Q-learning on maps and cards, against the optimum.

The environment's model is known here: value iteration gives the optimum, and every policy's exact value. How far is
what was learned from the best there is? On the cliff the four also learn with a steady tenth of random steps: SARSA,
which counts them in, takes the safe path; Q-learning, which does not, walks along the edge, and falls.
Sutton & Barto 2018, "Reinforcement Learning: An Introduction", chapters 4 to 6; van Hasselt 2010 (double Q-learning).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge

import labs.kit as kit
from labs.drawings.tabular import METHODS, WANTED

if TYPE_CHECKING:
    from agents.tabular import Comparison

topic = "agents"


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    env: Literal["frozen_lake", "frozen_lake_8x8", "cliff_walking", "taxi", "blackjack"] = "frozen_lake"
    """Where to learn."""
    repetitions: kit.Count = 5
    """Repetitions of each method; the maps show the first."""
    episodes: Annotated[int, Ge(0)] = 0
    """Episodes of each; 0 takes as many as suit the environment."""
    looks: kit.Count = 20
    """How often the learned policies are evaluated exactly meanwhile."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"repetitions": 2, "episodes": 600, "looks": 6},
        "full": {"repetitions": 10, "looks": 40},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Learn with every method, compare with the optimum, draw what was learned."""
    from agents.tabular.recipes import EDGE, RECIPES, compare
    from labs.drawings import tabular as drawings

    recipe = RECIPES[config.env]
    episodes = config.episodes or (recipe.episodes if config.preset != "full" else recipe.full or 2 * recipe.episodes)
    comparison = compare(recipe, episodes=episodes, looks=config.looks, seeds=config.repetitions, streams=run.streams)
    for _ in run.follow(comparison, steps=config.looks, examples_per_step=episodes // config.looks):
        pass
    tell(comparison, run)
    run.figure("learning", drawings.draw_learning(comparison, recipe.name))
    bare: Any = comparison.members["sarsa"][0].environment.unwrapped
    if config.env == "blackjack":
        run.figure("policy", drawings.draw_blackjack(comparison))
    elif config.env == "taxi":
        run.figure("policy", drawings.draw_taxi(comparison, bare))
    else:
        grid = drawings.Grid.of(bare)
        run.figure("policies", drawings.draw_policies(comparison, recipe.name, grid))
        run.figure("q_table", drawings.draw_q_table(comparison, recipe.name, grid))
    if config.env == "cliff_walking":
        streams = run.streams.child("edge")
        edge = compare(EDGE, episodes=EDGE.episodes, looks=50, seeds=config.repetitions, streams=streams)
        for _ in run.follow(edge, steps=50, examples_per_step=EDGE.episodes // 50, name="random_steps"):
            pass
        run.figure("safe_path_or_edge", drawings.draw_edge(edge, grid))
        run.summary({f"return_with_random_steps/{method}": edge.late_return(method) for method in METHODS})


def tell(comparison: "Comparison", run: kit.Run) -> None:
    """The table of what was reached, the figures by which the run is judged, and an alarm where that is too little."""
    rows, summary = [], {"optimum": comparison.optimum}
    for method, name in METHODS.items():
        last = comparison.gaps[method][-1]
        summary |= {f"gap_percent/{method}": sum(last) / len(last), f"gap_percent/worst/{method}": max(last)}
        rows.append(
            {
                "method": name,
                "optimum": f"{comparison.optimum:.4f}",
                "below it, mean %": f"{sum(last) / len(last):.2f}",
                "mean, in reward": f"{abs(comparison.optimum) * sum(last) / len(last) / 100:.4f}",
                "worst seed %": f"{max(last):.2f}",
                "seeds within 2 %": f"{sum(gap <= WANTED for gap in last)} of {len(last)}",
                "steps, mean": f"{sum(each.environment_steps for each in comparison.members[method]) // len(last):,}",
            }
        )
        if max(last) > WANTED:
            run.note(f"{name}: a policy is {max(last):.1f} % below the optimum; more episodes would bring it closer")
    run.table("policies", rows)
    run.summary(summary)


if __name__ == "__main__":
    kit.launch(main)
