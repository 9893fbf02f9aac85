"""The study of a sweep: the record, kept by Optuna, of what was tried, shared by all workers on all hosts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import optuna
from filelock import FileLock
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from foundations.errors import InputError, require, require_choice
from labs.kit.ends import MachineError
from labs.kit.folder import ensure_home, home
from labs.kit.sweeps.places import BUDGET
from labs.kit.sweeps.samplers import pruner_of as pruner_of
from labs.kit.sweeps.samplers import sampler_of as sampler_of

SCHEMES = ("postgresql", "mysql", "sqlite", "oracle", "mssql")
FACTS = "sweep"
"""Study attribute: what the sweep is about (lab, target, settings, space, metric, direction)."""
PASSWORD = "LABS_STORE_PASSWORD"
"""Environment variable with the data base's password: so that no record of a run has to hold it."""
NOT_OURS = "one that a sweep made: choose another name"
SECONDS = 10
"""How long a data base may take to answer."""

Direction = Literal["minimize", "maximize"]

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def address(store: str | None, study: str) -> str:
    """Where the study is kept: `store` with its password, or the sweep's own file `mlruns/sweeps/STUDY.log`.

    Raises: InputError for a data base that is none.
    """
    if store is None:
        return str(home() / "sweeps" / f"{study}.log")
    if "://" not in store:
        return str(Path(store).resolve())
    scheme = store.partition("://")[0].partition("+")[0]
    require_choice(f"store {without_password(store)}: data base", scheme, SCHEMES)
    parts = urlsplit(store)
    if parts.username and parts.password is None and (password := os.environ.get(PASSWORD)):
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user}:{password}@{host}")
        return parts.geturl()
    return store


def without_password(store: str) -> str:
    """The address as it may be printed and recorded."""
    parts = urlsplit(store)
    if parts.password is None:
        return store
    return parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}").geturl()


def open_study(
    store: str, name: str, *, direction: Direction, sampler: BaseSampler, pruner: BasePruner, lab: Mapping[str, Any]
) -> optuna.Study:
    """The study `name` at the address `store`, made where it is missing, for the sweep that `lab` tells of.

    `lab` holds the lab's name, its settings, the space, the metric and the direction.
    Raises: InputError if the study is there and about something else; MachineError if the store does not answer.
    """
    storage = open_storage(store)
    with answering(store):
        study = optuna.create_study(
            storage=storage, study_name=name, direction=direction, sampler=sampler, pruner=pruner, load_if_exists=True
        )
        known = study.user_attrs.get(FACTS)
        if known is None:
            require(not study.get_trials(deepcopy=False), "study", name, NOT_OURS)
            study.set_user_attr(FACTS, dict(lab))
        else:
            _same(name, known, lab)
    return study


def agree(store: str, name: str, lab: Mapping[str, Any]) -> None:
    """Raise InputError if the study `name` is there and not about what `lab` tells of; MachineError if it is away."""
    if known := facts(store, name):
        _same(name, known, lab)


def join_study(store: str, name: str, *, sampler: BaseSampler, pruner: BasePruner) -> optuna.Study:
    """The study `name`, which is there: what a worker opens. Raises: MachineError if it is not."""
    storage = open_storage(store)
    with answering(store):
        try:
            return optuna.load_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
        except KeyError:
            raise MachineError(f"the study {name!r} is no longer in {without_password(store)}") from None


def facts(store: str, name: str) -> dict[str, Any] | None:
    """What the study `name` is about, and how many trials it has; None where there is none yet.

    Raises: InputError if no sweep made it; MachineError.
    """
    if "://" not in store and not Path(store).exists():
        return None
    storage = open_storage(store)
    with answering(store):
        if name not in optuna.get_all_study_names(storage):
            return None
        attributes = optuna.load_study(storage=storage, study_name=name).user_attrs
        require(FACTS in attributes, "study", name, NOT_OURS)
        return {**attributes[FACTS], **({BUDGET: attributes[BUDGET]} if BUDGET in attributes else {})}


class answering:  # noqa: N801 - used like a function
    """Within the block, errors of the store at that address become a MachineError of one line."""

    def __init__(self, store: str) -> None:
        self._store = store

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        if isinstance(error, (SQLAlchemyError, optuna.exceptions.StorageInternalError, OSError)):
            name = without_password(self._store)
            cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
            reason = " ".join(str(getattr(cause, "orig", None) or cause).split())[:200]
            raise MachineError(
                f"the study's store {name} does not answer: {reason}; start it, correct --store, or leave it out"
            ) from None


def open_storage(store: str) -> BaseStorage:
    """The storage at that address. Raises: InputError where its driver is missing; MachineError where it is away."""
    if "://" not in store:
        return _journal(Path(store))
    options: dict[str, Any] = {"pool_pre_ping": True}
    if store.startswith("postgresql"):
        options["connect_args"] = {"connect_timeout": SECONDS}
    try:
        with answering(store):
            return RDBStorage(_with_driver(store), engine_kwargs=options)
    except ImportError as error:
        extra = "deep-learning-labs[postgresql]" if store.startswith("postgresql") else error.name
        raise InputError(
            f"store={without_password(store)!r}: needs a package that is missing; install it: pip install '{extra}'"
        ) from None


def _with_driver(store: str) -> str:
    """The address with the driver that is there: SQLAlchemy's own choice for PostgreSQL changed with its versions."""
    drivers = [name for name in ("psycopg", "psycopg2") if find_spec(name)]
    return store.replace("postgresql://", f"postgresql+{drivers[0]}://", 1) if drivers else store


def _journal(file: Path) -> BaseStorage:
    if file.is_relative_to(home()):
        ensure_home()
    with answering(str(file)):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return JournalStorage(JournalFileBackend(str(file), lock_obj=KernelLock(file)))
        except (ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"store={str(file)!r}: is no journal of a study ({reason}); choose another file") from None


class KernelLock(BaseJournalFileLock):
    """The lock of a journal file, held by the kernel: it ends with its process, however that ends."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, FileLock(file.with_name(f"{file.name}.lock"))

    def acquire(self) -> bool:
        """Wait for the lock; half a line that a power cut or a full disk left at the end is taken away."""
        self._lock.acquire()
        with self._file.open("rb+") as journal:
            size = journal.seek(0, os.SEEK_END)
            if size:
                journal.seek(size - 1)
                if journal.read(1) != b"\n":
                    journal.seek(0)
                    journal.truncate(journal.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


def _same(name: str, known: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise InputError where the study is about something else than what is asked for."""
    for what in ("lab", "metric", "direction", "space", "settings", "sampler", "pruner", "points"):
        before, now = known.get(what), asked.get(what)
        if what not in known or what not in asked:
            continue
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            differing = sorted(key for key in {**before, **now} if before.get(key) != now.get(key))
            before = ", ".join(f"{key}={before.get(key)}" for key in differing)
            now = ", ".join(f"{key}={now.get(key)}" for key in differing)
        if before != now:
            before, now = (" ".join(each) if isinstance(each, list) else each for each in (before, now))
            raise InputError(
                f"study={name!r}: is there already, with the {what} {before}, not {now};"
                " join it with the same words, or choose another --study"
            )
