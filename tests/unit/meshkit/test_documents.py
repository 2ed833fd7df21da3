"""Documents that cannot be read, or are no documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit.documents import MAX_BYTES, DocumentError, read_document, suggestion


def refusal(path: Path) -> str:
    with pytest.raises(DocumentError) as refused:
        read_document(path)
    return str(refused.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


def test_each_key_and_item_has_its_line(path: Path) -> None:
    path.write_text("a: 1\nb:\n  c:\n    - x\n    - y\n")
    document = read_document(path)
    assert document.content == {"a": 1, "b": {"c": ["x", "y"]}}
    assert document.where(("a",)) == f"{path}:1"
    assert document.where(("b", "c", 1)) == f"{path}:5"


def test_a_place_that_is_not_there_is_told_by_what_is_around_it(path: Path) -> None:
    path.write_text("a: 1\nb:\n  c: 2\n")
    document = read_document(path)
    assert document.where(("b", "d", "e")) == f"{path}:2"
    assert document.where(("z",)) == f"{path}:1"


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not(path: Path) -> None:
    head = "a: "
    path.write_text(head + "x" * (MAX_BYTES - len(head)))
    assert len(read_document(path).content["a"]) == MAX_BYTES - len(head)
    path.write_text(head + "x" * MAX_BYTES)
    assert refusal(path) == f"{path} is larger than 256 KiB"


def test_what_is_not_there(path: Path) -> None:
    assert refusal(path).startswith(f"{path} cannot be read: ")


def test_what_is_a_folder(path: Path) -> None:
    path.mkdir()
    assert refusal(path).startswith(f"{path} cannot be read: ")


def test_what_is_no_utf8(path: Path) -> None:
    path.write_bytes(b"a: \xff\n")
    assert refusal(path).startswith(f"{path} cannot be read: ")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "just words\n", "- a\n", "null\n"])
def test_what_holds_no_keys(path: Path, text: str) -> None:
    path.write_text(text)
    assert refusal(path) == f"{path}:1: must hold `key: value` lines"


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [id]\n",
        "a: 1\n---\nb: 2\n",
        "a: *nowhere\n",
        "? [a, b]\n: c\n",
        "? {a: b}\n: c\n",
        "a: 2026-13-45\n",
        "a: \0\n",
        "a: " + "[" * 5000,
    ],
    ids=[
        "python",
        "two documents",
        "alias",
        "list as key",
        "mapping as key",
        "no date",
        "nul",
        "depth",
    ],
)
def test_what_no_author_means(path: Path, text: str) -> None:
    path.write_text(text)
    assert str(path) in refusal(path)


def test_an_alias_is_followed(path: Path) -> None:
    path.write_text("a: &x\n  b: 1\nc: *x\n")
    document = read_document(path)
    assert document.content["c"] == {"b": 1}
    assert document.where(("c", "b")) == f"{path}:3"


def test_an_alias_may_hold_itself(path: Path) -> None:
    path.write_text("a: &x\n  b: *x\n")
    assert read_document(path).where(("a", "b", "b", "b")) == f"{path}:2"


def test_aliases_may_multiply(path: Path) -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    path.write_text("\n".join(levels))
    assert len(read_document(path).lines) < 200, "a thousand million, if each were followed"


def test_a_suggestion() -> None:
    assert suggestion("voise", ["voice", "model"]) == "; did you mean 'voice'?"
    assert suggestion("zzz", ["voice", "model"]) == "; known are model, voice"
