"""YAML documents checked against a schema: a wrong one is told in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from elu_replication.errors import UserError, one_line

T = TypeVar("T", bound=BaseModel)


class Strict(BaseModel):
    """A schema: an unknown or missing field is an error, and a number may be infinite or NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


def read(path: Path) -> Any:
    """What a file holds; raises UserError naming it where it cannot be read or is not YAML."""
    try:
        return yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {one_line(error)}") from error


def checked(path: Path, schema: type[T], read: Callable[[Path], Any] = read) -> T:
    """A document that fits its schema; raises UserError naming the file and the field that is wrong."""
    try:
        return schema.model_validate(read(path))
    except ValidationError as error:
        first = error.errors()[0]
        told = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {told}") from error
