"""The search for a registered file: the user's folder, the cache, mirrors on a local server; damage on each of them."""

import gzip
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from foundations.errors import InputError
from labs.kit.data import DATA_SETS, DataFile, DataSet, MissingDataError, fetch, load_images, read_data_set
from labs.kit.data.command import main
from labs.kit.data.idx import FILE_NAMES
from labs.kit.data.store import read_file

CONTENT = b"one line of data\n" * 500
NAME = "set/data.txt"


@dataclass
class Reply:
    """What the server sends for a path: it may promise more bytes than it sends, or wait for another download."""

    body: bytes
    status: int = 200
    promised: int | None = None
    after: str | None = None
    fails_first: int = 0


@dataclass
class Mirror:
    """A server on this machine, and the paths whose content was asked for."""

    address: str
    replies: dict[str, Reply] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)

    def serve(self, path: str, reply: Reply) -> str:
        self.replies[path] = reply
        return f"{self.address}/{path}"


@pytest.fixture
def mirror(monkeypatch) -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(send_body=False)

        def do_GET(self):
            mirror.downloads.append(self.path[1:])
            self.answer(send_body=True)

        def answer(self, *, send_body: bool) -> None:
            reply = mirror.replies.get(self.path[1:], Reply(b"", status=404))
            while reply.after and reply.after not in mirror.downloads:
                time.sleep(0.01)
            failing = send_body and reply.fails_first > 0
            reply.fails_first -= failing
            self.send_response(503 if failing else reply.status)
            self.send_header("Content-Length", str(reply.promised or len(reply.body)))
            self.end_headers()
            if send_body:
                self.wfile.write(reply.body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mirror = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield mirror
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, no folder of the user's own, no proxy between the test and its server."""
    for name in ("LABS_DATA_DIR", "LABS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own_folder(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("LABS_DATA_DIR", str(folder))
    return folder


def data_file(*urls: str, content: bytes = CONTENT, path: str = NAME) -> DataFile:
    other = f"MNIST/raw/{Path(path).name}"
    return DataFile(path, hashlib.sha256(content).hexdigest(), len(content), urls, (other,))


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/data"


# Search order


@pytest.mark.parametrize("place", [NAME, "MNIST/raw/data.txt"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_users_folder_is_read_plain_and_packed_in_both_layouts(own_folder, place, packed):
    content = gzip.compress(CONTENT) if packed else CONTENT
    write(own_folder / (f"{place}.gz" if packed else place), content)
    assert read_file(data_file()) == (CONTENT, "LABS_DATA_DIR")


def test_the_users_folder_comes_before_the_cache(own_folder, cache):
    write(own_folder / NAME, CONTENT)
    write(cache / NAME, b"damaged, but never looked at")
    assert read_file(data_file())[1] == "LABS_DATA_DIR"


def test_the_cache_comes_before_the_mirrors(cache, mirror):
    write(cache / NAME, CONTENT)
    assert read_file(data_file(mirror.serve("data", Reply(CONTENT)))) == (CONTENT, "cache")
    assert mirror.downloads == []


def test_what_the_users_folder_lacks_is_taken_from_the_cache(own_folder, cache):
    write(cache / NAME, CONTENT)
    assert read_file(data_file())[1] == "cache"


def test_a_download_is_kept_uncompressed_and_found_next_time(cache, mirror):
    file = data_file(mirror.serve("data.gz", Reply(gzip.compress(CONTENT))))
    assert read_file(file) == (CONTENT, "download")
    assert read_file(file) == (CONTENT, "cache")
    assert (cache / NAME).read_bytes() == CONTENT
    assert mirror.downloads == ["data.gz"]


def test_a_data_set_tells_all_places_its_files_came_from(own_folder, cache):
    files = data_file(), data_file(path="set/other.txt")
    write(own_folder / NAME, CONTENT)
    write(cache / "set/other.txt", CONTENT)
    contents, source = read_data_set(DataSet("set", "text", "", "", "", files))
    assert list(contents) == [NAME, "set/other.txt"]
    assert source == "LABS_DATA_DIR + cache"


def test_a_users_folder_that_does_not_exist_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LABS_DATA_DIR", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"LABS_DATA_DIR='.*gone': must be an existing folder"):
        read_file(data_file())


def test_a_cache_folder_that_is_a_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LABS_CACHE_DIR", str(write(tmp_path / "file", b"")))
    with pytest.raises(InputError, match=r"LABS_CACHE_DIR='.*file': must be a folder"):
        read_file(data_file())


# Mirrors

BAD_REPLIES = {
    "damaged": Reply(gzip.compress(CONTENT[:-1])),
    "truncated gzip": Reply(gzip.compress(CONTENT)[:-9]),
    "cut off": Reply(gzip.compress(CONTENT)[:-9], promised=len(gzip.compress(CONTENT))),
    "not found": Reply(b"not here", status=404),
    "a log-in page": Reply(b"<html>please log in</html>"),
}


@pytest.mark.parametrize("fault", BAD_REPLIES)
def test_a_bad_mirror_is_passed_over_for_a_good_one(cache, mirror, fault):
    bad = mirror.serve("bad", BAD_REPLIES[fault])
    good = mirror.serve("good", Reply(gzip.compress(CONTENT), after="bad"))
    assert read_file(data_file(bad, good)) == (CONTENT, "download")
    assert mirror.downloads[0] == "bad"
    assert files_in(cache) == [NAME]


@pytest.mark.parametrize("fault", BAD_REPLIES)
def test_a_download_that_fails_leaves_no_file(cache, mirror, fault):
    with pytest.raises(MissingDataError):
        read_file(data_file(mirror.serve("bad", BAD_REPLIES[fault])))
    assert not cache.exists()


def test_a_mirror_that_stumbles_once_is_asked_again(mirror):
    file = data_file(mirror.serve("data", Reply(CONTENT, fails_first=1)))
    assert read_file(file) == (CONTENT, "download")
    assert mirror.downloads == ["data", "data"]


def test_the_message_says_what_every_mirror_did(mirror):
    file = data_file(mirror.serve("gone", Reply(b"", status=404)), closed_port())
    with pytest.raises(
        MissingDataError, match=r"127\.0\.0\.1:\d+: HTTP 404; 127\.0\.0\.1:\d+: ConnectionError"
    ) as caught:
        read_file(file)
    assert "\n" not in str(caught.value)
    assert "LABS_DATA_DIR" in str(caught.value)


def test_a_mirror_that_never_answers_delays_no_longer_than_the_patience(monkeypatch):
    monkeypatch.setattr(fetch, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data"
        began = time.monotonic()
        with pytest.raises(MissingDataError, match=r"no answer in 0\.3 s|ReadTimeout"):
            read_file(data_file(url, url))
    assert time.monotonic() - began < 3


def test_a_silent_mirror_does_not_hold_up_a_quick_one(mirror):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data"
        began = time.monotonic()
        assert read_file(data_file(url, mirror.serve("data", Reply(CONTENT))))[1] == "download"
    assert time.monotonic() - began < fetch.PATIENCE


def test_offline_no_mirror_is_asked(monkeypatch, mirror):
    monkeypatch.setenv("LABS_OFFLINE", "1")
    with pytest.raises(MissingDataError, match="LABS_OFFLINE is set"):
        read_file(data_file(mirror.serve("data", Reply(CONTENT))))
    assert mirror.downloads == []


# Damage


@pytest.mark.parametrize(
    "damaged",
    [CONTENT[:-1], CONTENT[:-1] + b"!", b"", gzip.compress(CONTENT, mtime=0)[:-9]],
    ids=["cut off", "a byte too much", "no bytes", "half a gzip"],
)
def test_a_damaged_file_in_the_cache_is_replaced(cache, mirror, damaged):
    write(cache / NAME, damaged)
    assert read_file(data_file(mirror.serve("data", Reply(CONTENT)))) == (CONTENT, "download")
    assert (cache / NAME).read_bytes() == CONTENT


def test_a_damaged_packed_file_in_the_cache_is_not_found_again_once_replaced(cache, mirror):
    write(cache / f"{NAME}.gz", b"\x1f\x8b damaged")
    file = data_file(mirror.serve("data", Reply(CONTENT)))
    assert [read_file(file)[1], read_file(file)[1]] == ["download", "cache"]


def test_a_damaged_file_in_the_cache_that_no_mirror_replaces_is_named_and_kept(cache):
    path = write(cache / NAME, b"damaged")
    file = data_file(closed_port())
    with pytest.raises(InputError) as caught:
        read_file(file)
    assert not isinstance(caught.value, MissingDataError)
    for part in (str(path), hashlib.sha256(b"damaged").hexdigest(), file.sha256, "not replaced"):
        assert part in str(caught.value)
    assert path.read_bytes() == b"damaged"


def test_a_damaged_file_in_the_users_folder_is_named_and_never_written_to(own_folder, cache, mirror):
    path = write(own_folder / NAME, CONTENT + b"!")
    file = data_file(mirror.serve("data", Reply(CONTENT)))
    with pytest.raises(InputError) as caught:
        read_file(file)
    for part in (str(path), hashlib.sha256(CONTENT + b"!").hexdigest(), file.sha256, "good copy"):
        assert part in str(caught.value)
    assert path.read_bytes() == CONTENT + b"!"
    assert mirror.downloads == []
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_to_is_the_machines_fault(tmp_path, monkeypatch, mirror):
    blocker = write(tmp_path / "file", b"")
    monkeypatch.setenv("LABS_CACHE_DIR", str(blocker / "below"))
    with pytest.raises(OSError, match=r"cannot keep 8,500 bytes .* set LABS_CACHE_DIR"):
        read_file(data_file(mirror.serve("data", Reply(CONTENT))))


def test_the_cache_gets_a_file_in_one_step_after_it_reached_the_disk(cache, monkeypatch, mirror):
    flushed = []
    monkeypatch.setattr("os.fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    read_file(data_file(mirror.serve("data", Reply(CONTENT))))
    assert flushed == [(cache / NAME).stat().st_ino]


def test_a_full_disk_leaves_no_part_of_a_file(cache, monkeypatch, mirror):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        read_file(data_file(mirror.serve("data", Reply(CONTENT))))
    assert files_in(cache) == []


# Images by name


def small_mnist(mirror_or_none: Mirror | None = None) -> tuple[DataSet, dict[str, bytes]]:
    """A data set laid out as MNIST, of 20 training and 10 test images."""
    contents = {}
    for name, count in zip(FILE_NAMES, (20, 20, 10, 10), strict=True):
        axes = 3 if "images" in name else 1
        header = bytes((0, 0, 8, axes)) + struct.pack(f">{axes}I", *(count, 28, 28)[:axes])
        contents[name] = header + np.arange(count).repeat(784 if axes == 3 else 1).astype(np.uint8).tobytes()
        if axes == 1:
            contents[name] = header + bytes(range(10)) * (count // 10)
    files = []
    for name, content in contents.items():
        urls = (mirror_or_none.serve(name, Reply(gzip.compress(content))),) if mirror_or_none else ()
        files.append(data_file(*urls, content=content, path=f"mnist/{name}"))
    return DataSet("mnist", "images", "small", "free", "none", tuple(files)), contents


def test_mnist_is_downloaded_once_then_read_from_the_cache(monkeypatch, mirror):
    monkeypatch.setitem(DATA_SETS, "mnist", small_mnist(mirror)[0])
    first, second = load_images("mnist"), load_images("mnist")
    assert (first.name, first.source, second.source) == ("mnist", "download", "cache")
    assert first.fingerprint == second.fingerprint
    assert first.train_images.shape == (20, 1, 28, 28)
    assert first.train_labels.tolist() == [*range(10)] * 2
    assert first.train_labels.dtype == torch.int64
    assert first.licence == "free"
    assert first.notice is None
    assert len(mirror.downloads) == 4


def test_mnist_by_name_and_as_a_folder_have_one_fingerprint(monkeypatch, own_folder):
    data_set, contents = small_mnist()
    monkeypatch.setitem(DATA_SETS, "mnist", data_set)
    for name, content in contents.items():
        write(own_folder / "MNIST" / "raw" / name, content)
    assert load_images("mnist").source == "LABS_DATA_DIR"
    assert load_images("mnist").fingerprint == load_images(own_folder).fingerprint


def test_damaged_mnist_is_an_error_not_a_reason_for_other_digits(monkeypatch, own_folder):
    data_set, contents = small_mnist()
    monkeypatch.setitem(DATA_SETS, "mnist", data_set)
    for name, content in contents.items():
        write(own_folder / "mnist" / name, content[:-1])
    with pytest.raises(InputError, match="train-images-idx3-ubyte: damaged file"):
        load_images("mnist")


def test_the_command_fetches_and_then_finds(monkeypatch, capsys, mirror, cache):
    monkeypatch.setitem(DATA_SETS, "mnist", small_mnist(mirror)[0])
    assert main(["fetch", "mnist"]) == 0
    assert capsys.readouterr().out.count("fetched") == 4
    assert main(["fetch", "mnist"]) == 0
    assert capsys.readouterr().out.count("there") == 4
    assert files_in(cache) == sorted(f"mnist/{name}" for name in FILE_NAMES)
