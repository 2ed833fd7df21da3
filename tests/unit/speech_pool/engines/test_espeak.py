"""espeak-ng: a program that is given the text privately and may be missing, broken or stuck."""

from __future__ import annotations

from pathlib import Path

import pytest

from speech_pool.engines import espeak
from speech_pool.engines.espeak import EspeakModel
from speech_pool.ports import ProviderError, ProviderUnavailable


def program(folder: Path, script: str) -> EspeakModel:
    """An `EspeakModel` over a program of our own."""
    path = folder / "espeak-ng"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return EspeakModel(str(path))


def test_the_text_goes_through_standard_input_and_not_on_the_command_line(tmp_path: Path) -> None:
    model = program(tmp_path, f'echo "$@" > {tmp_path}/args; cat > {tmp_path}/text')

    model.render("The secret is AB12.", "en-gb", 1.2)

    assert (tmp_path / "text").read_text() == "The secret is A B 1 2."
    assert (tmp_path / "args").read_text() == "--stdin --stdout -b 1 -v en-gb -s 198\n"


@pytest.mark.parametrize(
    ("script", "samples"),
    [
        (r"printf 'RIFF....WAVEdata\377\377\377\377\001\000\002\000'", 2),
        (r"printf 'RIFF....WAVEdata\377\377\377\377\001\000\002'", 1),
        ("printf ''", 0),
        ("printf 'RIFF....WAVEdata'", 0),
    ],
)
def test_audio_is_what_follows_the_header(tmp_path: Path, script: str, samples: int) -> None:
    assert len(program(tmp_path, script).render("Hello.", "en-us", 1.0)) == samples


def test_a_program_that_fails_is_told_without_the_words(tmp_path: Path) -> None:
    model = program(tmp_path, "cat >&2; exit 3")

    with pytest.raises(ProviderError, match="espeak-ng failed with CalledProcessError") as raised:
        model.render("secret words", "en-us", 1.0)
    assert "secret" not in str(raised.value)


def test_a_program_that_is_stuck_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "LIMIT_SECONDS", 0.1)

    with pytest.raises(ProviderError, match="TimeoutExpired"):
        program(tmp_path, "exec sleep 60").render("Hello.", "en-us", 1.0)


def test_a_program_that_went_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="FileNotFoundError"):
        EspeakModel(str(tmp_path / "gone")).render("Hello.", "en-us", 1.0)


def test_without_the_program_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ProviderUnavailable, match="not on PATH: install the package espeak-ng"):
        EspeakModel.load()
