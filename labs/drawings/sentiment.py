"""The pictures of the lab `sentiment`: how readers learn, what they weigh, how their verdicts turn."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.networks.sentence import EncoderKind, SentenceClassifier
    from labs.kit.data import SentenceData
    from labs.sentiment import Answers, Fold

NAMES: dict["EncoderKind", str] = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM", "transformer": "Transformer"}
YARDSTICK = "word counts"
PUBLISHED = 76.1
"""Accuracy in %, ten folds, of the convolutional network with random first vectors (Kim 2014, CNN-rand)."""
LINE = 95
"""Letters in the longest sentence that is shown with its weights."""
TRIED = 150
"""Test sentences among which the one is searched whose verdict turned most."""


def draw_curves(models: "Sequence[EncoderKind]", run: kit.Run) -> "Figure":
    """Loss and accuracy of each model on the first fold."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4))
    for model, colour in zip(models, colours, strict=False):
        at, losses = run.history(f"{model}_0/loss/training")
        left.plot(at, kit.figures.running_median(losses), color=colour, linestyle="-", linewidth=1)
        left.plot(*run.history(f"{model}_0/validation/loss"), color=colour, linestyle="--", marker="o", markersize=4)
        at, shares = run.history(f"{model}_0/validation/accuracy")
        right.plot(at, [100 * share for share in shares], color=colour, linestyle="--", marker="o", markersize=4)
        best = max(range(len(shares)), key=shares.__getitem__)
        kept = {"label": f"{NAMES[model]}: {100 * shares[best]:.1f} %, kept", "markersize": 16}
        right.plot(at[best], 100 * shares[best], "*", color=colour, markeredgecolor="white", **kept)
    left.plot([], [], "-", color="black", label="training, words hidden and dropped")
    left.plot([], [], "o--", color="black", markersize=4, label="validation")
    left.set(title="Loss", xlabel="update", ylabel="cross-entropy (nats)")
    right.set(title="Accuracy on the validation sentences", xlabel="update", ylabel="right answers (%)")
    _ = left.legend(fontsize=9), right.legend(fontsize=9)
    return figure


