"""`python -m labs ui`: the MLflow dashboard on this machine, opened where training runs are shown."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil

from foundations.errors import InputError
from labs.kit.ends import Interrupted, Interrupts, MachineError
from labs.kit.folder import all_runs, home
from labs.kit.parser import Parser
from labs.kit.run import DEFAULT_PORT

if TYPE_CHECKING:
    from labs.kit.tracking import Client

HOST = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 5.0


def main(arguments: Sequence[str]) -> int:
    """Serve the dashboard until Ctrl-C."""
    parser = Parser("python -m labs ui", description="The MLflow dashboard of the runs in mlruns/.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"where to listen (default {DEFAULT_PORT})")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    chosen = parser.parse_args(arguments)
    if not 1 <= chosen.port <= 65535:
        raise InputError(f"--port {chosen.port}: must be between 1 and 65535")
    from labs.kit import stale, tracking

    remote = tracking.store_name() if tracking.store_uri().startswith("http") else None
    if not remote:
        _require_free(chosen.port)
    client = tracking.open_store()
    stale.sweep(client)
    pages = _pages(client)
    if remote:
        _show(remote.rstrip("/"), pages, browser=not chosen.no_browser)
        return 0
    return _serve(chosen.port, pages, browser=not chosen.no_browser)


def _pages(client: "Client") -> dict[str, str]:
    """The pages that help, by what they show: first the experiment of the newest run that the store has."""
    from labs.kit import tracking, view

    pages = {
        "all labs": f"#/experiments?{tracking.TRAINING_VIEW}",
        "all models": f"#/models?{tracking.TRAINING_VIEW}",
    }
    known = [run.record for run in all_runs()]
    here = [record for record in known if record["store"] == tracking.store_name()]
    if not here:
        return {"dashboard": pages.pop("all labs"), **pages}
    beside = [record for record in here if record["experiment"] == here[0]["experiment"]]
    own = {
        "dashboard": tracking.training_view(here[0]["experiment"]) + view.keep(client, here[0]["experiment"], beside)
    }
    for name in next((record["registered"] for record in beside if record.get("registered")), ()):
        own[f"models of {name}"] = f"#/models/{quote(name)}?{tracking.TRAINING_VIEW}"
    return {**own, **pages}


def _serve(port: int, pages: dict[str, str], *, browser: bool) -> int:
    interrupts = Interrupts()
    family: list[psutil.Process] = []
    with interrupts.handled():
        server = _start(port)
        try:
            _wait_until_it_answers(server, port)
            family = _family(server)
            _show(f"http://{HOST}:{port}", pages, browser=browser)
            print("Ctrl-C ends it", flush=True)
            server.wait()
        except Interrupted:
            print("dashboard ended", flush=True)
            return 0
        finally:
            _stop(family or _family(server))
    raise MachineError("the dashboard's server ended by itself; is there enough memory?")


def _start(port: int) -> "subprocess.Popen[bytes]":
    from labs.kit import tracking

    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
    }
    words = ["--host", HOST, "--port", str(port), "--workers", "1", "--backend-store-uri", tracking.store_uri()]
    if root := tracking.artifact_root():
        words += ["--default-artifact-root", root]
    command = [sys.executable, "-m", "mlflow", "server", *words]
    with (home() / "dashboard.log").open("wb") as log:  # its own session: Ctrl-C is for this process to pass on
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with (
            suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2),
        ):
            return
        time.sleep(0.2)
    raise MachineError(f"the dashboard's server did not start; it says why in {home() / 'dashboard.log'}")


def _show(server: str, pages: dict[str, str], *, browser: bool) -> None:
    """Print the addresses, and open the first."""
    addresses = {name: f"{server}/{page}" for name, page in pages.items()}
    for name, address in addresses.items():
        print(f"{name}: {address}")
    print(end="", flush=True)
    if browser:
        with suppress(webbrowser.Error):
            webbrowser.open(next(iter(addresses.values())))


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise InputError(f"--port {port}: needs rights that you do not have; choose one from 1024 up") from None
        except OSError:
            raise InputError(
                f"--port {port}: is taken by another program; choose another, for example --port {port + 1}"
            ) from None


def _family(server: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The server and all its children."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(server.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _stop(family: list[psutil.Process]) -> None:
    """End processes: politely, then at once."""
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(family, timeout=STOP_SECONDS)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
