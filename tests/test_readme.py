"""README.md shows today's results."""

import renew as readme


def test_included_results_are_today_s() -> None:
    text = readme.FILE.read_text()
    assert "sgd_sigmoid" in text
    assert readme.with_files(text) == text
