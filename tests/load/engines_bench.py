"""Measures the local speech engines that are installed: `python tests/load/engines_bench.py`.

Each engine runs in a process of its own, so that its memory is its own, and through the same
provider and streams as in the service. Prints two Markdown tables. Processor time is that of the
whole process, all threads; wall times depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "services"), str(ROOT / "libs")]

from speech_pool.engines.local import LocalProvider, LocalSettings  # noqa: E402
from speech_pool.engines.pcm import to_pcm  # noqa: E402
from speech_pool.engines.resample import resample  # noqa: E402
from speech_pool.engines.selection import HEARING, SPEAKING  # noqa: E402
from speech_pool.ports import (  # noqa: E402
    AudioChunk,
    ProviderUnavailable,
    RecognitionOptions,
    Transcript,
    Voice,
)
from tests.support.spoken_clips import Clip, read_wav, vendored_clips, word_error_rate  # noqa: E402

DEBIAN_CLIPS = Path("/usr/share/pocketsphinx/test/data/librivox")
FRAME_SECONDS = 0.02
SILENCE_SECONDS = 0.5
SENTENCE = "Of course, your balance as of March 5th is $1,250.50, and one transfer is on its way."
ANSWER = SENTENCE + " It will arrive within one business day. Is there anything else I can do?"
REPEATS = 10


def longer_clips() -> list[Clip]:
    """The recordings that are too long to be vendored, where Debian's package is installed."""
    if not DEBIAN_CLIPS.is_dir():
        return []
    clips = list[Clip]()
    for line in (DEBIAN_CLIPS / "transcription").read_text().splitlines():
        words, name = line.replace("<s>", "").split("</s>")
        path = DEBIAN_CLIPS / f"{name.strip(' ()')}.wav"
        clips.append(Clip(path.name, words.strip(), *read_wav(path)))
    return [clip for clip in clips if len(clip.samples) > 5 * clip.hertz]


async def heard(provider: LocalProvider, clip: Clip, hertz: int) -> str:
    """What the engine hears in a clip that comes all at once."""
    client = await provider.recognizers.open()
    stream = client.start(RecognitionOptions(hertz, interim_results=False))
    stream.write(bytes(hertz) + to_pcm(resample(clip.samples, clip.hertz, hertz)))
    stream.finish()
    finals = [e.text async for e in stream.events() if isinstance(e, Transcript) and e.is_final]
    await provider.recognizers.close(client)
    return " ".join(finals)


