"""Sweeps on Ray: a cluster of three nodes, all on this machine, one of which is killed on the way."""

import contextlib
import dataclasses
import importlib.util
import socket
import sys
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from foundations.errors import InputError
from labs.kit.ends import MachineError
from labs.kit.lab import load
from labs.kit.sweeps import places, ray_cluster, ray_engine
from labs.kit.sweeps.samplers import PLACE, pruner_of, sampler_of
from labs.kit.sweeps.space import parse
from labs.kit.sweeps.study import open_study
from labs.kit.sweeps.workers import Work

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed")
TOY = str(Path(__file__).parent / "toy_lab.py")
SPACE = ("learning_rate=log(1e-3,1)",)
QUICK_TO_NOTICE = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 300,
    "health_check_failure_threshold": 2,
}


@dataclasses.dataclass(frozen=True)
class Distance:
    """An objective without a lab: it notes its beginning and end; none ends till a node is killed, nor on that."""

    folder: str
    study: str = "s"
    parent: str = "parent"
    target: str = TOY
    space: tuple[str, ...] = SPACE

    def __call__(self, trial: Any, interrupts: Any) -> float:
        import ray

        rate = trial.suggest_float("learning_rate", 1e-3, 1, log=True)
        here, killed = ray.get_runtime_context().get_node_id(), Path(self.folder) / "killed"
        with (Path(self.folder) / "begun").open("a") as file:
            file.write(f"{here}\n")
        while not killed.exists() or killed.read_text() in ("", here):
            time.sleep(0.01)
        with (Path(self.folder) / "ended").open("a") as file:
            file.write(f"{trial.user_attrs[PLACE]}\n")
        return abs(rate - 0.1)


@contextlib.contextmanager
def three_nodes() -> Iterator[Any]:
    ray = ray_cluster.import_ray()
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": ray_cluster.OBJECT_STORE_BYTES}
    with ray_cluster._folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        head = {**node, "include_dashboard": False, "_system_config": QUICK_TO_NOTICE}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(2):
                cluster.add_node(wait=False, **node)
            cluster.wait_for_nodes()
            yield cluster
        finally:
            cluster.shutdown()
            ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def a_study(store: Path) -> Any:
    space = parse(SPACE, load(TOY).config_type)
    sampler, pruner = sampler_of("random", seed=0, space=space), pruner_of("none")
    return open_study(str(store), "s", direction="minimize", sampler=sampler, pruner=pruner, lab={"lab": "toy"})


def kill_a_busy_node(cluster: Any, folder: Path) -> Callable[[int], None]:
    """Called while the sweep is under way: kills the first node, but the head, on which a trial has begun."""
    workers = {node.node_id: node for node in cluster.worker_nodes}

    def look(count: int) -> None:
        begun = (folder / "begun").read_text().split() if (folder / "begun").exists() else []
        busy = [node for node in begun if node in workers]
        if busy and not (folder / "killed").exists():
            (folder / "killed").write_text(busy[0])
            cluster.remove_node(workers[busy[0]], allow_graceful=False)

    return look


@needs_ray
@pytest.mark.slow
def test_all_trials_end_once_though_a_node_is_killed_and_the_lost_one_is_told_apart_and_tried_again(tmp_path):
    study = a_study(tmp_path / "study.log")
    with three_nodes() as cluster:
        watch = kill_a_busy_node(cluster, tmp_path)
        ray_engine.run(
            Work(Distance(str(tmp_path)), str(tmp_path / "study.log"), "random", "none", seed=0, points=1),
            trials=8,
            workers=3,
            address=cluster.address,
            cpus=1.0,
            gpus=0.0,
            finished=watch,
        )
    newest = places.latest(study.get_trials())
    assert [trial.state for trial in newest.values()] == [TrialState.COMPLETE] * 8
    assert sorted(map(int, (tmp_path / "ended").read_text().split())) == list(range(8))
    lost = [trial for trial in study.get_trials() if trial.user_attrs.get(places.ENDED) == "lost"]
    assert lost
    assert all(newest[trial.user_attrs[PLACE]].params == trial.params for trial in lost)


