"""`python -m labs ui`, and its pages as a person sees them in a browser."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

TOY = Path(__file__).parent / "toy_lab.py"
KEEPING = Path(__file__).parent / "keeping_lab.py"
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
DRIVER = shutil.which("chromedriver") or ""
PATIENCE = 40
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,4000"
)
needs_browser = pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs Chromium and its driver")


@dataclass
class Dashboard:
    """A dashboard that runs, and the run that it shows."""

    process: "subprocess.Popen[str]"
    address: str
    port: int
    record: dict[str, Any]

    def link(self, page: str) -> str:
        return f"{self.address.partition('#')[0]}#/experiments/{self.record['experiment']}/{page}"

    @property
    def run(self) -> str:
        return f"runs/{self.record['id']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(place: Path, *words: str) -> "subprocess.Popen[str]":
    """A process in `place` that knows no store but its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *words], cwd=place, env=environment, text=True, **said)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A place with two runs of a lab that keeps models, one finished run of the toy lab, and what that printed."""
    place = tmp_path_factory.mktemp("dashboard")
    said, trouble = command(place, str(KEEPING), "--seeds", "0-1", "--score", "0.75").communicate(timeout=120)
    assert "finished seeds-0-1" in said, trouble
    said, trouble = command(place, str(TOY), "--steps", "150", "--run-name", "shown").communicate(timeout=120)
    assert "finished" in said, trouble
    return place, said


@pytest.fixture(scope="module")
def dashboard(toy: tuple[Path, str]) -> Iterator[Dashboard]:
    place, port = toy[0], free_port()
    process = command(place, "-m", "labs", "ui", "--no-browser", "--port", str(port))
    assert process.stdout
    address = process.stdout.readline().removeprefix("dashboard: ").strip()
    records = [json.loads(file.read_text()) for file in place.glob("mlruns/runs/*/record.json")]
    (record,) = [record for record in records if record["lab"] == "toy_lab"]
    try:
        yield Dashboard(process, address, port, record)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    yield driver
    driver.quit()


def text_of(browser: Any) -> str:
    from selenium.common.exceptions import StaleElementReferenceException

    try:
        return str(browser.find_element("tag name", "body").text)
    except StaleElementReferenceException:
        return ""


def wait_for(browser: Any, *words: str) -> str:
    """The text of the page, once all `words` stand in it."""
    until = time.monotonic() + PATIENCE
    while not all(word in text_of(browser) for word in words):
        assert time.monotonic() < until, f"no {words} on {browser.current_url}:\n{text_of(browser)}"
        time.sleep(0.2)
    return text_of(browser)


def picture_at(browser: Any, step: int) -> int:
    """The width of the picture behind the slider, once it is that of `step`."""
    script = (
        "return [...document.images].filter(i => i.src.includes('step%2B' + arguments[0])).map(i => i.naturalWidth)"
    )
    until = time.monotonic() + PATIENCE
    while not any(widths := browser.execute_script(script, step)):
        assert time.monotonic() < until, text_of(browser)
        time.sleep(0.2)
    return int(widths[0])


def assert_training_view(browser: Any) -> None:
    """The side bar is that of model training, not of GenAI."""
    page = wait_for(browser, "Model registry")
    assert "Prompts" not in page
    assert "AI Gateway" not in page


@pytest.mark.browser
@needs_browser
def test_the_printed_address_opens_the_table_of_runs_in_the_training_view(dashboard: Dashboard, browser: Any) -> None:
    browser.get(dashboard.address)
    wait_for(browser, "toy_lab", "Run Name", "shown", "1 matching run")
    assert_training_view(browser)


@pytest.mark.browser
@needs_browser
def test_the_table_that_it_opens_has_the_figures_in_columns(dashboard: Dashboard, browser: Any) -> None:
    browser.get(dashboard.address)
    wait_for(browser, "Metrics", "summary/distance")


@pytest.mark.browser
@needs_browser
def test_runs_of_several_seeds_stand_below_their_parent(dashboard: Dashboard, browser: Any) -> None:
    address = dashboard.address.partition("#")[0]
    browser.get(f"{address}#/experiments/1/runs?workflowType=machine_learning")
    page = wait_for(browser, "keeping_lab", "seeds-0-1", "3 matching runs")
    assert page.count("part0") == 0
    browser.find_element("css selector", ".ag-row button").click()
    until = time.monotonic() + PATIENCE
    while text_of(browser).count("part0") != 2:  # each child with its model
        assert time.monotonic() < until, text_of(browser)
        time.sleep(0.2)


@pytest.mark.browser
@needs_browser
def test_the_page_of_a_labs_models_shows_which_is_the_best(dashboard: Dashboard, browser: Any) -> None:
    address = dashboard.address.partition("#")[0]
    browser.get(f"{address}#/models/keeping_lab?workflowType=machine_learning")
    wait_for(browser, "keeping_lab", "Version 2", "Version 1", "@ best", "score 0.75")
    assert_training_view(browser)


@pytest.mark.browser
@needs_browser
def test_the_address_that_the_run_printed_shows_its_charts_in_sections(
    toy: tuple[Path, str], dashboard: Dashboard, browser: Any
) -> None:
    printed = re.search(r"http\S+", toy[1])
    assert printed
    browser.get(printed.group().replace(":5000/", f":{dashboard.port}/"))
    wait_for(browser, "shown (loss/bowl)", "shown (size/theta)", "shown (eval/median)", "images/theta")
    assert_training_view(browser)


@pytest.mark.browser
@needs_browser
def test_the_image_slider_shows_the_pictures_of_its_steps(dashboard: Dashboard, browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.get(dashboard.link(f"{dashboard.run}/model-metrics?workflowType=machine_learning"))
    wait_for(browser, "images/theta")
    for step in (50, 100, 150):
        browser.find_element("css selector", "[role=slider]").send_keys(Keys.ARROW_RIGHT)
        assert picture_at(browser, step) > 0


@pytest.mark.browser
@needs_browser
def test_the_report_is_shown_among_the_artifacts(dashboard: Dashboard, browser: Any) -> None:
    browser.get(dashboard.link(f"{dashboard.run}/artifacts/report.html?workflowType=machine_learning"))
    wait_for(browser, "config.yaml", "report.html")
    assert_training_view(browser)
    until = time.monotonic() + PATIENCE
    while not (frames := browser.find_elements("tag name", "iframe")):
        assert time.monotonic() < until
        time.sleep(0.2)
    browser.switch_to.frame(frames[0])
    try:
        assert "A lab for tests: gradient descent on a noisy bowl" in wait_for(browser, "Metrics", "Settings")
        assert browser.find_elements("css selector", ".charts svg")
    finally:
        browser.switch_to.default_content()


def test_the_dashboard_is_one_server_with_one_worker(dashboard: Dashboard) -> None:
    assert len(psutil.Process(dashboard.process.pid).children(recursive=True)) == 2


def test_the_printed_address_is_of_the_training_view(dashboard: Dashboard) -> None:
    assert dashboard.address == dashboard.link("runs?workflowType=machine_learning&viewStateShareKey=labs")


def test_the_pages_of_all_labs_and_of_the_models_are_printed_too(run_toy: Any, store: Any) -> None:
    from labs.kit.dashboard import _pages
    from labs.kit.lab import load
    from labs.kit.launch import execute

    lab = load(str(KEEPING))
    execute(lab, lab.config_type(models=2))
    pages = _pages(store)
    assert list(pages) == [
        "dashboard",
        "models of keeping_lab.part0",
        "models of keeping_lab.part1",
        "all labs",
        "all models",
    ]
    assert pages["models of keeping_lab.part1"] == "#/models/keeping_lab.part1?workflowType=machine_learning"
    assert all("workflowType=machine_learning" in page for page in pages.values())


def test_without_runs_the_first_page_is_that_of_all_labs(store: Any) -> None:
    from labs.kit.dashboard import _pages

    assert _pages(store)["dashboard"] == "#/experiments?workflowType=machine_learning"


def test_the_columns_are_the_main_figures_and_the_settings_that_differ() -> None:
    from labs.kit.view import columns

    def record(score: float, steps: int) -> dict[str, Any]:
        config = {"score": score, "samples": 9, "steps": steps, "seed": 0, "run_name": str(steps)}
        return {"target": str(KEEPING), "config": config, "summary": {"other": 1.0, "score": score}}

    parent = {"target": "labs.kit.repeating", "config": {"target": "x"}, "summary": {"deviation/score": 0.1}}
    assert columns([parent, record(0.5, 1), record(0.5, 2)]) == [
        "attributes.`Models`",
        "metrics.`summary/score`",
        "metrics.`summary/other`",
        "params.`steps`",
        "params.`seed`",
        "params.`preset`",
    ]


def test_a_store_that_takes_no_view_shows_its_own_table(monkeypatch: pytest.MonkeyPatch, store: Any) -> None:
    from labs.kit import view

    assert view.keep(store, "no-such-experiment", []) == ""


@pytest.mark.parametrize("port", ["taken", "0", "70000"])
def test_a_port_that_cannot_be_used_is_one_clear_line(dashboard: Dashboard, tmp_path: Path, port: str) -> None:
    number = str(dashboard.port) if port == "taken" else port
    process = command(tmp_path, "-m", "labs", "ui", "--no-browser", "--port", number)
    said, trouble = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == ""
    assert trouble.startswith(f"error: --port {number}: ")
    assert trouble.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_the_dashboard_and_all_its_children_and_frees_the_port(dashboard: Dashboard) -> None:
    """Runs last: it takes the module's dashboard down."""
    children = psutil.Process(dashboard.process.pid).children(recursive=True)
    dashboard.process.send_signal(signal.SIGINT)
    said, trouble = dashboard.process.communicate(timeout=30)
    assert dashboard.process.returncode == 0, trouble
    assert said.endswith("dashboard ended\n")
    assert not [child for child in children if child.is_running()]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", dashboard.port))
