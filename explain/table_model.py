"""A model of rows with one answer that is explained: its explanations, over many rows, and their trial by hiding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explain.background import Background
from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.quality import random_orders
from explain.tabular import explain_rows, hide_columns
from explain.trials import curves_from_typical

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TableModel:
    """A model of the rows of a table, what rows are typical of them, and the number of the output that is explained."""

    box: BlackBox
    background: Background
    label: int = 0

    def answer(self, rows: "pd.DataFrame") -> Array:
        """The explained output of each row. Shape: (rows,)."""
        return self.box(rows)[:, self.label]

    def near(self, rows: "pd.DataFrame") -> NDArray[np.bool_]:
        """Whether each row is within reach of rows drawn around the mean. Shape: (rows,)."""
        return self.background.within_reach(self.background.encode(rows))

    def explain(self, rows: "pd.DataFrame", *, samples: int, seed: int, **settings: Any) -> list[Explanation]:
        """Explanations of the rows, with all columns unless `settings` (those of `explain_rows`) say otherwise."""
        given: dict[str, Any] = {"samples": samples, "seed": seed, "labels": [self.label], "count": None, **settings}
        return explain_rows(self.box, rows, self.background, **given)

    def again(self, row: "pd.DataFrame") -> Callable[[int, int], Explanation]:
        """The explanation of a table of one row, as a function of samples and seed."""
        return lambda samples, seed: self.explain(row, samples=samples, seed=seed)[0]

    def curves(
        self, rows: "pd.DataFrame", found: Sequence[Explanation], *, draws: int, seed: int
    ) -> tuple[dict[str, Array], int]:
        """What hiding columns in the order of the explanations does, beside `draws` orders at random, over all rows.

        See `curves_from_typical`.
        """
        hides = [hide_columns(rows.iloc[number], self.background) for number in range(len(rows))]
        return curves_from_typical(
            self.box, hides, found, self.label, random_orders(len(self.background.names), draws, seed)
        )
