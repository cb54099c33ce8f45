"""Licence expressions against an allow-list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.spdx import judge

ALLOW = ["MIT", "apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", "Llama 3.1 Community License", "LGPL-2.1"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("MIT", ("MIT",)),
        (" mit ", ("mit",)),
        ("Apache-2.0", ("Apache-2.0",)),
        ("(MIT)", ("MIT",)),
        ("MIT AND Apache-2.0", ("MIT", "Apache-2.0")),
        ("GPL-3.0-only OR MIT", ("MIT",)),
        ("MIT or GPL-3.0-only", ("MIT",)),
        ("GPL-3.0-only OR MIT AND Apache-2.0", ("MIT", "Apache-2.0")),
        ("(GPL-3.0-only OR MIT) AND Apache-2.0", ("MIT", "Apache-2.0")),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ("GPL-2.0-only WITH Classpath-exception-2.0",)),
        ("gpl-2.0-only  with  classpath-exception-2.0 AND MIT", ("gpl-2.0-only WITH classpath-exception-2.0", "MIT")),
        ("Apache-2.0 WITH LLVM-exception", ("Apache-2.0 WITH LLVM-exception",)),
        ("LGPL-2.1+", ("LGPL-2.1+",)),
        ("LGPL-2.1+ WITH GCC-exception-2.0", ("LGPL-2.1+ WITH GCC-exception-2.0",)),
        ("llama 3.1  community license", ("llama 3.1  community license",)),
    ],
)
def test_expression_whose_parts_are_listed_is_allowed_by_them(text: str, parts: tuple[str, ...]) -> None:
    assert judge(text, ALLOW) == (True, parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("GPL-3.0-only", ("GPL-3.0-only",)),
        ("MITx", ("MITx",)),
        ("MIT AND GPL-3.0-only", ("GPL-3.0-only",)),
        ("GPL-3.0-only OR AGPL-3.0-only", ("GPL-3.0-only", "AGPL-3.0-only")),
        ("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", ("GPL-3.0-only", "AGPL-3.0-only")),
        ("MIT OR Apache-2.0 AND", ("MIT OR Apache-2.0 AND",)),
        ("GPL-2.0-only", ("GPL-2.0-only",)),
        ("GPL-2.0-only WITH Bison-exception-2.2", ("GPL-2.0-only WITH Bison-exception-2.2",)),
        ("MIT WITH", ("MIT WITH",)),
        ("MIT Apache-2.0", ("MIT Apache-2.0",)),
        ("MIT, Apache-2.0", ("MIT, Apache-2.0",)),
        ("(MIT", ("(MIT",)),
        ("MIT)", ("MIT)",)),
        ("AND", ("AND",)),
        ("", ("",)),
        ("see LICENSE", ("see LICENSE",)),
        ("NOASSERTION", ("NOASSERTION",)),
        ("Llama 3.1 Community License AND MIT", ("Llama 3.1 Community License AND MIT",)),
        ("LicenseRef-ours", ("LicenseRef-ours",)),
        ("MIT ++", ("MIT ++",)),
    ],
)
def test_anything_else_is_refused_by_what_is_not_listed(text: str, parts: tuple[str, ...]) -> None:
    assert judge(text, ALLOW) == (False, parts)


def test_reference_to_a_licence_of_ones_own_may_be_listed() -> None:
    assert judge("DocumentRef-a:LicenseRef-ours OR GPL-3.0-only", ["documentref-a:licenseref-ours"]).allowed


def test_with_an_exception_listed_the_bare_licence_is_not() -> None:
    assert not judge("GPL-2.0-only", ["GPL-2.0-only WITH Classpath-exception-2.0"]).allowed


def test_later_versions_listed_do_not_list_the_version_itself() -> None:
    assert not judge("LGPL-2.1", ["LGPL-2.1+"]).allowed
    assert judge("LGPL-2.1+", ["LGPL-2.1+"]).allowed


def test_parentheses_without_end_are_no_expression() -> None:
    deep = "(" * 1000 + "MIT" + ")" * 1000
    assert judge(deep, ["MIT"]) == (False, (deep,))
    assert judge("(" * 30 + "MIT" + ")" * 30, ["MIT"]).allowed
    assert judge(" OR ".join(["X"] * 400 + ["MIT"]), ["MIT"]).allowed


_TREE = st.recursive(
    st.sampled_from(["MIT", "BAD"]), lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner), max_leaves=8
)


def _text(tree: object) -> str:
    return tree if isinstance(tree, str) else f"({_text(tree[0])} {tree[1]} {_text(tree[2])})"  # type: ignore[index]


def _truth(tree: object) -> bool:
    if isinstance(tree, str):
        return tree == "MIT"
    left, word, right = tree  # type: ignore[misc]
    return (_truth(left) and _truth(right)) if word == "AND" else (_truth(left) or _truth(right))


@given(_TREE)
def test_expression_is_worth_what_logic_says(tree: object) -> None:
    answer = judge(_text(tree), ["MIT"])
    assert answer.allowed == _truth(tree)
    assert set(answer.parts) == {"MIT" if answer.allowed else "BAD"}