def test_without_ray_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"engine='ray': .*not installed.*pip install 'deep-learning-labs\[ray\]'"):
        ray_cluster.import_ray()


@pytest.mark.parametrize("address", ["here", "ray://host:1", "host:port"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match="must be HOST:PORT, or auto"):
        ray_cluster.checked(address)


def test_a_cluster_that_does_not_answer_is_the_machines_fault():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with pytest.raises(MachineError, match=r"does not answer .*correct --ray-address"):
            ray_cluster.checked(f"127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize(("resource", "value"), [("cpus", 0.0), ("cpus", float("nan")), ("gpus", -1.0)])
@needs_ray
def test_an_impossible_share_of_a_node_is_refused_before_a_cluster_starts(resource, value):
    asked = {"workers": 1, "cpus": 1.0, "gpus": 0.0, resource: value}
    with pytest.raises(InputError, match=f"{resource}="), ray_cluster.connected(None, **asked):
        pass


class Lost(Exception):
    """As Ray raises it."""


@pytest.fixture
def study(tmp_path) -> Any:
    return a_study(tmp_path / "study.log")


@pytest.fixture
def crew(study) -> Callable[..., ray_engine.Crew]:
    """A crew of one whose tasks all are lost, after they have done `before`, or break of `error`."""

    def make(before: Callable[[int], None] = lambda number: None, error: Exception | None = None) -> ray_engine.Crew:
        def start(number: int) -> Any:
            before(number)
            future: Future[None] = Future()
            future.set_exception(error or Lost("the node died. More follows."))
            return types.SimpleNamespace(future=lambda: future)

        ray = types.SimpleNamespace(exceptions=types.SimpleNamespace(RayTaskError=Broken))
        return ray_engine.Crew(ray, study, 1, start)

    return make


class Broken(Exception):
    """A task that raised `cause`."""

    cause: Exception = MachineError("the store is away")


def work_off(study: Any, alone: ray_engine.Crew, *, trials: int) -> None:
    while not all(ray_engine.ended(study, trials)):
        alone.fill("parent")
        alone.wait(0)


def test_a_result_that_was_told_before_its_node_died_counts(study, crew):
    places.ensure(study, 1)
    alone = crew(before=lambda number: study.tell(number, 0.5))
    alone.fill("parent")
    alone.wait(0)
    assert [trial.value for trial in study.get_trials()] == [0.5]


def test_a_trial_whose_tasks_are_lost_is_tried_three_times_with_the_reason_kept(study, crew):
    work_off(study, crew(), trials=1)
    reasons = [trial.user_attrs[places.ERROR] for trial in study.get_trials()]
    assert reasons == ["its Ray task was lost: Lost: the node died"] * 3


def test_a_sweep_whose_tasks_are_lost_one_after_another_is_given_up(study, crew):
    with pytest.raises(MachineError, match="one task after another is lost"):
        work_off(study, crew(), trials=3)


def test_what_breaks_a_task_ends_the_sweep_and_its_trial_waits_again(study, crew):
    places.ensure(study, 1)
    alone = crew(error=Broken())
    alone.fill("parent")
    with pytest.raises(MachineError, match="the store is away"):
        alone.wait(0)
    assert ray_engine.ended(study, 1) == [False]
    assert places.claim(study, "parent") is not None


def test_a_trial_of_a_sweep_that_was_killed_here_is_tried_again(study):
    places.ensure(study, 1)
    trial = places.claim(study, "parent")
    trial.set_user_attr(places.OWNER, {**trial.user_attrs[places.OWNER], "began": 0.0})  # another process of that id
    ray_engine.ended(study, 1)
    assert [each.state for each in study.get_trials()] == [TrialState.FAIL, TrialState.WAITING]
