"""Where a run runs: device, threads, determinism; and what of that its record says."""

import os
import platform
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from foundations.distributed import world
from foundations.errors import InputError
from labs.kit.config import Config

PACKAGES = ("torch", "numpy", "mlflow", "scikit-learn", "scipy")


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA, else MPS, else the CPU. Raises: InputError where it is not there."""
    alone = world().size == 1
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": alone and torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[name]:
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise InputError(f"device={name!r}: torch finds none on this machine; use auto or one of: {usable}")
    here, devices = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if name == "cuda" and not alone and here > devices:
        mend = f"start {devices} processes (--nproc-per-node), or give --device cpu"
        raise InputError(f"device={name!r}: this machine has {devices} for {here} processes; {mend}")
    return torch.device(name)


def choose_threads(config: Config) -> int:
    """As many torch threads as asked for; by default as many as help the lab and the machine has.

    Of several processes that torchrun started, each takes one.
    """
    return config.threads or (min(config.useful_threads, usable_cores()) if world().size == 1 else 1)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(config: Config) -> torch.device:
    """Set threads and determinism for the process; give the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    torch.set_num_threads(choose_threads(config))
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms imports a compiler: a second
    torch.backends.cudnn.benchmark = False
    return choose_device(config.device)


def describe(device: torch.device) -> dict[str, str]:
    """What the figures of a run depend on besides its settings."""
    return {
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": str(torch.get_num_threads()),
        "processes": str(world().size),
        "cores": str(usable_cores()),
        "host": socket.gethostname(),
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def git_state(file: Path) -> dict[str, str]:
    """Commit and dirty flag of the checkout that tracks `file`; empty outside one."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(file.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)
        return {"git_commit": git("rev-parse", "HEAD"), "git_dirty": str(bool(git("status", "--porcelain"))).lower()}
    except (OSError, subprocess.SubprocessError):
        return {}


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
