"""What `python -m labs find` knows of a tree, and what it puts first."""

from pathlib import Path

import pytest

from labs.finding.index import Index, read
from labs.finding.question import ask
from labs.finding.ranking import search


@pytest.fixture(scope="module")
def tree() -> Index:
    """The project itself."""
    return read()


MODULE = '''"""Pooling: one number for many."""


class Pool:
    """Max pooling.

    Source: nobody.
    """

    def __init__(self, stride: int) -> None: ...

    def forward(self) -> None:
        """Apply it."""

    def _hidden(self) -> None: ...


def _private() -> None: ...
'''
LAB = '''"""Pool images.

More of it.
"""

import foundations

foundations.Pool(2)
'''
TESTS = '''"""Pools."""

import pytest


@pytest.mark.parametrize(
    "size",
    [1, 2],
)
def test_the_largest_wins(size):
    assert Pool(size)


def helper():
    pass


async def test_an_empty_pool_is_refused():
    pass
'''


@pytest.fixture
def small(tmp_path) -> Path:
    """A tree of one module, one lab, one command and two tests."""
    files = {
        "pyproject.toml": "",
        "foundations/__init__.pyi": "from .pools import Pool as Pool\n",
        "foundations/pools.py": MODULE,
        "labs/__main__.py": 'COMMANDS = {"ui": ("labs.kit.dashboard:main", "the dashboard: ui")}\n',
        "labs/pooled.py": LAB,
        "tests/foundations/test_pools.py": TESTS,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(index: Index, kind: str) -> list[tuple[str, int]]:
    return [(entry.name, entry.line) for entry in index.entries[kind]]


def test_modules_and_their_public_symbols_are_known_with_their_lines(small):
    assert names(read(small), "code") == [
        ("foundations.pools", 1),
        ("foundations.pools.Pool", 4),
        ("foundations.pools.Pool.forward", 12),
    ]


def test_labs_and_commands_are_known_with_their_summaries(small):
    found = [(entry.name, entry.summary) for entry in read(small).entries["labs"]]
    assert found == [("labs.pooled", "Pool images."), ("labs ui", "the dashboard: ui")]


def test_tests_are_known_by_their_facts_and_the_lines_of_their_names(small):
    found = [(entry.summary, entry.line) for entry in read(small).entries["tests"]]
    assert found == [("the largest wins", 10), ("an empty pool is refused", 18)]


def test_what_decorates_a_test_belongs_to_it_and_what_follows_does_not(small):
    body = read(small).entries["tests"][0].source
    assert "parametrize" in body
    assert "helper" not in body


def test_what_a_class_is_made_from_is_found(small):
    index = read(small)
    assert search(index, ask("stride", index))["code"][0].entry.name == "foundations.pools.Pool"


def test_labs_and_tests_are_found_by_the_code_that_they_use(small):
    index = read(small)
    found = search(index, ask("max", index))
    assert [hit.entry.name for hit in found["labs"]] == ["labs.pooled"]
    assert found["tests"][0].entry.summary == "the largest wins"


def test_the_pictures_of_a_lab_belong_to_it(small):
    (small / "labs" / "drawings").mkdir()
    (small / "labs" / "drawings" / "pooled.py").write_text("def draw_histogram() -> None: ...\n")
    assert "draw_histogram" in read(small).entries["labs"][0].source


def test_beside_an_installed_package_a_folder_of_tests_is_another_s(small):
    (small / "pyproject.toml").unlink()
    assert not read(small).has_tests


def test_every_lab_and_command_of_the_project_is_known(tree):
    from labs.__main__ import COMMANDS
    from labs.kit.lab import discover

    known = {entry.name for entry in tree.entries["labs"]}
    assert {f"labs.{entry.name}" for entry in discover()} | {f"labs {name}" for name in COMMANDS} == known


def test_tests_are_as_many_as_a_full_parse_finds(tree):
    import ast

    file = "tests/foundations/test_losses.py"
    parsed = ast.parse((tree.root / file).read_text(encoding="utf-8"))
    full = [(node.name, node.lineno) for node in parsed.body if getattr(node, "name", "").startswith("test_")]
    assert [(each.short, each.line) for each in tree.entries["tests"] if each.file == file] == full


WANTED = {
    "vanishing gradient": "foundations.gradient_health.GradientHealth",
    "exploding gradients": "labs.gradient_health",
    "reparameterisation trick": "generative.vae.model.reparameterize",
    "reparametrization": "generative.vae.model.reparameterize",
    "teacher forcing": "foundations.teacher_forcing.TeacherForcing",
    "experience replay": "agents.buffers.Replay",
    "beam search": "foundations.decoding.beam_search",
    "inverted dropout": "foundations.layers.Dropout",
    "drop out": "foundations.layers.Dropout",
    "XOR": "labs.perceptron",
    "Frechet distance": "generative.metrics.frechet_distance",
    "Fréchet distance": "generative.metrics.frechet_distance",
    "contrastive divergence": "generative.boltzmann.divergence.ContrastiveDivergence",
    "LIME": "explain.images.explain_image",
    "advantage": "agents.advantages.generalized_advantages",
    "GAE": "agents.advantages.generalized_advantages",
    "learning-rate warm-up": "foundations.schedules.linear_warmup",
    "warmup": "foundations.schedules.linear_warmup",
    "KL": "foundations.probability.kl_divergence",
    "Kullback-Leibler divergence": "foundations.probability.kl_divergence",
    "VAE": "generative.vae.model.VAE",
    "variational auto-encoder": "generative.vae.model.VAE",
    "LSTM": "foundations.recurrent.layers.LSTM",
    "long short-term memory": "foundations.recurrent.layers.LSTM",
    "mse": "foundations.losses.mean_squared_error",
    "batch normalization": "foundations.normalization.BatchNorm",
    "batch normalisation": "foundations.normalization.BatchNorm",
    "xavier initialization": "foundations.initializers.glorot_uniform_",
    "skip connection": "foundations.layers.Residual",
    "convolution": "foundations.convolution.Conv2d",
    "multi-head attention": "foundations.attention.MultiHeadAttention",
    "seq2seq": "foundations.networks.seq2seq.Seq2Seq",
    "early stopping": "foundations.early_stopping.EarlyStopping",
    "weight decay": "foundations.optimizers.adam.AdamW",
    "nesterov": "foundations.optimizers.sgd.SGD",
    "mode collapse": "generative.metrics.smallest_class_share",
    "fgsm": "generative.adversarial.fast_gradient_sign",
    "annealed importance sampling": "generative.boltzmann.annealing.log_partition",
    "deep Q-network": "agents.dqn.DQN",
    "policy gradient": "agents.policy_gradient.PolicyGradient",
    "Thompson sampling": "agents.bandits.arms.BetaThompson",
    "integrated gradients": "explain.gradients.integrated_gradients",
    "transfer learning": "labs.transfer_learning",
    "one-hot": "foundations.preprocessing.tables.category_steps",
    "Stable-Baselines3": "agents.sb3.adapter.StableBaselines",
    "resume": "labs resume",
}
"""A symbol or lab that must be among the first three of its kind, for each question."""


@pytest.mark.parametrize(("question", "wanted"), WANTED.items(), ids=list(WANTED))
def test_what_is_meant_is_among_the_first_three(tree, question, wanted):
    found = search(tree, ask(question, tree))
    first = [hit.entry.name for kind in ("code", "labs") for hit in found[kind][:3]]
    assert wanted in first


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("XOR", "it never learns xor"),
        ("beam search", "a wide beam equals exhaustive search"),
        ("RMSProp", "epsilon of rmsprop stands outside the root"),
        ("cross-correlation", "kernel is not flipped"),
    ],
)
def test_a_test_of_what_is_meant_is_among_the_first_three(tree, question, fact):
    assert fact in [hit.entry.summary for hit in search(tree, ask(question, tree))["tests"][:3]]
