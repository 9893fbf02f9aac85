"""One run on two processes: one of them writes, all stop together, a lost one is replaced, any number goes on."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from group import live_as
from torch.distributed import TCPStore

from labs.kit import checkpoint
from labs.kit.ends import LOST_STATUS
from labs.kit.folder import all_runs
from labs.kit.journal import read_points

TOY = Path(__file__).parent / "toy_lab.py"
LONG = ["--steps", "400", "--evaluation-pause", "2", "--checkpoint-seconds", "0.005", "--seed", "5"]
ALL = {"steps": 400, "seed": 5}
ODD = '''"""A lab whose second process meets what the first does not."""
from dataclasses import dataclass
import labs.kit as kit

@dataclass(frozen=True)
class Config(kit.Config):
    nan_at: int = 0
    signal_at: int = 0
    crash_at: int = 0

class Count:
    def __init__(self, config):
        self.config, self.step = config, 0

    def learn(self):
        import os, signal
        from foundations.distributed import world
        while True:
            self.step += 1
            second = world().rank == 1
            if second and self.step == self.config.signal_at:
                os.kill(os.getpid(), signal.SIGTERM)
            if second and self.step == self.config.crash_at:
                raise RuntimeError("broken, as asked")
            yield {"loss": float("nan") if second and self.step == self.config.nan_at else 1 / self.step}

    def state_dict(self):
        return {"step": self.step}

    def load_state_dict(self, state):
        self.step = state["step"]

def main(config, run):
    for _ in run.follow(Count(config), steps=200):
        pass
    run.summary({"points": len(run.history("loss")[0]) > 0})

if __name__ == "__main__":
    kit.launch(main)
'''


@pytest.fixture
def begin(place, processes, monkeypatch):
    """Start a lab, or `python -m labs WORDS`, as two processes, as torchrun does."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # the processes inherit it, and find `lab_process` there
    stores, started = [], []

    def run(*words, restart=0, labs=False, script=TOY):
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60))
        stores.append(store)
        rendezvous = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port}
        rendezvous |= {"TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_RESTART_COUNT": restart}
        rendezvous |= {"TORCHELASTIC_USE_AGENT_STORE": True, "TMPDIR": place}  # a killed process cannot tidy up
        for rank in range(2):
            own = {**rendezvous, "RANK": rank, "LOCAL_RANK": rank}
            given = (own, str(place), None if labs else str(script), list(words))
            started.append(processes.Process(target=live_as, args=given))
            started[-1].start()
        return started[-2:]

    yield run
    for process in started:
        process.kill()
        process.join()


@pytest.fixture
def odd(place, begin):
    """Start the lab whose second process is another; gives the exit statuses."""
    (place / "odd_lab.py").write_text(ODD)

    def run(*words):
        both = begin(*words, script=place / "odd_lab.py")
        for process in both:
            process.join(60)
        return [process.exitcode for process in both]

    return run


@pytest.fixture
def under_way(begin, wait_until):
    """Two processes of a long run that has a checkpoint."""

    def wait(*words, **how):
        both = begin(*words, **how)
        wait_until(lambda: all_runs() and (all_runs()[0].path / "checkpoint-training.pt").exists())
        return both

    return wait


def ended(processes):
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def outcome(run):
    known = {key: run.record[key] for key in ("digest", "values_seen", "summary", "step", "ended")}
    return {**known, "theta": checkpoint.load(run.path / "checkpoint-training.pt")["learner"]["theta"].tolist()}


whole = {}
"""What comes of the long run where nobody stops it, once it is known."""


def assert_equals_the_whole(run, run_toy):
    if not whole:
        assert run_toy(**ALL) == 0
        whole.update(outcome(all_runs()[0]))
    assert outcome(run) == whole


def test_two_processes_are_one_run_that_one_of_them_writes(begin, run_toy, place, store):
    assert ended(begin("--steps", "120", "--warm-up", "20")) == [0, 0]
    (run,) = all_runs()
    assert len(store.search_runs(["1"])) == 1
    assert run.record["environment"]["processes"] == "2"
    assert run.record["command"].startswith("torchrun --nproc-per-node 2 ")
    said = (place / "said.txt").read_text()
    assert (said.count("started "), said.count("finished "), said.count("error")) == (1, 1, 0)
    assert run_toy(steps=120, warm_up=20) == 0
    assert run.record["digest"] == all_runs()[0].record["digest"]


