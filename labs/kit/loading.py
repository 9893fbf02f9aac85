"""What a lab loads: data sets, each recorded as what the run learns from, and models of earlier runs."""

from __future__ import annotations  # as in `run`: naming data types must not import torch

from typing import TYPE_CHECKING, Any, TypeVar

from foundations.errors import InputError
from labs.kit.origin import Origin

if TYPE_CHECKING:
    import torch

    from labs.kit.data import Data, ImageData, SentenceData, TableData, TextData
    from labs.kit.models import Kept

AnyData = TypeVar("AnyData", bound="Data")


class Loading:
    """The part of a run that loads. A resumed or repeated run refuses data that have changed since."""

    _origin: Origin
    _facts: dict[str, Any]
    device: torch.device

    def note(self, text: str) -> None:
        """Say what no reader may miss."""
        raise NotImplementedError

    def load_images(self, spec: str) -> ImageData:
        """The labelled images `spec` (a registered name or a folder), recorded as what this run learns from."""
        from labs.kit.data import load_images

        return self._recorded(spec, load_images(spec))

    def load_table(self, spec: str) -> TableData:
        """The table `spec` (a registered name or a CSV file), recorded as what this run learns from."""
        from labs.kit.data import load_table

        return self._recorded(spec, load_table(spec))

    def load_text(self, spec: str) -> TextData:
        """The text `spec` (a registered name or a file), recorded as what this run learns from."""
        from labs.kit.data import load_text

        return self._recorded(spec, load_text(spec))

    def load_sentences(self, spec: str) -> SentenceData:
        """The labelled sentences `spec` (a registered name or a folder), recorded as what this run learns from."""
        from labs.kit.data import load_sentences

        return self._recorded(spec, load_sentences(spec))

    def load_model(self, reference: str, *, lab: str, **same: object) -> Kept:
        """The model that a finished run of `lab` kept, on this run's device; `same`: settings that both must share.

        Which run `last` was is recorded: a resumed or repeated run takes the same one.
        Raises: as `labs.kit.models.load_model`.
        """
        from labs.kit.models import load_model

        before = self._origin.before.get("models_of", {})
        kept = load_model(before.get(reference, reference), lab=lab, same=same)
        kept.module.to(self.device)
        self._facts["models_of"] = {**self._facts.get("models_of", {}), reference: kept.run.path.name}
        self.note(f"the model is that of run {kept.run.record['name']} of {lab}")
        return kept

    def _recorded(self, spec: str, data: AnyData) -> AnyData:
        before = self._origin.before.get("data", {}).get(data.name)
        if before and before["fingerprint"] != data.fingerprint:
            raise InputError(
                f"data {spec!r}: changed since the run (fingerprint {data.fingerprint}, was {before['fingerprint']}); "
                "give the original data, or start a new run"
            )
        facts = {"fingerprint": data.fingerprint, "source": data.source, "licence": data.licence}
        self._facts["data"][data.name] = {**facts, **data.counts}
        if data.notice:
            self.note(data.notice)
        return data
