"""Help and lists come at once: they load none of the heavy packages."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ["torch", "mlflow", "matplotlib", "sklearn", "scipy", "numpy", "pandas", "PIL"]
TOY = str(Path(__file__).parent / "toy_lab.py")
LABS = [file.stem for file in (Path(__file__).parents[2] / "labs").glob("*.py") if not file.stem.startswith("__")]
WATCH = """
import atexit, json, runpy, sys
sys.argv = json.loads(sys.argv[1])
atexit.register(lambda: print("LOADED", json.dumps(sorted({name.partition('.')[0] for name in sys.modules}))))
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
WATCH_ALL = """
import contextlib, io, json, runpy, sys
before = set()
for name in json.loads(sys.argv[1]):
    sys.argv = [name, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    loaded = {each.partition('.')[0] for each in sys.modules}
    print(json.dumps([said.getvalue(), sorted(loaded - before)]))
    before |= loaded
"""


def loaded(*words: str) -> tuple[str, set[str]]:
    """What a program says, and the packages that it had loaded at its end."""
    done = subprocess.run([sys.executable, "-c", WATCH, json.dumps(words)], capture_output=True, text=True, check=False)
    said, _, names = done.stdout.rpartition("LOADED ")
    return said + done.stderr, set(json.loads(names))


@pytest.mark.parametrize("words", [["labs"], ["labs", "--help"], ["labs", "runs", "--help"], ["labs", "ui", "--help"]])
def test_the_list_and_the_help_of_commands_load_nothing_heavy(words):
    said, names = loaded(*words)
    assert "labs" in said
    assert not names & set(HEAVY)


@pytest.fixture(scope="module")
def helps() -> dict[str, tuple[str, set[str]]]:
    """What the help of each lab says, and which packages it loaded that those before it had not: all in one process."""
    command = [sys.executable, "-c", WATCH_ALL, json.dumps([f"labs.{lab}" for lab in LABS])]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {lab: (said, set(names)) for lab, (said, names) in zip(LABS, map(json.loads, lines), strict=True)}


@pytest.mark.parametrize("lab", LABS)
def test_the_help_of_a_lab_loads_nothing_heavy(helps, lab):
    said, names = helps[lab]
    assert "--seed" in said
    assert not names & set(HEAVY)


def test_the_help_of_a_lab_outside_the_package_loads_nothing_heavy():
    said, names = loaded(TOY, "--help")
    assert "--steps" in said
    assert not names & set(HEAVY)


def test_a_wrong_flag_is_refused_before_anything_heavy_is_loaded():
    said, names = loaded(TOY, "--stepz", "3")
    assert "--steps" in said
    assert not names & set(HEAVY)


def test_packages_are_imported_without_torch():
    code = "import sys, foundations, labs, labs.kit; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "labs"], [TOY, "--help"]], ids=["labs", "help"])
def test_help_takes_a_third_of_a_second_more_than_python_itself(command):
    pairs = [(seconds(*command), seconds("-c", "pass")) for _ in range(10)]
    excess = statistics.median(own - bare for own, bare in pairs)
    assert excess < 0.33 * max(1.0, statistics.median(bare for _, bare in pairs) / 0.02)  # slow machines: in proportion
