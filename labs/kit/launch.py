"""From a lab's `main` to a finished run and an exit status."""

import os
import sys
from collections.abc import Callable, Sequence
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from foundations.errors import InputError
from labs.kit import config as settings
from labs.kit.ends import (
    LOST_STATUS,
    Diverged,
    Interrupted,
    Interrupts,
    Pruned,
    drop_output,
    machine_fault,
    open_output,
    say,
    say_error,
)
from labs.kit.lab import Lab, lab_of

if TYPE_CHECKING:
    from labs.kit.folder import RunFolder
    from labs.kit.origin import Origin
    from labs.kit.run import Run


def launch(main: "Callable[[Any, Run], None]") -> NoReturn:
    """Run the lab of `main` as the command line asks, and exit with the run's status."""
    open_output()
    try:
        lab = lab_of(main)
        config = settings.parse(
            lab.config_type, sys.argv[1:], program=lab.program, about=sys.modules[main.__module__].__doc__ or ""
        )
        if config.seeds is not None:
            from labs.kit.repeating import repeated

            lab, config = repeated(lab, config)
    except InputError as error:
        say_error(str(error))
        sys.exit(2)
    except BrokenPipeError:  # `--help | head`
        sys.exit(drop_output())
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(execute(lab, config, sys.argv[1:]))


class Outcome(NamedTuple):
    """How an attempt to run a lab ended: the exit status, and the run, if it came to exist."""

    status: int
    run: "RunFolder | None"
    interrupted: Interrupted | None = None


def execute(lab: Lab, config: settings.Config, arguments: Sequence[str] = (), origin: "Origin | None" = None) -> int:
    """Run `lab` once and give the exit status: every way to end passes through here."""
    from labs.kit import ranks

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait must not steal the neighbours' cores
    interrupts = Interrupts()
    with interrupts.handled():
        try:
            with ranks.joined(), ranks.closed() as going:
                origin = ranks.gone_on(origin)
                if (status := _settled(origin)) is not None:
                    return status
                outcome = attempt(lab, config, arguments, interrupts, origin)
                going.lost = outcome.status == LOST_STATUS
                return outcome.status
        except Interrupted as signal:  # a second one, while the run was being closed
            say(f"stopped by {signal.name} at once; `python -m labs runs` shows what is left")
            return signal.status


def _settled(origin: "Origin | None") -> int | None:
    """The exit status of a run that torchrun started again though nothing is left to do; None for any other."""
    from labs.kit import ranks

    if origin is None or origin.resumes is None or not ranks.started_again():
        return None
    ended = origin.resumes.record["ended"]
    if ended == "diverged":
        say_error(f"diverged: {origin.resumes.record['error']}")
    return {"finished": 0, "diverged": 1}.get(ended)


def attempt(
    lab: Lab,
    config: settings.Config,
    arguments: Sequence[str],
    interrupts: Interrupts,
    origin: "Origin | None" = None,
) -> Outcome:
    """Run `lab` once, under `interrupts` that are handled by the caller.

    Raises: what is neither bad input nor the machine's fault, but an error of the lab.
    """
    run = None

    def outcome(status: int, signal: Interrupted | None = None) -> Outcome:
        return Outcome(status, getattr(run, "folder", None), signal)

    try:
        from labs.kit import figures as figures  # sets the looks before the lab draws anything
        from labs.kit.run import Run

        run = Run(lab, config, arguments, interrupts, origin)
        lab.main(config, run)
        interrupts.at_once()
        run.end("finished")
        run.farewell()
        return outcome(0)
    except Interrupted as signal:
        _end(run, "killed", signal)
        return outcome(signal.status, signal)
    except InputError as error:
        _end(run, "failed", error)
        say_error(str(error))
        return outcome(2)
    except Diverged as error:
        _end(run, "diverged", error)
        say_error(f"diverged: {error}")
        return outcome(1)
    except Pruned as error:
        _end(run, "pruned", error)
        return outcome(1)
    except (Exception, SystemExit) as error:
        from foundations.distributed import LostProcess

        lost = isinstance(error, LostProcess)
        fault = f"{error}; torchrun starts all again where it may (--max-restarts)" if lost else machine_fault(error)
        if isinstance(error, BrokenPipeError):
            drop_output()
        if lost:
            interrupts.hear(SIGTERM)  # torchrun is about to send it
        _end(run, "failed", error)
        if fault is None:
            raise
        say_error(fault)
        return outcome(LOST_STATUS if lost else 1)


def _end(run: "Run | None", ended: Any, error: BaseException) -> None:
    """Close the run as well as the circumstances allow, and say how to go on."""
    if run is None or not run.opened:
        if isinstance(error, Interrupted):
            say(f"stopped by {error.name} before the run began: nothing was written")
        return
    from labs.kit.ranks import resume_command

    run.interrupts.at_once()
    reference, step = run.folder.path.name[:8], run.saved_step
    try:
        run.end(ended, error)
    except Exception as trouble:  # the disk may be full, the store gone: the journal and the checkpoint remain
        say_error(f"the run could not be closed cleanly ({type(trouble).__name__}: {trouble})")
    kept = f"; checkpoint at step {step:,}" if step else ""
    to_go_on = f"to go on: {resume_command(reference)}"
    if isinstance(error, Interrupted):
        say(f"stopped by {error.name} at step {run.step:,}{kept}; {to_go_on}")
    elif isinstance(error, Pruned):
        print(f"pruned at step {run.step:,}: {error}")
    elif isinstance(error, Diverged):
        kept = (
            f"the last good checkpoint, of step {step:,}, is in {run.folder.path}"
            if step
            else "there is no checkpoint before it"
        )
        say(f"{kept}; try a smaller learning rate or another seed")
    elif step:
        say(f"the run keeps its checkpoint of step {step:,}; {to_go_on}")
