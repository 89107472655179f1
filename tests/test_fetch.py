"""Getting the data: every mirror gives the same bytes, and nothing wrong gets through."""

import gzip
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from elu_replication.config.schema import DatasetFacts, dataset_facts
from elu_replication.datasets import fetch, prepared
from elu_replication.errors import UserError


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture(scope="module")
def files(mnist: Path) -> dict[str, bytes]:
    """Real MNIST as the files that the mirrors serve, by name."""
    arrays = {name: np.load(mnist / f"{name}.npy") for name in prepared.shapes(dataset_facts("mnist"))}
    served = {fetch.IDX_FILES[name]: idx(array) for name, array in arrays.items()}
    served |= {f"{name}.gz": gzip.compress(content, 1) for name, content in served.items()}
    npz = io.BytesIO()
    np.savez(npz, **{fetch.NPZ_NAMES[name]: array for name, array in arrays.items()})
    return {**served, "mnist.npz": npz.getvalue()}


class Server(ThreadingHTTPServer):
    files: dict[str, bytes]
    failures: dict[str, list[int]]  # statuses to answer first

    def handle_error(self, *_: Any) -> None:
        """Says nothing: a client that refuses an answer hangs up."""


@pytest.fixture
def server(files: dict[str, bytes]) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1]
            statuses = serving.failures.get(name, [])
            status = statuses.pop(0) if statuses else 200 if name in serving.files else 404
            content = serving.files.get(name, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    serving = Server(("127.0.0.1", 0), Handler)
    serving.files, serving.failures = dict(files), {}
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place for prepared data than the repository's."""
    monkeypatch.setattr(fetch, "PREPARED", tmp_path / "data")
    monkeypatch.setattr(fetch, "QUARANTINE", tmp_path / "data/quarantine")
    return tmp_path / "data"


def dataset(*mirrors: dict[str, str], path: Path | None = None) -> DatasetFacts:
    return dataset_facts("mnist").model_copy(update={"mirrors": mirrors, "path": path and str(path)})


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "mnist").iterdir()}


def address(server: Server, name: str = "") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{name}"


def test_every_mirror_writes_the_same_bytes(
    server: Server, files: dict[str, bytes], elsewhere: Path, tmp_path: Path, mnist: Path
) -> None:
    for suffix in ("", ".gz"):
        folder = tmp_path / f"idx{suffix}"
        folder.mkdir()
        for name in fetch.IDX_FILES.values():
            (folder / f"{name}{suffix}").write_bytes(files[name + suffix])
    (tmp_path / "mnist.npz").write_bytes(files["mnist.npz"])
    mirrors = [
        dataset({"kind": "idx", "url": address(server)}),
        dataset({"kind": "npz", "url": address(server, "mnist.npz")}),
        *(dataset(path=tmp_path / name) for name in ("idx", "idx.gz", "mnist.npz")),
    ]
    prepared = {path.name: path.read_bytes() for path in mnist.iterdir()}
    for mirror in mirrors:
        fetch.fetch(mirror)
        assert written(elsewhere) == prepared


def test_a_wrong_file_is_quarantined_and_the_next_mirror_taken(
    server: Server, files: dict[str, bytes], elsewhere: Path
) -> None:
    labels = "train-labels-idx1-ubyte.gz"
    wrong = bytearray(gzip.decompress(files[labels]))
    wrong[-1] ^= 1
    server.files[labels] = gzip.compress(bytes(wrong))
    fetch.fetch(
        dataset(
            {"kind": "idx", "url": address(server)}, {"kind": "npz", "url": address(server, "mnist.npz")}
        )
    )
    assert (elsewhere / "quarantine" / labels).read_bytes() == server.files[labels]
    assert len(written(elsewhere)) == 4


def test_passing_failures_are_tried_again_and_lasting_ones_not(server: Server, elsewhere: Path) -> None:
    server.failures["mnist.npz"] = [503, 500]
    fetch.fetch(dataset({"kind": "npz", "url": address(server, "mnist.npz")}))
    assert len(written(elsewhere)) == 4
    server.failures["mnist.npz"] = [404, 404]
    with pytest.raises(UserError, match="HTTP status 404"):
        fetch.fetch(dataset({"kind": "npz", "url": address(server, "mnist.npz")}))
    assert server.failures["mnist.npz"] == [404]


def test_all_mirrors_failing_is_one_error_with_each_reason(
    server: Server, elsewhere: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        fetch.fetch(
            dataset(
                {"kind": "idx", "url": address(server, "gone/") + "x"},
                {"kind": "npz", "url": "http://127.0.0.1:1/mnist.npz"},
                path=tmp_path / "empty",
            )
        )
    text = str(refused.value)
    assert "HTTP status 404" in text
    assert "127.0.0.1:1/mnist.npz" in text
    assert "has neither train-images-idx3-ubyte" in text
    assert "dataset.path=" in text
    assert not (elsewhere / "mnist").exists()


def test_a_path_that_cannot_be_read_fails_like_a_mirror() -> None:
    with pytest.raises(fetch.MirrorError, match=r"/proc/self/mem cannot be read \(Input/output error\)"):
        fetch.from_path(Path("/proc/self/mem"), 1000)


def test_a_pickle_is_never_opened(elsewhere: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "sprung").touch, ())

    trap = np.array([Trap()], dtype=object)
    np.savez(tmp_path / "mnist.npz", allow_pickle=True, **dict.fromkeys(fetch.NPZ_NAMES.values(), trap))
    with pytest.raises(UserError, match=r"not an \.npz with x_train, y_train, x_test, y_test"):
        fetch.fetch(dataset(path=tmp_path / "mnist.npz"))
    assert not (tmp_path / "sprung").exists()


@given(
    array=arrays_of.arrays(np.uint8, arrays_of.array_shapes(min_dims=1, max_dims=3)), zipped=st.booleans()
)
def test_idx_files_decode_to_what_they_hold(array: np.ndarray, zipped: bool) -> None:
    content = gzip.compress(idx(array)) if zipped else idx(array)
    np.testing.assert_array_equal(fetch.decode_idx(content, len(idx(array))), array)


@given(data=st.data())
def test_a_cut_file_is_refused(data: st.DataObject) -> None:
    whole = idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    content = data.draw(st.sampled_from([whole, gzip.compress(whole)]))
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    with pytest.raises(fetch.MirrorError):
        fetch.decode_idx(cut, len(whole))
