"""The registered data sets: their files, the hash that is each file's identity, homes, licences, sources.

A file's identity is the SHA-256 of its uncompressed content, because mirrors compress it differently.
To register a data set, add one entry to `DATA_SETS`.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from foundations.errors import InputError, require_choice

Kind = Literal["images", "table", "text", "sentences"]
"""What a data set is, which says how it is loaded."""


@dataclass(frozen=True)
class DataFile:
    """One file: where it lies below a data folder, how large its content is (bytes), where it is published."""

    path: str
    sha256: str
    size: int
    urls: tuple[str, ...]
    other_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A named set of files; one without files is computed from what an installed library ships."""

    name: str
    kind: Kind
    summary: str
    licence: str
    citation: str
    files: tuple[DataFile, ...]


MNIST_HOMES = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
GITHUB = "https://raw.githubusercontent.com/"


def _mnist_file(name: str, size: int, sha256: str) -> DataFile:
    urls = tuple(f"{home}{name}.gz" for home in MNIST_HOMES)
    return DataFile(f"mnist/{name}", sha256, size, urls, other_paths=(f"MNIST/raw/{name}",))


def _polarity_file(name: str, size: int, sha256: str) -> DataFile:
    url = f"{GITHUB}dennybritz/cnn-text-classification-tf/master/data/rt-polaritydata/{name}"
    return DataFile(f"sentiment/{name}", sha256, size, (url,))


MNIST = DataSet(
    name="mnist",
    kind="images",
    summary="70,000 handwritten digits, grey 28x28",
    licence="CC BY-SA 3.0",
    citation="Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits (1998)",
    files=(
        _mnist_file(
            "train-images-idx3-ubyte",
            47_040_016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        _mnist_file(
            "train-labels-idx1-ubyte",
            60_008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        _mnist_file(
            "t10k-images-idx3-ubyte",
            7_840_016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        _mnist_file(
            "t10k-labels-idx1-ubyte",
            10_008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

DIGITS = DataSet(
    name="digits",
    kind="images",
    summary="1,797 handwritten digits of 8x8, enlarged to grey 28x28",
    licence="CC BY 4.0",
    citation="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI (1998)",
    files=(),
)

HOUSING = DataSet(
    name="housing",
    kind="table",
    summary="20,640 districts of California, census of 1990",
    licence="public domain",
    citation="R. K. Pace, R. Barry: Sparse Spatial Autoregressions (1997), in A. Geron's edition",
    files=(
        DataFile(
            path="housing/housing.csv",
            sha256="8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
            size=1_423_529,
            urls=(f"{GITHUB}ageron/handson-ml2/master/datasets/housing/housing.csv",),
        ),
    ),
)

SHAKESPEARE = DataSet(
    name="shakespeare",
    kind="text",
    summary="1.1 million characters of his plays",
    licence="public domain",
    citation="A. Karpathy: char-rnn (2015)",
    files=(
        DataFile(
            path="text/tinyshakespeare.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            size=1_115_394,
            urls=(f"{GITHUB}karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        ),
    ),
)

TOPICS = DataSet(
    name="topics",
    kind="text",
    summary="the help topics that come with Python",
    licence="Python Software Foundation License 2",
    citation="Python Software Foundation: pydoc_data.topics",
    files=(),
)

SENTIMENT = DataSet(
    name="sentiment",
    kind="sentences",
    summary="10,662 sentences on films, for and against",
    licence="not stated",
    citation="B. Pang, L. Lee: Seeing stars (2005), arXiv:cs/0506075",
    files=(
        _polarity_file("rt-polarity.pos", 626_395, "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58"),
        _polarity_file("rt-polarity.neg", 612_506, "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd"),
    ),
)

DATA_SETS: dict[str, DataSet] = {
    entry.name: entry for entry in (MNIST, DIGITS, HOUSING, SHAKESPEARE, TOPICS, SENTIMENT)
}


def find_data_set(name: str) -> DataSet:
    """The data set registered as `name`.

    Raises: InputError with the nearest name where there is none.
    """
    require_choice("data set", name, DATA_SETS)
    return DATA_SETS[name]


def registered(spec: str | Path, kind: Kind) -> DataSet | None:
    """The data set of this kind that is registered as `spec`; None where there is none."""
    found = DATA_SETS.get(spec) if isinstance(spec, str) else None
    return found if found and found.kind == kind else None


def unknown(spec: str | Path, kind: Kind, otherwise: str) -> InputError:
    """The error for a `spec` that names neither a data set of this kind nor what is allowed `otherwise`."""
    names, given = sorted(name for name, each in DATA_SETS.items() if each.kind == kind), str(spec)
    near = get_close_matches(given.lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    path = Path(spec).expanduser()
    if given.strip() and path.is_dir():
        hint = "; it is a folder: give the file in it"
    elif given.strip() and path.is_file():
        hint = "; it is a file: give the folder around it"
    return InputError(f"data={given!r}: must be {' or '.join(names)}, or {otherwise}{hint}")
