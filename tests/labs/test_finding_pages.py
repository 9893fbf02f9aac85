"""The pages that are made from the tree: they are the committed ones, and each row of the map leads somewhere."""

from pathlib import Path

import pytest

from foundations import InputError
from labs.finding import pages
from labs.finding.concepts import CHAPTERS
from labs.finding.errata import ERRATA
from labs.finding.index import Index, read

ROOT = Path(__file__).parents[2]
TERMS = [term for terms in CHAPTERS.values() for term in terms]
WITHOUT_LAB = {"random crop", "value iteration", "MLflow tracking", "checkpoint", "data fingerprint"}
"""Shown by no lab of its own: part of every run, or of none."""
MADE = "is not what the tree says any more; make it anew: python -m labs find --markdown docs/map.md"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree() -> Index:
    return read()


@pytest.fixture(scope="module")
def rows(tree) -> dict[str, dict]:
    """What the map shows of each term."""
    return {term: pages.found(term, tree) for term in TERMS}


def test_no_term_is_listed_twice():
    assert len(set(TERMS)) == len(TERMS)


def test_every_term_leads_to_code_and_to_a_test(rows):
    assert [term for term, found in rows.items() if not (found["code"] and found["tests"])] == []


def test_every_term_but_a_few_leads_to_a_lab(rows):
    assert {term for term, found in rows.items() if not found["labs"]} <= WITHOUT_LAB


def test_every_lab_is_in_the_map(rows, tree):
    shown = {entry.name for found in rows.values() for entry in found["labs"]}
    assert {entry.name for entry in tree.entries["labs"] if entry.name.startswith("labs.")} - shown == set()


def test_the_committed_map_is_what_the_tree_says(rows):
    made = (ROOT / "docs" / "map.md").read_text(encoding="utf-8") == pages.notes_map(rows)
    assert made, f"docs/map.md {MADE}"


def test_the_committed_errata_are_what_the_tree_says(tree):
    made = (ROOT / "docs" / "errata.md").read_text(encoding="utf-8") == pages.errata(tree)
    assert made, f"docs/errata.md {MADE}"


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: erratum.about)
def test_the_code_and_the_test_of_an_erratum_exist(tree, erratum):
    assert erratum.symbol in {entry.name for entry in tree.entries["code"]}
    assert erratum.test in {entry.name for entry in tree.entries["tests"]}


def test_both_pages_are_written_beside_each_other(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "CHAPTERS", {"Networks": ("LSTM",)})
    assert pages.write(tmp_path / "map.md", tree) == [tmp_path / "map.md", tmp_path / "errata.md"]
    assert "| LSTM | [`foundations.recurrent.layers.LSTM`][foundations.recurrent.layers.LSTM]" in (
        tmp_path / "map.md"
    ).read_text(encoding="utf-8")
    assert (tmp_path / "errata.md").read_text(encoding="utf-8").count("\n## ") == len(ERRATA)


def test_without_tests_no_page_is_written(tree, tmp_path):
    installed = Index(tree.root, {**tree.entries, "tests": ()}, {})
    with pytest.raises(InputError, match="--markdown"):
        pages.write(tmp_path / "map.md", installed)
    assert list(tmp_path.iterdir()) == []
