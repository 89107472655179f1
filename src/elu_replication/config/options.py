"""The options of conf/: a folder is a group, a file in it an option."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from elu_replication.config import documents
from elu_replication.errors import UserError

CONF = Path("conf")
T = TypeVar("T")


def require_root() -> None:
    """Raise UserError unless conf/ is in the working directory, to which every path is relative, and each
    of its files can be read, which Hydra does not name by itself."""
    if not (CONF / "config.yaml").is_file():
        raise UserError(f"{CONF}/config.yaml is not here: run this from the repository's root")
    for path in sorted(CONF.rglob("*.yaml")):
        documents.read(path)


@cache
def options(group: str) -> list[str]:
    """The options of a group, e.g. options("activation"): the files of conf/activation."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def group_option(group: str, option: str) -> dict[str, Any]:
    """The content of conf/<group>/<option>.yaml, without the protocol keys that a model file adds.

    Raises UserError naming the options there are."""
    path = CONF / group / f"{option}.yaml"
    if option not in options(group):
        raise UserError(f"{group} = {option!r}: must be one of {', '.join(options(group))}")
    content = documents.read(path)
    values = content.get(group, content)
    if not isinstance(values, dict):
        raise UserError(f"{path}: {group} = {values!r}: must hold keys with values")
    return values


def option(schema: type[T], group: str, name: str) -> T:
    """An option of a group as its schema; raises UserError naming the file and the wrong key."""
    return documents.checked(CONF / group / f"{name}.yaml", schema, lambda path: group_option(group, name))


def has(group: str, option: str, parameter: str) -> bool:
    """Whether an option has a parameter of its own: conf/activation/elu.yaml has alpha, relu.yaml null."""
    return group_option(group, option).get(parameter) is not None
