"""Facts about the sources: experiments/claims/sources.yaml."""

from functools import cache

from pydantic import StrictBool

from elu_replication.config import documents, experiments
from elu_replication.config.documents import Strict
from elu_replication.config.schema import Positive

FILE = experiments.FOLDER / "claims/sources.yaml"


class Source(Strict):
    """A text that makes claims; `name` is what readers see, `bibtex` its key in experiments/sources.bib.
    Of this project itself, `published` is false."""

    name: str
    author: str
    title: str
    bibtex: str
    published: StrictBool = True


class Sources(Strict):
    """The sources by id, and published seconds to learn by arm."""

    sources: dict[str, Source]
    training_seconds: dict[str, Positive]


@cache
def load() -> Sources:
    """The checked document; raises UserError naming the field that is wrong."""
    return documents.checked(FILE, Sources)
