"""What `make replicate` says of DVC's findings."""

import pytest

from elu_replication.commands.replicate import reason


@pytest.mark.parametrize(
    ("changes", "told"),
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
def test_the_reason_is_told_in_a_few_words(changes: list[object], told: str) -> None:
    assert reason(changes) == told
