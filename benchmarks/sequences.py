"""The sequence blocks of `foundations` beside torch's own, forward and backward, and what variable lengths cost.

Measured as in `foundations_speed.py`: ours and torch's take turns in one process with one thread, a figure is the
median over the rounds of the ratio of their times (of the processor on the CPU), limits are on that ratio.

    python benchmarks/sequences.py                    # about two minutes
    python benchmarks/sequences.py --device cuda
    python benchmarks/sequences.py --only LSTM --check
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch
from foundations_speed import BLOCK, RESULTS, Figure, Pair, markdown, measure, surroundings
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from foundations.recurrent import GRU, LSTM, RNN, Recurrent

SIZES = ((64, 28, 28, 128), (32, 128, 128, 256))
"""(batch, time, features, hidden): rows of digits, and sentences."""


def recurrent_pairs(device: torch.device) -> list[Pair]:
    """Each recurrent network beside its twin; then with sequences of half to full length, torch's packed."""
    kinds: list[tuple[type[Recurrent], type[nn.RNNBase]]] = [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)]
    pairs = []
    for own, reference in kinds:
        for batch, time, features, hidden in SIZES:
            noise = torch.Generator().manual_seed(0)
            x = torch.randn(batch, time, features, generator=noise).to(device)
            lengths = torch.randint(time // 2, time + 1, (batch,), generator=noise)
            lengths[0] = time
            ours = own(features, hidden).to(device)
            torchs = reference(features, hidden, batch_first=True).to(device)
            name = f"{own.__name__}, {batch} x {time} x {features}, hidden {hidden}"
            left, right = there_and_back(lambda x, o=ours: o(x)[0], x), there_and_back(lambda x, t=torchs: t(x)[0], x)
            pairs.append(Pair(name, "recurrent", left, right, BLOCK))
            left = there_and_back(lambda x, o=ours, n=lengths: o(x, lengths=n)[0], x)
            right = there_and_back(lambda x, t=torchs, n=lengths: packed(t, x, n), x)
            pairs.append(Pair(f"{name}, lengths", "variable lengths", left, right, BLOCK))
    return pairs


def packed(network: nn.RNNBase, x: Tensor, lengths: Tensor) -> Tensor:
    """Torch's way with sequences of different lengths."""
    outputs, _ = network(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    padded: Tensor = pad_packed_sequence(outputs, batch_first=True)[0]
    return padded


def there_and_back(forward: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], None]:
    """One pass in training, with gradients of the input and the weights."""
    leaf = x.clone().requires_grad_()
    with torch.no_grad():
        slopes = torch.randn_like(forward(leaf))
    return lambda: forward(leaf).backward(slopes)


GROUPS: tuple[Callable[[torch.device], list[Pair]], ...] = (recurrent_pairs,)
"""What is measured: each makes its pairs."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default cpu)")
    parser.add_argument("--rounds", type=int, default=40, help="turns of each (default 40)")
    parser.add_argument("--turn", type=float, default=0.02, help="seconds a turn, about (default 0.02)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="pairs whose name contains one of these words")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is missed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    wanted = [word.lower() for word in arguments.only or [""]]
    pairs = [pair for group in GROUPS for pair in group(device) if any(word in pair.name.lower() for word in wanted)]
    figures = []
    gc.disable()
    for pair in pairs:
        figures.append(measure(pair, arguments.rounds, arguments.turn, device))
        gc.collect()
        print(f"  {pair.name}: {figures[-1].ratio:.3f}", file=sys.stderr, flush=True)
    print(markdown(figures))
    missed = [each.name for each in figures if not each.passes]
    print(f"\n{len(figures) - len(missed)} of {len(figures)} within their limit" + "".join(f"\n- {m}" for m in missed))
    if not arguments.only:
        write(figures, arguments, device)
    return 1 if arguments.check and missed else 0


def write(figures: list[Figure], arguments: argparse.Namespace, device: torch.device) -> None:
    """Keep the figures beside those of the other benchmarks; part of the pairs is not kept."""
    content: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": surroundings(device),
        "settings": {"rounds": arguments.rounds, "seconds_a_turn": arguments.turn},
        "figures": [asdict(each) for each in figures],
    }
    RESULTS.mkdir(exist_ok=True)
    name = "sequences.json" if device.type == "cpu" else f"sequences_{device.type}.json"
    (RESULTS / name).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