def draw_accuracy(answers: "Mapping[str, Answers]", data: "SentenceData") -> "Figure":
    """Left each fold of each reader, right the right answers by length of the sentence."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import torch
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(2, 3))
    labels = ("1-10", "11-15", "16-20", "21-25", "26-30", "over 30")
    lengths = torch.tensor([len(sentence.split()) for sentence in data.sentences])
    bins = torch.bucketize(lengths, torch.tensor([10, 15, 20, 25, 30]))
    for place, ((name, said), colour) in enumerate(zip(answers.items(), colours, strict=False)):
        shares = said.shares()
        left.plot([place] * len(shares), shares, "o", color=colour, alpha=0.5, markersize=5)
        left.hlines(mean(shares), place - 0.3, place + 0.3, color=colour, linewidth=2.5)
        left.text(place + 0.32, mean(shares), f"{mean(shares):.1f}", va="center", fontsize=9, color=colour)
        parts = [said.right[bins[said.numbers] == each].double() for each in range(len(labels))]
        means = [100 * float(part.mean()) for part in parts]
        errors = [(p * (100 - p) / max(1, len(part))) ** 0.5 for p, part in zip(means, parts, strict=True)]
        at = [each + 0.08 * (place - (len(answers) - 1) / 2) for each in range(len(labels))]
        style = {"color": colour, "marker": "o", "linestyle": "-", "capsize": 3}
        right.errorbar(at, means, errors, label=name, **style)
    left.axhline(PUBLISHED, color="black", linestyle=":", linewidth=1, label=f"CNN of Kim 2014, {PUBLISHED} %")
    left.set_xticks(range(len(answers)), [name.replace(" ", "\n") for name in answers])
    left.set(title="Each fold, and the mean", ylabel="right answers (%)", xlim=(-0.6, len(answers) - 0.2))
    right.set_xticks(range(len(labels)), labels)
    right.set(title="By length of the sentence", xlabel="words", ylabel="right answers (%, ± standard error)")
    _ = left.legend(fontsize=8), right.legend(fontsize=8)
    return figure


def draw_confusion(name: str, said: "Answers", counts: "Answers", data: "SentenceData") -> "Figure":
    """What is taken for what, by the network and by the yardstick; and where one is right and the other wrong."""
    from matplotlib import pyplot as plt
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    figure, panels = plt.subplots(1, 3, figsize=(11.5, 4))
    style = {"cmap": "Blues", "colorbar": False, "values_format": ",d"}
    for axes, reader, each in zip(panels, (name, YARDSTICK), (said, counts), strict=False):
        table = confusion_matrix(each.labels, each.probabilities.argmax(dim=1), labels=range(len(data.class_names)))
        ConfusionMatrixDisplay(table, display_labels=data.class_names).plot(ax=axes, **style)
        axes.set(title=f"{reader}: {100 * float(each.right.float().mean()):.1f} % right", xlabel="says", ylabel="is")
    table = confusion_matrix(said.right, counts.right, labels=(True, False))
    ConfusionMatrixDisplay(table, display_labels=("right", "wrong")).plot(ax=panels[2], **style)
    panels[2].set(title="Who is right", xlabel=YARDSTICK, ylabel=name)
    for axes in panels:
        axes.grid(visible=False)
        axes.tick_params(axis="y", rotation=90)
    return figure


def draw_attention(name: str, network: "SentenceClassifier", said: "Answers", fold: "Fold") -> "Figure":
    """Sentences of the first fold, each word on the colour of its weight; all letters are equally wide."""
    from matplotlib import cm, colors
    from matplotlib import pyplot as plt

    examples = surest_of_each_class(said, fold)
    figure, axes = plt.subplots(figsize=(11, 1 + 0.62 * max(1, len(examples))))
    shades = cm.ScalarMappable(colors.Normalize(0, 4), "Oranges")
    for line, each in enumerate(examples):
        number, answer = int(said.numbers[each]), int(said.probabilities[each].argmax())
        truth = f"{fold.data.class_names[int(said.labels[each])]}, says {fold.data.class_names[answer]}"
        sure = 100 * float(said.probabilities[each, answer])
        verdict = f"{truth} ({sure:.0f} %)" + ("" if bool(said.right[each]) else ", wrong")
        axes.text(0, 2 * line - 0.85, verdict, fontsize=9, fontweight="bold", va="center")
        weights, words, at = network.attention(fold.row(number))[0].tolist(), fold.words(number), 0
        for word, weight in zip(words, weights, strict=True):
            times = weight * len(words)
            style = {"facecolor": shades.to_rgba(times), "edgecolor": "none", "pad": 1.2}
            ink = "white" if times > 2.8 else "black"
            axes.text(at, 2 * line, word, family="monospace", fontsize=9.5, color=ink, va="center", bbox=style)
            at += len(word) + 1
    axes.set(xlim=(-1, LINE), ylim=(2 * len(examples) - 1, -1.6))
    axes.axis("off")
    axes.set_title(f"{name}: the words it weighs, in the surest right and wrong answers to test sentences", loc="left")
    figure.colorbar(shades, ax=axes, shrink=0.7, pad=0.01, extend="max", label="weight (1: mean of the sentence)")
    return figure


def surest_of_each_class(said: "Answers", fold: "Fold") -> list[int]:
    """Of each class the two surest right answers of the first fold, and the two surest wrong ones."""
    order = said.probabilities.amax(dim=1)[: len(fold.test)].argsort(descending=True).tolist()
    order = [each for each in order if LINE // 3 <= len(fold.data.sentences[int(said.numbers[each])]) <= LINE - 10]
    kinds = [(label, right) for label in range(len(fold.data.class_names)) for right in (True, False)]
    fit = [[each for each in order if (int(said.labels[each]), bool(said.right[each])) == kind] for kind in kinds]
    return [each for found in fit for each in found[:2]]


def a_turn(network: "SentenceClassifier", fold: "Fold") -> tuple[int, "Tensor"]:
    """The test sentence whose verdict turned most to what is true, and the probabilities after each word of it."""
    turns: list[tuple[float, int, Tensor]] = []
    for number in fold.test[:TRIED].tolist():
        row = fold.row(number)
        if 8 <= row.shape[1] <= 18 or not turns:
            verdicts = foundations.predict(network, row.expand(row.shape[1], -1).tril()).softmax(dim=1).cpu()
            true = verdicts[:, fold.data.labels[number]]
            turns.append((float(true[-1] - true.min()), number, verdicts))
    return max(turns, key=lambda turn: turn[0])[1:]


def draw_reading(name: str, network: "SentenceClassifier", fold: "Fold") -> "Figure":
    """Above the verdict after each word, below which gates open and close at it (else the weights of the words)."""
    import torch
    from matplotlib import pyplot as plt

    from foundations.recurrent import GRU, LSTM, gate_openings

    number, verdicts = a_turn(network, fold)
    row, words = fold.row(number), fold.words(number)
    if isinstance(network.encoder, LSTM | GRU):
        vectors = network.embedding(row).detach()
        found = {
            f"{gate} gate": opened[0].mean(dim=1) for gate, opened in gate_openings(network.encoder, vectors).items()
        }
    else:
        found = {"attention": network.attention(row)[0]}
    rows = torch.stack(list(found.values())).cpu()
    means = rows.mean(dim=1, keepdim=True)
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 4.8), height_ratios=(1.6, 1), sharex=True)
    above.plot(100 * verdicts[:, -1].numpy(), marker="o", color=kit.figures.COLOURS[0])
    above.set(ylim=(-3, 103), ylabel=f"says {fold.data.class_names[-1]} (%)")
    above.set_title(f"{name}: its verdict if the sentence ended here, with {', '.join(found)}", loc="left")
    largest = float((rows - means).abs().max())
    shown = below.imshow((rows - means).numpy(), cmap="RdBu_r", aspect="auto", vmin=-largest, vmax=largest)
    below.set_xticks(range(len(words)), words, rotation=45, ha="right")
    below.set_yticks(range(len(found)), [f"{key}\nmean {float(at):.2f}" for key, at in zip(found, means, strict=True)])
    below.grid(visible=False)
    figure.colorbar(shown, ax=below, label="above or below\nits mean")
    return figure
