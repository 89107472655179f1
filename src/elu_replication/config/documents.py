"""YAML documents and other values, checked against a schema; an error is one line."""

import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from elu_replication.errors import UserError, one_line

T = TypeVar("T")
# An unknown or missing field is an error; a number may be infinite or NaN.
STRICT = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class Strict(BaseModel):
    """The base of schemas for documents and stored results."""

    model_config = STRICT


def must(be: str, possible: Callable[[Any], bool]) -> AfterValidator:
    """A check for `Annotated`: raises ValueError("must be ...") unless the value is possible."""

    def check(value: Any) -> Any:
        if not possible(value):
            raise ValueError(f"must be {be}")
        return value

    return AfterValidator(check)


def validated(schema: type[T] | Any, values: Any) -> T:
    """Values as an instance of `schema`; raises UserError naming the first wrong key and what it allows."""
    try:
        return TypeAdapter(schema).validate_python(values)
    except ValidationError as error:
        raise UserError(first_error(error, schema)) from error


def first_error(error: ValidationError, schema: Any) -> str:
    """The first error in one line: the key, its value and what is allowed."""
    first = error.errors()[0]
    key, text = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    match first["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = ", ".join(_keys_at(schema, first["loc"][:-1]))
            return f"{key}: unknown key" + (f"; known here: {known}" if known else "")
        case "missing":
            return f"{key}: is missing"
        case "value_error" if text.startswith(key or text):  # the check named the key by itself
            return text
        case "value_error" if isinstance(first["input"], dict):
            return f"{key}: {text}"
        case "value_error":
            return f"{key} = {first['input']}: {text}"
        case _:
            return f"{key} = {reprlib.repr(first['input'])}: {text[0].lower()}{text[1:]}"


def _keys_at(schema: Any, path: tuple[int | str, ...]) -> list[str]:
    """The keys of a schema at a path in it; [] where the path leaves plain classes."""
    for part in path:
        schema = get_type_hints(schema).get(str(part)) if isinstance(schema, type) else None
    return list(get_type_hints(schema)) if isinstance(schema, type) and schema is not dict else []


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys whose values are not the same in both, in the order of `one`, then of `other`."""
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a key that stands twice is an error; plain YAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        names = [key.value for key in keys]
        for index, key in enumerate(keys):
            if key.value in names[:index]:
                problem = f"the key {key.value} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


def parsed(text: str | bytes) -> Any:
    """The content of a YAML text; raises yaml.YAMLError."""
    return yaml.load(text, _Loader)  # noqa: S506 - a safe one


def read(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; raises UserError naming the file, and the line where it can, if
    it cannot be read or holds anything else."""
    try:
        content = parsed(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{path}: {line}{error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that there is not
        raise UserError(f"{path}: {one_line(error)}") from error
    if not isinstance(content, dict):
        holds = "is empty" if content is None else f"holds {reprlib.repr(content)}"
        raise UserError(f"{path}: {holds}, must hold keys with values")
    return content


def checked(path: Path, schema: type[T], read: Callable[[Path], Any] = read) -> T:
    """A document as an instance of its schema; raises UserError naming the file and the wrong field."""
    content = read(path)
    try:
        return validated(schema, content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
