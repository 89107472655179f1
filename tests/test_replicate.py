"""What `make replicate` says of DVC's findings."""

import pytest

from elu_replication.commands.replicate import reason


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            [{"changed deps": {"params.yaml": "new"}}, {"changed outs": {"a": "deleted"}}],
            "not in dvc.lock yet",
        ),
        ([{"changed deps": {"params.yaml": {"arms.x": "modified"}}}], "parameters modified"),
        (
            [{"changed deps": {"data/mnist": "modified"}}, {"changed outs": {"a": "deleted"}}],
            "data/mnist modified",
        ),
        ([{"changed outs": {"results/a": "modified"}}], "results/a modified"),
        (["changed command"], "changed command"),
    ],
)
def test_the_reason_is_given_in_a_few_words(changes: list[object], text: str) -> None:
    assert reason(changes) == text
