"""The one place that knows MLflow: its store, and what a run writes there."""

import ast
import logging
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from filelock import FileLock

from foundations.errors import require
from labs.kit import folder
from labs.kit.ends import MachineError, Status
from labs.kit.journal import Point
from labs.kit.lab import first_line

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # what it logs as an error, it also raises
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
GIVEN_STORE = os.environ.get("MLFLOW_TRACKING_URI")  # read before MLflow sets the variable itself

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.entities.model_registry import ModelVersion as ModelVersion
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

TRAINING_VIEW = "workflowType=machine_learning"
SCHEMES = ("http://", "https://", "sqlite:///", "postgresql", "mysql", "mssql")
POINTS_A_BATCH = 1000
AWAY_SECONDS = 60.0
"""A store that refused is left alone for so long: each attempt costs the training seconds."""
UPLOADED_PLACES = ("films", "figures", "tables", "weights")
UPLOADED_FILES = ("config.yaml", "report.html", "traceback.txt")
logging.getLogger("alembic").setLevel(logging.WARNING)
Result = TypeVar("Result")
Client = mlflow.MlflowClient


def store_uri() -> str:
    """The tracking store: `MLFLOW_TRACKING_URI`, else the data base `mlruns/mlflow.db`."""
    return GIVEN_STORE or f"sqlite:///{(folder.home() / 'mlflow.db').as_posix()}"


def store_name() -> str:
    """The store's address without user and password: what a run's record may say."""
    secret = urlsplit(store_uri()).netloc.rpartition("@")[0]
    return store_uri().replace(f"{secret}@", "", 1) if secret else store_uri()


def artifact_root() -> str | None:
    """Where experiments keep their files; None leaves it to a store that `MLFLOW_TRACKING_URI` names."""
    return None if GIVEN_STORE else (folder.home() / "artifacts").as_uri()


def open_store() -> Client:
    """A client of the store; its schema is created once, by one process.

    Raises: InputError for an address that is no store's; MachineError if it does not answer.
    """
    uri = store_uri()
    require(uri.startswith(SCHEMES), "MLFLOW_TRACKING_URI", store_name(), f"{' or '.join(SCHEMES)}..., or unset")
    try:
        if uri.startswith("sqlite"):
            with FileLock(folder.ensure_home() / "mlflow.lock"):
                client = _connect(uri)
        else:
            client = _connect(uri)
    except (MlflowException, OSError) as error:
        mend = "; start its server, or correct or unset MLFLOW_TRACKING_URI" if GIVEN_STORE else ""
        raise MachineError(f"the tracking store {store_name()} does not answer: {_first_line(error)}{mend}") from None
    except ImportError as error:
        mend = (
            "for PostgreSQL: pip install 'deep-learning-labs[postgresql]', and postgresql+psycopg2://... as its address"
        )
        raise MachineError(f"the tracking store {store_name()} needs a driver ({error}); {mend}") from None
    return client


def _connect(uri: str) -> Client:
    mlflow.set_tracking_uri(uri)
    if not GIVEN_STORE:  # MLflow sets it; a process that this one starts must not take it for the user's wish
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    client = Client(uri)
    client.search_experiments(max_results=1)
    return client


def experiment_id(client: Client, name: str) -> str:
    """The id of the experiment `name`, made where it is missing, whoever else makes it too."""
    for _ in range(3):
        if found := client.get_experiment_by_name(name):
            return str(found.experiment_id)
        root = artifact_root()
        tags = {"mlflow.note.content": about} if (about := _summary(name)) else {}
        with suppress(MlflowException):
            return str(client.create_experiment(name, artifact_location=root and f"{root}/{name}", tags=tags))
    raise MachineError(f"the experiment {name!r} can neither be found nor made in {store_name()}")


def _summary(lab: str) -> str:
    """What a lab of the package says of itself; nothing for others."""
    file = Path(__file__).parent.parent / f"{lab}.py"
    return first_line(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))) if file.is_file() else ""


