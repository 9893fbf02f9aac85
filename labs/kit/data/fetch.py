"""Download a file from whichever of its mirrors answers, and accept it only when its content is the expected one."""

import io
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from labs.kit.data.content import DamageError, unpack_verified
from labs.kit.data.registry import DataFile

PATIENCE = 6.0
"""Seconds for a mirror to answer at all: the longest that a machine without internet waits for a data set."""
STALL = 10.0
"""Seconds without a byte after which a download counts as broken."""
ATTEMPTS = 2
"""How often one mirror is asked before the next."""


class DownloadError(Exception):
    """No mirror gave the file; the message says what each of them did."""


def download(file: DataFile) -> bytes:
    """The verified, uncompressed content of `file`, from the first mirror that gives it.

    It is held in memory until it is verified, so that a broken download leaves no trace.
    Raises: DownloadError when every mirror fails.
    """
    failures = dict.fromkeys(file.urls, f"no answer in {PATIENCE:g} s")
    for url, fault in _answers(file.urls):
        if fault is not None:
            failures[url] = _describe(fault)
            continue
        for _ in range(ATTEMPTS):
            try:
                return unpack_verified(_get(url, file), file)
            except (OSError, DamageError) as error:
                failures[url] = _describe(error)
    raise DownloadError("; ".join(f"{urlsplit(url).netloc}: {why}" for url, why in failures.items()))


Answer = tuple[str, OSError | None]


def _answers(urls: Sequence[str]) -> Iterator[Answer]:
    """Each mirror that answers within `PATIENCE`, fastest first, with None or the reason why it cannot be reached.

    All are asked at once and in daemon threads, because a name look-up that hangs obeys no timeout.
    """
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    for url in urls:
        threading.Thread(target=_ask, args=(url, answers), daemon=True).start()
    deadline = time.monotonic() + PATIENCE
    for _ in urls:
        try:
            yield answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return


def _ask(url: str, answers: "queue.SimpleQueue[Answer]") -> None:
    from pooch import HTTPDownloader

    try:
        HTTPDownloader(timeout=PATIENCE)(url, None, None, check_only=True)
        answers.put((url, None))
    except OSError as error:
        answers.put((url, error))


def _get(url: str, file: DataFile) -> bytes:
    from pooch import HTTPDownloader
    from tqdm import tqdm

    received = io.BytesIO()
    host = urlsplit(url).netloc
    print(f"downloading {file.path} from {host}", file=sys.stderr)
    with tqdm(total=file.size, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:
        HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=(PATIENCE, STALL))(url, received, None)
    return received.getvalue()


def _describe(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return str(error) if isinstance(error, DamageError) else type(error).__name__
