"""Markdown to passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tool_executor.knowledge.passages import (
    MAX_PASSAGE_CHARACTERS,
    CorpusInvalid,
    passages_of,
    read_corpus,
    sentences,
    shipped_corpus,
)


def test_the_shipped_corpus() -> None:
    passages = read_corpus(shipped_corpus())
    assert {passage.collection for passage in passages} == {"policies", "products", "faq"}
    titles = [passage.title for passage in passages]
    assert len(titles) == len(set(titles)) >= 25
    assert "Foreign Transaction Fee" in titles
    assert all(passage.content.endswith(".") for passage in passages)


def test_a_section_is_a_passage() -> None:
    text = "# Fees\n\nIntro.\n\n## First\nOne\nline.\n\n##  Second  \nTwo.\n"
    first, second = passages_of("policies", "policies/fees.md", text)
    assert (first.title, first.content) == ("First", "One line.")
    assert (second.title, second.content) == ("Second", "Two.")
    assert first.text == "First. One line."


def test_a_document_without_sections_is_a_passage() -> None:
    (titled,) = passages_of("faq", "faq/a.md", "# Hours\nNine to five.")
    assert (titled.title, titled.content) == ("Hours", "Nine to five.")
    (untitled,) = passages_of("faq", "faq/opening-hours.md", "Nine to five.")
    assert untitled.title == "Opening hours"


def test_empty_documents_and_sections_are_left_out() -> None:
    assert passages_of("faq", "faq/a.md", "") == []
    assert [p.title for p in passages_of("faq", "a.md", "## A\n\n## B\nText.")] == ["B"]


def test_long_sections_are_cut_between_sentences() -> None:
    text = "## Long\n" + "This sentence is of no great length. " * 80
    pieces = passages_of("faq", "a.md", text)
    assert len(pieces) == 3
    assert all(len(piece.content) <= MAX_PASSAGE_CHARACTERS for piece in pieces)
    assert all(piece.content.endswith("length.") for piece in pieces)
    assert len({piece.digest for piece in pieces}) >= 2


def test_a_sentence_without_end_is_cut_hard() -> None:
    pieces = passages_of("faq", "a.md", "## Long\n" + "x" * 3000)
    assert [len(piece.content) for piece in pieces] == [1200, 1200, 600]


def test_sentences() -> None:
    text = "It costs 2.50 dollars. Is it much? No! e.g. this stays."
    assert sentences(text) == ["It costs 2.50 dollars.", "Is it much?", "No! e.g. this stays."]


def test_a_digest_is_of_the_content() -> None:
    (one,) = passages_of("faq", "a.md", "## A\nText.")
    (moved,) = passages_of("policies", "b.md", "## A\nText.")
    (changed,) = passages_of("faq", "a.md", "## A\nText!")
    assert one.digest == moved.digest != changed.digest


def test_folders_in_order_and_nothing_but_markdown(tmp_path: Path) -> None:
    for name in ("b/two.md", "a/one.md", "a/notes.txt", "loose.md"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("## T\nText.")
    assert [passage.path for passage in read_corpus(tmp_path)] == ["a/one.md", "b/two.md"]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusInvalid, match="is not a folder"):
        read_corpus(tmp_path / "none")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusInvalid, match="utf-8"):
        read_corpus(tmp_path)