def training_view(experiment: str, run: str | None = None) -> str:
    """The part of a dashboard's address behind the host: an experiment's runs, or one run's charts."""
    page = f"runs/{run}/model-metrics" if run else "runs"
    return f"#/experiments/{experiment}/{page}?{TRAINING_VIEW}"


class Tracker:
    """One run in MLflow.

    A store that refuses while the run is under way does not stop it: `points` says so, and `missed` remembers that
    files were refused; both lie in the run's folder, and `folder` stores the files later.
    """

    def __init__(self, client: Client, experiment: str, run_id: str, name: str) -> None:
        self.client, self.experiment, self.run_id, self.name = client, experiment, run_id, name
        self.missed = False
        self._away_until = 0.0
        self._warned = False

    @classmethod
    def start(cls, experiment: str, name: str | None, parameters: Mapping[str, Any]) -> "Tracker":
        """A new run, its parameters written."""
        client = open_store()
        number = experiment_id(client, experiment)
        run = patiently(lambda: client.create_run(number, run_name=name))
        tracker = cls(client, number, run.info.run_id, run.info.run_name)
        params = [Param(key, str(value)[:6000]) for key, value in parameters.items()]
        patiently(lambda: client.log_batch(tracker.run_id, params=params))
        return tracker

    @classmethod
    def again(cls, run_id: str) -> "Tracker":
        """An earlier run, marked as running again."""
        client = open_store()
        try:
            run = client.get_run(run_id)
        except MlflowException as error:
            raise MachineError(f"run {run_id} is not in {store_name()}: {_first_line(error)}") from None
        patiently(lambda: client.update_run(run_id, status="RUNNING"))
        return cls(client, run.info.experiment_id, run_id, run.info.run_name)

    def points(self, points: Sequence[Point]) -> bool:
        """Store `points` in batches; False where the store does not take them now. Storing one twice stores it once."""
        metrics = [Metric(point.name, point.value, point.time, point.step) for point in points]
        batches = [metrics[start : start + POINTS_A_BATCH] for start in range(0, len(metrics), POINTS_A_BATCH)]
        return all(self._try(partial(self.client.log_batch, self.run_id, metrics=batch)) for batch in batches)

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        entities = [RunTag(key, value[:8000]) for key, value in tags.items()]
        patiently(lambda: self.client.log_batch(self.run_id, tags=entities))

    def file(self, path: Path, place: str = "") -> None:
        """Store a file as an artifact, in the folder `place`."""
        self._keep(lambda: self.client.log_artifact(self.run_id, str(path), place or None))

    def folder(self, path: Path) -> None:
        """Store again what the run's folder holds, except its pictures by step. Raises: MachineError."""
        for model in sorted((path / "models").glob("*")):
            self._store_model(model)
        for name in UPLOADED_FILES:
            if (path / name).exists():
                patiently(partial(self.client.log_artifact, self.run_id, str(path / name)))
        for place in UPLOADED_PLACES:
            if (path / place).exists():
                patiently(partial(self.client.log_artifacts, self.run_id, str(path / place), place))

    def image(self, name: str, image: "Image", step: int) -> None:
        """Store a picture of one step: the dashboard shows them behind a slider."""
        self._keep(lambda: self.client.log_image(self.run_id, image, key=name, step=step))

    def dataset(self, name: str, digest: str, source: str, profile: str) -> None:
        """Record what the run learns from."""
        data = Dataset(name=name, digest=digest[:36], source_type="labs", source=source, profile=profile)
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
        patiently(lambda: self.client.log_inputs(self.run_id, inputs))

    def model(self, name: str, module: "torch.nn.Module", example: "torch.Tensor", output: "torch.Tensor") -> None:
        """Store a model that `mlflow.pytorch.load_model` loads, with the signature of its input and output.

        It is written to the run's folder first, and leaves it when the store has taken it.
        """
        import mlflow.pytorch
        import torch
        from mlflow.models import Model, infer_signature

        path = folder.home() / "runs" / self.run_id / "models" / name
        shutil.rmtree(path, ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.pytorch.save_model(
                module,
                str(path),
                mlflow_model=Model(run_id=self.run_id),
                signature=infer_signature(example.cpu().numpy(), output.cpu().numpy()),
                pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
                serialization_format="pickle",
            )
        self._keep(lambda: self._store_model(path))

    def _store_model(self, path: Path) -> None:
        """Make the model in the folder `path` one of the run's experiment. Raises: MachineError."""
        made = patiently(
            lambda: self.client.create_logged_model(self.experiment, name=path.name, source_run_id=self.run_id)
        )
        patiently(lambda: self.client.log_model_artifacts(made.model_id, str(path)))
        patiently(lambda: self.client.finalize_logged_model(made.model_id, "READY"))
        patiently(lambda: self.client.log_outputs(self.run_id, [LoggedModelOutput(made.model_id, step=0)]))
        shutil.rmtree(path)

    def back(self) -> None:
        """Try a store that refused once more."""
        self._away_until = 0.0

    def _keep(self, act: Callable[[], object]) -> None:
        """Store something that also lies in the run's folder."""
        if not self._try(act):
            self.missed = True

    def _try(self, act: Callable[[], object]) -> bool:
        """Whether the store did it; a store that refuses is left alone for a while."""
        if time.monotonic() < self._away_until:
            return False
        try:
            patiently(act)
        except MachineError as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            if not self._warned:
                print(f"warning: {error}; the run goes on, all is kept in its folder and uploaded later", flush=True)
            self._warned = True
            return False
        return True

    def end(self, status: Status) -> None:
        """Close the run; the models of a finished one enter the registry. Raises: MachineError."""
        patiently(lambda: self.client.set_terminated(self.run_id, status))
        if status == "FINISHED":
            from labs.kit import registry

            registry.enter(self.client, folder.RunFolder(folder.home() / "runs" / self.run_id))


def system_monitor(run_id: str, *, resumed: bool) -> Any:
    """MLflow's own sampler of CPU, memory, disk, network and GPU, every ten seconds in a thread."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, resume_logging=resumed, tracking_uri=store_uri())
    monitor.start()
    return monitor


def patiently(act: Callable[[], Result], seconds: float = 30.0) -> Result:
    """`act()`, again where another process holds the data base. Raises: MachineError when that does not end."""
    until = time.monotonic() + seconds
    while True:
        try:
            return act()
        except (MlflowException, OSError) as error:
            locked = re.search(r"locked|busy", str(error))
            if not locked or time.monotonic() > until:
                raise MachineError(f"the tracking store {store_name()} refused: {_first_line(error)}") from error
            time.sleep(0.2)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def stored_models(client: Client, experiment: str, run_id: str) -> dict[str, str]:
    """The ids of a run's models by their names; of several of one name, the latest's. Raises: MachineError."""
    found = patiently(lambda: client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'"))
    return {model.name: model.model_id for model in reversed(found) if model.status == "READY"}


def stored_model(run_id: str, name: str) -> "tuple[torch.nn.Module, tuple[int, ...]]":
    """The model `name` of a run, on the CPU, and the shape of its inputs, -1 for the batch. Raises: MachineError."""
    client = open_store()
    import mlflow.pytorch

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        found = stored_models(client, client.get_run(run_id).info.experiment_id, run_id)
        if name not in found:
            raise MachineError(f"model {name!r} of run {run_id} is not in {store_name()}: run the lab again")
        address = f"models:/{found[name]}"
        module: torch.nn.Module = mlflow.pytorch.load_model(address, map_location="cpu")
        signature = mlflow.models.get_model_info(address).signature
    except (MlflowException, OSError) as error:
        raise MachineError(f"model {name!r} of run {run_id} cannot be read: {_first_line(error)}") from None
    return module, tuple(int(size) for size in signature.inputs.inputs[0].shape)