async def final_delay(provider: LocalProvider, clip: Clip) -> float:
    """Seconds from the end of the silence that ends the utterance to its final, in real time."""
    client = await provider.recognizers.open()
    stream = client.start(RecognitionOptions(clip.hertz))
    written: list[tuple[int, float]] = []

    async def write() -> None:
        pcm = to_pcm(clip.samples) + bytes(round(2 * clip.hertz) * 2)
        size, start = round(clip.hertz * FRAME_SECONDS) * 2, time.perf_counter()
        for number, at in enumerate(range(0, len(pcm), size)):
            await asyncio.sleep(start + number * FRAME_SECONDS - time.perf_counter())
            stream.write(pcm[at : at + size])
            written.append(((at + size) // 2, time.perf_counter()))

    writing = asyncio.create_task(write())
    async for event in stream.events():
        if isinstance(event, Transcript) and event.is_final:
            due = event.end_sample + SILENCE_SECONDS * clip.hertz
            at = next(moment for sample, moment in written if sample >= due)
            delay = time.perf_counter() - at
            break
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await provider.recognizers.close(client)
    return delay


async def measure_hearing(engine: str) -> dict[str, Any]:
    provider, load = await loaded(LocalSettings(recognizer_engine=engine))
    clips, long = vendored_clips(), longer_clips()
    spent, seconds = time.process_time(), sum(len(c.samples) / c.hertz for c in clips + long)
    wide = [(clip.words, await heard(provider, clip, 16_000)) for clip in clips + long]
    spent = time.process_time() - spent
    phone = [(clip.words, await heard(provider, clip, 8_000)) for clip in clips + long]
    cpu, wall = time.process_time(), time.perf_counter()
    delays = [await final_delay(provider, clip) for clip in clips]
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    await provider.aclose()
    return {
        "engine": engine,
        "load s": f"{load:.1f}",
        "RSS MB (now / peak)": rss(),
        "clips": f"{len(wide)}, {seconds:.0f} s",
        "WER 16 kHz": f"{word_error_rate(wide):.1%}",
        "WER 8 kHz": f"{word_error_rate(phone):.1%}",
        "CPU s per s of audio": f"{spent / seconds:.3f}",
        "final after the silence, ms (median / max)": f"{statistics.median(delays) * 1e3:.0f}"
        f" / {max(delays) * 1e3:.0f}",
        "one call in real time, % of a core": f"{share * 100:.0f}",
    }


async def measure_speaking(engine: str) -> dict[str, Any]:
    provider, load = await loaded(LocalSettings(synthesizer_engine=engine))
    client = await provider.synthesizers.open()
    firsts, walls, spent, seconds = list[float](), list[float](), 0.0, 0.0
    for _ in range(REPEATS):
        begun, cpu, first = time.perf_counter(), time.process_time(), 0.0
        async for event in client.speak(ANSWER, Voice(), 16_000):
            assert isinstance(event, AudioChunk)
            first = first or time.perf_counter() - begun
            seconds += len(event.pcm) / 32_000
        firsts.append(first)
        walls.append(time.perf_counter() - begun)
        spent += time.process_time() - cpu
    spent += resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    await provider.aclose()
    return {
        "engine": engine,
        "load s": f"{load:.1f}",
        "RSS MB (now / peak)": rss(),
        "audio s": f"{seconds / REPEATS:.1f}",
        "first audio ms (median / max)": f"{statistics.median(firsts) * 1e3:.0f}"
        f" / {max(firsts) * 1e3:.0f}",
        "whole answer ms": f"{statistics.median(walls) * 1e3:.0f}",
        "CPU s per s of audio": f"{spent / seconds:.3f}",
    }


async def loaded(settings: LocalSettings) -> tuple[LocalProvider, float]:
    provider, begun = LocalProvider(settings), time.perf_counter()
    await provider.load()
    return provider, time.perf_counter() - begun


def rss() -> str:
    """Resident memory now and at most, with the preferred engine of the other port loaded too."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    now = pages * resource.getpagesize() / 2**20
    return f"{now:.0f} / {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"


MEASURES: dict[str, Callable[[str], Coroutine[Any, Any, dict[str, Any]]]] = {
    **dict.fromkeys(HEARING, measure_hearing),
    **dict.fromkeys(SPEAKING, measure_speaking),
}


def measure_alone(engine: str) -> dict[str, Any] | str:
    """The row of an engine, measured in a fresh process; or why there is none."""
    done = subprocess.run(
        [sys.executable, __file__, "--json", engine], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def print_table(title: str, engines: list[str]) -> None:
    rows: dict[str, dict[str, Any] | str] = {e: measure_alone(e) for e in engines}
    there = [row for row in rows.values() if isinstance(row, dict)]
    print(f"\n{title}\n")
    if there:
        print("| " + " | ".join(there[0]) + " |")
        print("|" + "---|" * len(there[0]))
    for row in there:
        print("| " + " | ".join(row.values()) + " |")
    for engine, why in rows.items():
        if isinstance(why, str):
            print(f"\n{engine}: not measured, {why}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "engine", nargs="*", help="engines to measure; none: all that are installed"
    )
    parser.add_argument("--json", action="store_true", help="one engine, in this process, as JSON")
    arguments = parser.parse_args()
    unknown = [engine for engine in arguments.engine if engine not in MEASURES]
    if unknown:
        parser.error(f"no engine {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    if arguments.json:
        try:
            print(json.dumps(asyncio.run(MEASURES[arguments.engine[0]](arguments.engine[0]))))
        except ProviderUnavailable as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},", end=" ")
    print(f"Python {platform.python_version()}")
    wanted = arguments.engine or list(MEASURES)
    print_table("Hearing", [engine for engine in HEARING if engine in wanted])
    print_table("Speaking", [engine for engine in SPEAKING if engine in wanted])
    return 0


if __name__ == "__main__":
    sys.exit(main())
