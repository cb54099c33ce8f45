"""What a version's own policy would change."""

import pytest

from gitkit.core.config import parse_config
from gitkit.lifecycle.plan import policy_changes
from tests.lib.configs import ENVIRONMENTS


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", None),
        ('auto = "newest"\n', "with auto"),
        ('soak = "1h"\noverride = ["a@b"]\n', "with soak, override"),
    ],
)
def test_policy_changes_name_whatever_makes_the_policy_another_one(line: str, told: str | None) -> None:
    before = parse_config(ENVIRONMENTS.encode())
    after = parse_config(ENVIRONMENTS.replace('from = ["dev"]\n', f'from = ["dev"]\n{line}').encode())
    changes = policy_changes(before, after, "staging")
    assert (str(changes) if changes is not None else None) == told
