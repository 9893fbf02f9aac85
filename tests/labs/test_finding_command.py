"""`python -m labs find`: what it prints, how it ends, and that it comes at once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labs.__main__ import main

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "mlflow", "matplotlib", "sklearn", "scipy", "numpy", "pandas", "optuna", "ray"}
WATCH = (
    "import json, sys; from labs.finding.command import main; status = main(json.loads(sys.argv[1]));"
    "print('LOADED', json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), status)"
)


def test_code_labs_and_tests_are_shown_with_file_and_line(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["find", "beam", "search"]) == 0
    said = capsys.readouterr().out
    line = 1 + (ROOT / "foundations/decoding.py").read_text().splitlines().index("def beam_search(")
    assert f"foundations/decoding.py:{line}" in said
    assert "python -m labs.translate_dates" in said
    assert "a wide beam equals exhaustive search" in said
    assert "files are below" not in said


def test_from_another_folder_it_says_where_the_files_are(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["find", "LSTM"]) == 0
    assert f"files are below {ROOT}" in capsys.readouterr().out


def test_no_more_of_each_kind_are_shown_than_asked_for(capsys):
    main(["find", "gradient", "--count", "2"])
    said = capsys.readouterr().out.splitlines()
    assert sum(".py:" in line for line in said) == 2 + 2 + 2


def test_nothing_found_is_one_line_with_status_1(capsys):
    assert main(["find", "bananas"]) == 1
    assert capsys.readouterr().err == "error: nothing found for 'bananas'\n"


def test_a_misspelling_is_answered_with_what_may_have_been_meant(capsys):
    assert main(["find", "vanihsing", "gradeint"]) == 1
    said = capsys.readouterr().err
    assert said == "error: nothing found for 'vanihsing gradeint'; did you mean 'vanishing gradient'?\n"


def test_a_word_found_nowhere_is_said_to_be_left_out(capsys):
    assert main(["find", "gradeint", "penalty"]) == 0
    assert "found nowhere: gradeint; did you mean 'gradient penalty'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "WORDS=''"),
        ([" "], "WORDS=''"),
        (["LSTM", "--count", "0"], "--count=0: must be at least 1"),
        (["LSTM", "--count", "many"], "--count"),
        (["LSTM", "--colour"], "--colour"),
        (["--markdown", "no/such/folder/map.md"], "must be a file in a folder that is there"),
    ],
    ids=["none", "blank", "count", "number", "flag", "page"],
)
def test_bad_input_is_refused_in_one_line_with_status_2(capsys, words, said):
    assert main(["find", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_it_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", WATCH, '["LSTM"]'], capture_output=True, text=True, cwd=ROOT)
    loaded, _, status = done.stdout.rpartition("LOADED ")[2].rpartition(" ")
    assert status == "0\n"
    assert not set(json.loads(loaded)) & HEAVY


def test_an_installed_package_says_that_it_has_no_tests(tmp_path):
    for package in ("foundations", "generative", "agents", "explain", "labs"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-P", "-m", "labs", "find", "LSTM"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "foundations/recurrent/layers.py:" in done.stdout
    assert "the tests are not part of the installed package" in done.stdout


@pytest.mark.slow
def test_an_answer_takes_less_than_a_second_of_one_core():
    before = os.times()
    subprocess.run([sys.executable, "-m", "labs", "find", "vanishing gradient"], check=True, cwd=ROOT)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    assert spent < 1.5  # about 0.6 where nothing else runs; the shared cores of a test are slower
