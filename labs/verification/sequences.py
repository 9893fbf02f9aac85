"""Layers over sequences against torch's: embeddings, recurrent networks, attention."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import foundations
from labs.verification.twin import Twin, modules, normal

TOKENS = torch.tensor([[0, 3, 6, 3], [5, 1, 0, 2]])
AREA = "sequences"
VARIANTS: dict[str, dict[str, Any]] = {"": {}, ", 2 layers, both directions": {"num_layers": 2, "bidirectional": True}}


class _Looked(nn.Module):
    """The rows of an embedding that some tokens look up, times x: so it has an input with a gradient."""

    def __init__(self, table: nn.Module) -> None:
        super().__init__()
        self.table = table

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.table(TOKENS)
        return rows * x


class _Shown(nn.Module):
    """The first of what a layer gives, without states or weights."""

    def __init__(self, layer: nn.Module, *, three: bool = False) -> None:
        super().__init__()
        self.layer, self.inputs = layer, 3 if three else 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(*[x] * self.inputs)
        shown: Tensor = y if isinstance(y, Tensor) else y[0]
        return shown


def sequence_twins() -> list[Twin]:
    """Embedding, RNN, GRU and LSTM, multi-head attention; both bodies where there are two."""
    rows, steps = (lambda: normal(2, 4, 3)), (lambda: normal(3, 6, 5))
    table = _looked(foundations.Embedding)
    one_hot = _looked(foundations.Embedding, body="equations")
    twins = [
        Twin("Embedding", AREA, "torch.nn.Embedding", modules(table, _looked(nn.Embedding), rows)),
        Twin("Embedding, equations", AREA, "its own kernel body", modules(one_hot, table, rows)),
    ]
    for own, reference in ((foundations.RNN, nn.RNN), (foundations.GRU, nn.GRU), (foundations.LSTM, nn.LSTM)):
        for variant, options in VARIANTS.items():
            torch_layer = _shown(reference, 5, 4, batch_first=True, **options)
            compare = modules(_shown(own, 5, 4, **options), torch_layer, steps)
            twins.append(Twin(f"{own.__name__}{variant}", AREA, f"torch.nn.{reference.__name__}", compare))
    written = modules(_shown(foundations.LSTM, 5, 4, body="equations"), _shown(foundations.LSTM, 5, 4), steps)
    twins.append(Twin("LSTM, equations", AREA, "its own kernel body", written))
    heads = lambda: normal(2, 5, 8)  # noqa: E731
    attention = _shown(foundations.MultiHeadAttention, 8, 2)
    torch_attention = lambda: _Shown(nn.MultiheadAttention(8, 2, batch_first=True), three=True)  # noqa: E731
    by_hand = _shown(foundations.MultiHeadAttention, 8, 2, body="equations")
    return [
        *twins,
        Twin("MultiHeadAttention", AREA, "torch.nn.MultiheadAttention", modules(attention, torch_attention, heads)),
        Twin("MultiHeadAttention, equations", AREA, "its own kernel body", modules(by_hand, attention, heads)),
    ]


def _looked(kind: type[nn.Module], **options: Any) -> Callable[[], nn.Module]:
    return lambda: _Looked(kind(7, 3, **options))


def _shown(kind: type[nn.Module], *sizes: int, **options: Any) -> Callable[[], nn.Module]:
    return lambda: _Shown(kind(*sizes, **options))
