"""The state of an unfinished run, kept outside the results."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from elu_replication import atomic
from elu_replication.errors import UserError, one_line

FOLDER = Path(".checkpoints")


def path_for(*determines: Any) -> Path:
    """The checkpoint of a run, named by the hash of everything that determines its result (JSON values), so
    that no run of another protocol, data set or code resumes from it."""
    digest = hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()
    return FOLDER / f"{digest[:32]}.npz"


def save(path: Path, state: Any, values: list[np.ndarray]) -> None:
    """Store `state` (JSON values) and arrays in one file. An OSError leaves the last checkpoint."""
    content = io.BytesIO()
    np.savez(content, json.dumps(state), *values)
    atomic.write_bytes(path, content.getvalue())


def load(path: Path) -> tuple[Any, list[np.ndarray]] | None:
    """The state and the arrays that save() stored, or None if there is no checkpoint; raises UserError
    where it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            state, *values = (stored[name] for name in stored.files)
        return json.loads(str(state)), values
    except Exception as error:  # NumPy raises a dozen kinds on damaged files
        text = getattr(error, "strerror", None) or one_line(error)  # of an OSError, without the path
        raise UserError(f"{path}: damaged ({text}); `rm -r {path}` lets the run begin anew") from error
