"""The examples of CONTRIBUTING.md run exactly as printed."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from states import assert_resumes_exactly

import agents
from foundations import Streams
from foundations.errors import InputError

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
BLOCK, LAB, AGENT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_block_scales_each_channel_and_refuses_another_number_of_them():
    names: dict[str, type] = {}
    exec(BLOCK, names)
    scale = names["Scale"](3)
    scale.gain.data = torch.tensor([1.0, 2.0, 3.0])
    assert torch.equal(scale(torch.ones(2, 3, 4)).sum((0, 2)), torch.tensor([8.0, 16.0, 24.0]))
    with pytest.raises(InputError, match="input shape"):
        scale(torch.ones(2, 4))


def test_the_lab_finds_the_slope(tmp_path: Path):
    (tmp_path / "my_lab.py").write_text(LAB)
    done = subprocess.run([sys.executable, "my_lab.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"slope\s+([\d.]+)", done.stdout)[1]) == pytest.approx(3, abs=0.01)


@pytest.fixture(scope="module")
def my_agent() -> ModuleType:
    module = ModuleType("my_agent")
    exec(AGENT, module.__dict__)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_agent_balances_the_pole(my_agent, seed):
    agent = my_agent.CrossEntropy("CartPole-v1", 4, Streams(seed))
    for _ in zip(range(8), agent.learn(), strict=False):
        pass
    assert agents.evaluate(agent, "CartPole-v1", episodes=20, seed=1).mean >= 475


def test_the_agent_resumes_exactly(my_agent):
    assert_resumes_exactly(lambda: my_agent.CrossEntropy("CartPole-v1", 4, Streams(0), candidates=6), 2, 1)


def test_the_agent_is_an_agent(my_agent):
    assert isinstance(my_agent.CrossEntropy("CartPole-v1", 4, Streams(0)), agents.Agent)


@pytest.mark.slow
def test_the_agents_example_says_what_it_reached(tmp_path: Path):
    (tmp_path / "my_agent.py").write_text(AGENT)
    done = subprocess.run([sys.executable, "my_agent.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"greedy: ([\d.]+)", done.stdout)[1]) >= 475
