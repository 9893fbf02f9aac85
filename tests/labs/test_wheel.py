"""A wheel, installed away from the source tree, is whole: code, report template, judge weights."""

import subprocess
import sys
from pathlib import Path

import pytest
from as_user import ROOT, python


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the built wheel in it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in tracked.stdout.split():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call `python WORDS` in `folder` with the wheel's code alone in front of what is installed."""
    return python(*words, folder=folder, PYTHONPATH=str(site))


@pytest.mark.slow
def test_an_installed_wheel_lists_the_labs(site: Path, tmp_path: Path):
    where = run(site, tmp_path, "-c", "import labs; print(labs.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(site)
    listed = run(site, tmp_path, "-m", "labs")
    assert "gan_mnist" in listed.stdout, listed.stderr


@pytest.mark.slow
def test_an_installed_wheel_runs_the_smoke_preset(site: Path, tmp_path: Path):
    done = run(site, tmp_path, "-m", "labs.gan_mnist", "--preset", "smoke")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("mlruns/runs/*/report.html"))
