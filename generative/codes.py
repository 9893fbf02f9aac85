"""What codes are good for: search for alike images, finding what is odd, saving space; beside principal components.

All functions take anything that can `encode` and `decode`: an `Autoencoder`, `PrincipalComponents`. Images are bytes,
which count as 0 to 1, or floats.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize

from foundations.errors import require, require_choice
from foundations.modes import evaluation_mode
from generative.pixels import in_unit_range

Measure = Literal["euclidean", "cosine"]
"""euclidean: how far apart two codes lie. cosine: the angle between them, whatever their lengths."""


class Coder(Protocol):
    """Anything that makes a code of an image, and an image of a code."""

    def encode(self, images: Tensor) -> Tensor:
        """Floats (batch, *) -> (batch, code)."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """(batch, code) -> (batch, *)."""
        ...


class PrincipalComponents:
    """The best that straight lines can do: code z = V (x - mean), x' = V^T z + mean, V the directions of most variance.

    No linear encoder and decoder with a code of this size reconstruct the images they were fitted to better.
    Shapes: images (n, *), bytes or floats; codes (batch, code_size); `components` V (code_size, pixels).
    Raises: InputError unless 1 <= code_size <= min(n, pixels), and for images that are not finite.
    Source: Pearson 1901; computed by scikit-learn's PCA.
    """

    def __init__(self, images: Tensor, code_size: int) -> None:
        from sklearn.decomposition import PCA  # takes a second to import, which most users of codes can do without

        rows = in_unit_range(images).flatten(start_dim=1).cpu()
        most = min(rows.shape)
        require(1 <= code_size <= most, "code_size", code_size, f"between 1 and {most}, what {len(rows)} images allow")
        require(bool(rows.isfinite().all()), "images", "NaN or infinity", "finite; fill or drop what is missing first")
        fitted = PCA(code_size, svd_solver="covariance_eigh" if len(rows) > rows.shape[1] else "full").fit(rows.numpy())
        self.shape = tuple(images.shape[1:])
        self.mean = torch.from_numpy(fitted.mean_).to(images.device, rows.dtype)
        self.components = torch.from_numpy(fitted.components_).to(images.device, rows.dtype)

    def first(self, code_size: int) -> "PrincipalComponents":
        """The same with the `code_size` strongest components alone. Raises: InputError for more than there are."""
        require(1 <= code_size <= len(self.components), "code_size", code_size, f"1 to {len(self.components)}")
        fewer = object.__new__(PrincipalComponents)
        fewer.shape, fewer.mean, fewer.components = self.shape, self.mean, self.components[:code_size]
        return fewer

    def encode(self, images: Tensor) -> Tensor:
        """(batch, *) -> (batch, code_size)."""
        return (images.flatten(start_dim=1) - self.mean) @ self.components.T

    def decode(self, codes: Tensor) -> Tensor:
        """(batch, code_size) -> (batch, *)."""
        return (codes @ self.components + self.mean).view(len(codes), *self.shape)


# --- there and back ---------------------------------------------------------------------------------------------------


def embed(coder: Coder, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """The codes of all images, in evaluation mode: (n, *) -> (n, code). Raises: InputError for no images."""
    return _by_batches(coder, lambda part: coder.encode(in_unit_range(part)), images, batch_size)


def decode(coder: Coder, codes: Tensor, *, batch_size: int = 500) -> Tensor:
    """The images of all codes, in evaluation mode: (n, code) -> (n, *), floats. Raises: InputError for no codes."""
    return _by_batches(coder, coder.decode, codes, batch_size)


def reconstruct(coder: Coder, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """What is left of the images after the way through the code: (n, *), floats. Raises: InputError for no images."""
    return _by_batches(coder, lambda part: coder.decode(coder.encode(in_unit_range(part))), images, batch_size)


def reconstruction_errors(coder: Coder, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """Each image's mean squared error over its pixels, |x' - x|^2 / pixels: (n, *) -> (n).

    Raises: InputError for no images.
    """

    def errors(part: Tensor) -> Tensor:
        x = in_unit_range(part)
        return (coder.decode(coder.encode(x)) - x).square().flatten(start_dim=1).mean(dim=1)

    return _by_batches(coder, errors, images, batch_size)


@torch.no_grad()
def _by_batches(coder: Coder, work: Callable[[Tensor], Tensor], rows: Tensor, batch_size: int) -> Tensor:
    """`work` on batch after batch, a module in evaluation mode; its mode is put back afterwards."""
    require(len(rows) >= 1, "images", len(rows), "at least 1")
    require(batch_size >= 1, "batch_size", batch_size, "at least 1")
    with evaluation_mode(coder):
        return torch.cat([work(part) for part in rows.split(batch_size)])


# --- similarity search ------------------------------------------------------------------------------------------------


def nearest(
    queries: Tensor, gallery: Tensor, count: int, *, measure: Measure = "cosine", batch_size: int = 1_000
) -> Tensor:
    """Similarity search: for each query the places in the gallery of its `count` nearest rows, the nearest first.

    Shapes: queries (q, width), gallery (n, width), floats; result (q, count), int64.
    Raises: InputError for other shapes, an unknown measure, and unless 1 <= count <= n.
    """
    require_choice("measure", measure, get_args(Measure))
    return _most_alike(queries, gallery, count, measure, batch_size)[1]


def _most_alike(
    queries: Tensor, gallery: Tensor, count: int, measure: Measure, batch_size: int
) -> tuple[Tensor, Tensor]:
    """For each query the `count` largest likenesses in the gallery and where they are: (q, count) each.

    cosine: cos(q, g), 0 for a row of zeros, which points nowhere. euclidean: q g - |g|^2 / 2, which is largest where
    |q - g|^2 is least; |q|^2 / 2, the same for all of the gallery, is left out.
    """
    fits = queries.dim() == gallery.dim() == 2 and queries.shape[1] == gallery.shape[1]
    require(fits, "queries shape", tuple(queries.shape), f"(q, width) with the gallery's {tuple(gallery.shape[1:])}")
    require(1 <= count <= len(gallery), "count", count, f"between 1 and {len(gallery)}, the size of the gallery")
    if measure == "cosine":
        queries, gallery = normalize(queries, dim=1), normalize(gallery, dim=1)
    handicap = gallery.square().sum(dim=1) / 2 if measure == "euclidean" else gallery.new_zeros(len(gallery))
    parts = [(part @ gallery.T).sub_(handicap).topk(count, dim=1) for part in queries.split(batch_size)]
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def precision_at(neighbours: Tensor, gallery_labels: Tensor, query_labels: Tensor) -> float:
    """precision@k: the share of the k neighbours of a query that are of its class, averaged over the queries.

    Shapes: neighbours (q, k) places in the gallery, gallery_labels (n), query_labels (q).
    Raises: InputError for other shapes.
    """
    fits = neighbours.dim() == 2 and query_labels.shape == neighbours.shape[:1]
    require(fits, "query_labels shape", tuple(query_labels.shape), f"one for each row of {tuple(neighbours.shape)}")
    alike = gallery_labels[neighbours] == query_labels.unsqueeze(1)
    return alike.double().mean().item()


# --- how sparse a code is ---------------------------------------------------------------------------------------------


def hoyer_sparsity(codes: Tensor) -> Tensor:
    """How few units tell each image: (sqrt(n) - |h|_1 / |h|_2) / (sqrt(n) - 1), n units; whatever the code's scale.

    1 where a single unit is not 0, 0 where all are equally large, and for a code of zeros. Gaussian codes have about
    0.25, by n. Shapes: codes (batch, n) -> (batch). Raises: InputError for other shapes and fewer than 2 units.
    Source: Hoyer 2004, JMLR 5.
    """
    wide = codes.dim() == 2 and codes.shape[1] >= 2
    require(wide, "codes shape", tuple(codes.shape), "(batch, n) with n >= 2")
    root, length = math.sqrt(codes.shape[1]), codes.norm(dim=1)
    sparsity: Tensor = (root - codes.abs().sum(dim=1) / length) / (root - 1)
    return sparsity.where(length > 0, 0.0)


# --- finding what is odd ----------------------------------------------------------------------------------------------


def anomaly_scores(coder: Coder, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """How odd each image is to a coder that learned from ordinary ones: what it cannot reconstruct; higher is odder.

    score = |x' - x|^2 / pixels
    Shapes: images (n, *), bytes or floats; scores (n). Raises: InputError for no images.
    """
    return reconstruction_errors(coder, images, batch_size=batch_size)


def novelty_scores(coder: Coder, images: Tensor, ordinary: Tensor, *, count: int = 5, batch_size: int = 500) -> Tensor:
    """How odd each image is by its code: its distance to the most alike codes of ordinary images; higher is odder.

    score = mean over the `count` nearest of 1 - cos(code, ordinary code), from 0 to 2. A coder may reconstruct simple
    shapes that it never saw; here a shape is odd where no ordinary one has a like code.
    Shapes: images (n, *), bytes or floats; ordinary (m, code), codes of training images; scores (n).
    Raises: InputError for no images, codes of another width and unless 1 <= count <= m.
    Source: Angiulli & Pizzuti 2002, PKDD (there the sum; Ramaswamy et al. 2000, SIGMOD 29, take the k-th alone).
    """
    codes = embed(coder, images, batch_size=batch_size)
    cosines, _ = _most_alike(codes, ordinary, count, "cosine", batch_size)
    return 1 - cosines.mean(dim=1)


def anomaly_threshold(scores: Tensor, quantile: float = 0.95) -> float:
    """The score above which an image counts as odd: the `quantile` of ordinary images kept apart from training.

    A share 1 - quantile of ordinary images is then a false alarm.
    Shapes: scores (n). Raises: InputError for no or not-finite scores and unless 0 < quantile < 1.
    """
    require(scores.dim() == 1 and len(scores) >= 1, "scores shape", tuple(scores.shape), "(n) with n >= 1")
    require(0 < quantile < 1, "quantile", quantile, "above 0 and below 1")
    require(bool(scores.isfinite().all()), "scores", "NaN or infinity", "finite; the coder has diverged")
    return scores.double().quantile(quantile).item()


# --- saving space -----------------------------------------------------------------------------------------------------


MOST_BITS = 16
"""In which a number of a code is kept at most."""


class Compression(NamedTuple):
    """What a code costs and what it keeps."""

    bits: int
    """Bits a number of the code, on average."""
    rate: float
    """How many times smaller the code is than the image, at 8 bits a pixel value."""
    psnr: float
    """Of the images that come back, in dB."""


def psnr(images: Tensor, reconstruction: Tensor) -> float:
    """Peak signal-to-noise ratio 10 log10(1 / mean |x' - x|^2), in dB, over all images at once.

    20 dB is an error of a tenth of the whole range, 40 dB of a hundredth; infinite for equal images.
    Shapes: both the same, bytes or in [0, 1]. Raises: InputError for differing shapes.
    """
    shapes = tuple(images.shape), tuple(reconstruction.shape)
    require(shapes[0] == shapes[1], "reconstruction shape", shapes[1], f"{shapes[0]}, the images'")
    error = (in_unit_range(images) - in_unit_range(reconstruction)).double().square().mean().item()
    return -10 * math.log10(error) if error else math.inf


def bits_by_variance(references: Tensor, bits: int) -> Tensor:
    """How many bits each unit gets where they have `bits` on average: more to those that vary more.

    Each bit in turn goes to the unit with the largest error left, s_j^2 / 4^b_j, s_j^2 its variance: the errors become
    alike, b_j ~ bits + log2(s_j / geometric mean of all). Best where a unit's error adds to the image's with the same
    weight, as principal components' do; units of equal variance get equal bits. None gets more than 16.
    Shapes: references (m, code), codes of training images, m >= 2; result (code), int64, their sum bits * code.
    Raises: InputError unless 1 <= bits <= 16. Source: Huang & Schultheiss 1963, IEEE Trans. Communications Systems 11.
    """
    require(1 <= bits <= MOST_BITS, "bits", bits, f"between 1 and {MOST_BITS}")
    left = references.double().var(dim=0)
    given = torch.zeros(references.shape[1], dtype=torch.int64, device=references.device)
    for _ in range(bits * references.shape[1]):
        unit = left.where(given < MOST_BITS, -1.0).argmax()
        given[unit] += 1
        left[unit] /= 4
    return given


def quantize(codes: Tensor, references: Tensor, bits: int | Tensor) -> Tensor:
    """Codes rounded to 2^bits values a unit, evenly spread over the middle 99 % of the unit's reference codes.

    A unit of 0 bits is put to the mean of its reference codes.
    Shapes: codes (n, code), references (m, code), bits one for all or (code), whole numbers; result as codes.
    Raises: InputError for bits above 16 or below 0, and 0 for all.
    """
    each = torch.as_tensor(bits, device=codes.device).expand(codes.shape[1])
    fits = bool(((each >= 0) & (each <= MOST_BITS)).all()) and bool(each.any())
    require(
        fits, "bits", each.unique().tolist(), f"between 1 and {MOST_BITS}; a unit may have 0 where others have some"
    )
    edges = torch.tensor([0.005, 0.995], dtype=references.dtype, device=references.device)
    low, high = references.quantile(edges, dim=0)
    cells = 2**each
    width = ((high - low) / cells).clamp(min=torch.finfo(codes.dtype).tiny)
    cell = ((codes - low) / width).floor().clamp(torch.zeros_like(cells), cells - 1)
    middle: Tensor = low + (cell + 0.5) * width
    return middle.where(each > 0, references.mean(dim=0))


def compression(coder: Coder, images: Tensor, references: Tensor, bits: int) -> Compression:
    """The rate and PSNR of `images` kept as codes of `bits` bits a number on average, shared out by variance.

    The codes `references` lay the cells and share out the bits. The decoder, which has to be kept once, is not counted.
    Shapes: images (n, *), references (m, code), codes of training images; a few thousand do.
    Raises: InputError for no images and unless 1 <= bits <= 16.
    """
    codes = quantize(embed(coder, images), references, bits_by_variance(references, bits))
    back = _by_batches(coder, coder.decode, codes, 500).clamp(0, 1)
    rate = 8 * images.shape[1:].numel() / (bits * codes.shape[1])
    return Compression(bits, rate, psnr(images, back))
