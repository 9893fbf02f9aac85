"""The examples of CONTRIBUTING.md run exactly as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from foundations.errors import InputError

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
BLOCK, LAB = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


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