def test_bad_input_is_refused_in_one_line_and_leaves_nothing(begin, place):
    assert ended(begin("--steps", "0")) == [2, 2]
    assert (place / "said.txt").read_text().count("\n") == 1
    assert all_runs() == []


def test_a_signal_to_one_process_stops_all_at_one_step_and_one_process_goes_on(under_way, run_toy, labs_command, place):
    both = under_way(*LONG)
    os.kill(both[1].pid, signal.SIGTERM)
    assert ended(both) == [143, 143]
    (run,) = all_runs()
    assert run.state() == "killed"
    assert (
        f"to go on: torchrun --nproc-per-node 2 -m labs resume {run.path.name[:8]}" in (place / "said.txt").read_text()
    )
    assert checkpoint.load(run.path / "checkpoint-training.pt")["step"] == run.record["step"]
    assert labs_command("resume", "last") == 0
    assert_equals_the_whole(run, run_toy)


def test_two_processes_go_on_with_a_run_of_one(start, begin, wait_until, run_toy):
    alone = start(*LONG)
    wait_until(lambda: all_runs() and (all_runs()[0].path / "checkpoint-training.pt").exists())
    os.kill(alone.pid, signal.SIGINT)
    alone.join(60)
    assert ended(begin("resume", "last", labs=True)) == [0, 0]
    (run,) = all_runs()
    assert run.record["environment"]["processes"] == "2"
    assert_equals_the_whole(run, run_toy)


def test_a_lost_process_ends_the_other_and_a_new_start_goes_on_with_the_run(under_way, begin, run_toy):
    both = under_way(*LONG)
    both[0].kill()
    assert ended(both)[1] == LOST_STATUS
    (run,) = all_runs()
    reached = checkpoint.load(run.path / "checkpoint-training.pt")["step"]
    assert 0 < reached < 400
    assert ended(begin(*LONG, restart=1)) == [0, 0]
    assert [each.path for each in all_runs()] == [run.path]
    assert run.record["resumed"] == 1
    assert_equals_the_whole(run, run_toy)


def test_a_figure_that_is_not_finite_on_one_process_ends_all_as_diverged(odd, place):
    assert odd("--nan-at", "50") == [1, 1]
    (run,) = all_runs()
    assert run.state() == "diverged"
    assert (place / "said.txt").read_text().count("error: diverged: a figure of another process is not finite") == 1


def test_a_signal_that_arrives_on_one_process_alone_saves_that_very_step(odd):
    assert odd("--signal-at", "70") == [143, 143]
    (run,) = all_runs()
    assert checkpoint.load(run.path / "checkpoint-training.pt")["step"] == 70
    assert {point.step for point in read_points(run.path / "journal.jsonl") if point.name == "loss"} <= set(range(71))


def test_an_error_of_one_process_is_told_and_ends_all(odd, place):
    assert odd("--crash-at", "30") == [LOST_STATUS, 1]
    assert "RuntimeError: broken, as asked" in (place / "said.txt").read_text()
    assert all_runs()[0].state() == "failed"


def test_what_diverged_is_not_begun_again_by_torchrun(begin, place):
    words = ["--steps", "50", "--nan-metric-at", "20"]
    assert ended(begin(*words)) == [1, 1]
    assert ended(begin(*words, restart=1)) == [1, 1]
    (run,) = all_runs()
    assert run.record.get("resumed", 0) == 0


# --- the real thing ---------------------------------------------------------------------------------------------------


@pytest.fixture
def torchrun(place, monkeypatch):
    """Start a lab under torchrun; gives its process, whose output is in `said.txt`."""
    monkeypatch.setenv("TMPDIR", str(place))
    started = []

    def run(*words):
        with (place / "said.txt").open("a") as said:
            command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "2"]
            started.append(subprocess.Popen([*command, *words], stdout=said, stderr=said))
        return started[-1]

    yield run
    for process in started:
        process.terminate()  # it takes its processes with it
        process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_torchrun_replaces_a_killed_process_and_the_run_goes_on_to_its_end(torchrun, run_toy, wait_until, place):
    agent = torchrun(str(TOY), *LONG)
    wait_until(lambda: all_runs() and (all_runs()[0].path / "checkpoint-training.pt").exists(), 120)
    workers = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    assert agent.wait(180) == 0
    (run,) = all_runs()
    assert run.record["resumed"] == 1
    assert_equals_the_whole(run, run_toy)
