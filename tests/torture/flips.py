"""Flipped bits, in every file that a command reads again."""

import signal
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

from cnnlab.data import readers, specs
from cnnlab.data.download import md5_of
from tests.data.test_readers import write_mnist
from tests.torture.ring import Ring, again, answered

MNIST_IMAGES = 120  # in each of the two files of images


def in_a_run(ring: Ring, logs: Path) -> str:
    """In a file of an interrupted or complete run, or in the cache of the images; each kind of file as often."""
    running = ring.run(ring.arguments(logs))
    running.wait(ring.random.choice((None, signal.SIGKILL)), ring.random.uniform(ring.seconds / 2, ring.seconds))
    files = [path for folder in (logs, ring.folder / "data") for path in sorted(folder.rglob("*")) if path.is_file()]
    kinds = sorted({_kind(path) for path in files if path.stat().st_size})
    kind = ring.random.choice(kinds)
    path = ring.random.choice([path for path in files if _kind(path) == kind and path.stat().st_size])
    place = ring.flip_in(path)
    reported = ring.run([f"log_dir={logs}", f"figures={logs / 'report'}"], command="report").wait()
    outcome = again(ring, logs, reported, may_refuse=True)
    return outcome if outcome == "survived" else f"{outcome} ({place})"


def _kind(path: Path) -> str:
    """The name of a file, without the parts that differ between runs."""
    return "events" if path.name.startswith("events.") else path.name


def in_raw_images(ring: Ring, logs: Path) -> str:
    """In an IDX file of a small MNIST with known checksums, before or after its images are cached: never trained on."""
    raw = logs / "data" / "MNIST" / "raw"
    write_mnist(raw, count=MNIST_IMAGES)
    files = sorted(raw.iterdir())
    checksums = {"mnist": {path.name: md5_of(path) for path in files}}
    small = replace(specs.SPECS["mnist"], train_size=MNIST_IMAGES, test_size=MNIST_IMAGES)
    arguments = ring.arguments(logs / "runs", "mnist", logs / "data")
    with mock.patch.dict(specs.SPECS, {"mnist": small}), mock.patch.dict(readers.IDX_MD5, checksums):
        if ring.random.random() < 0.5:
            first = ring.run(arguments).wait()
            if first.status != 0:
                return f"lost: undisturbed: {first.err[-300:]}"
        place = ring.flip_in(ring.random.choice(files))
        second = ring.run([*arguments, "data.download=false"]).wait()
    if second.has_traceback:
        return f"traceback: {place}: {second.err[-400:]}"
    is_refused = second.status == 1 and second.err.startswith("error: mnist could not be read")
    return "survived" if is_refused else f"lost: {place} was read: {second.out[-300:]}{second.err[-300:]}"


def in_a_sweep(ring: Ring, logs: Path) -> str:
    """In a file of a sweep's state while its jobs run; the jobs are not disturbed."""
    sweep = ring.run(["-m", "seed=0,1", *ring.arguments(logs)])
    end = time.monotonic() + ring.random.uniform(0.3, 3) * ring.seconds
    while sweep.process.is_alive() and time.monotonic() < end:
        time.sleep(0.01)
    files = [path for path in sorted((logs / "sweeps").rglob("*.json")) if not path.name.startswith(".")]
    place = ring.flip_in(ring.random.choice(files)) if files else "no file yet"
    outcome = sweep.wait()
    if outcome.status not in (0, 1):
        return f"lost: {place}: status {outcome.status}: {outcome.err[-300:]}"
    return again(ring, logs, outcome)


def in_a_study(ring: Ring, logs: Path) -> str:
    """In the database or the result of a search that was killed or is complete."""
    arguments = [*ring.arguments(logs), "optimizer=sgd", "search=sgd", "trials=2", "confirm_seeds=0", "heartbeat=1"]
    moment = ring.random.uniform(ring.seconds, 3 * ring.seconds)
    ring.run(arguments, command="tune").wait(ring.random.choice((None, signal.SIGKILL)), moment)
    files = [path for path in sorted((logs / "studies").rglob("study.*")) if path.stat().st_size]
    place = ring.flip_in(ring.random.choice(files)) if files else "no file yet"
    return answered(ring.run(arguments, command="tune").wait(), place)
