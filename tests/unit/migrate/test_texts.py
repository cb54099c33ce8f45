"""Commits and tags of other objects: every other byte stays."""

import pytest

from gitkit.migrate.texts import parse_commit, rewrite_commit, rewrite_tag, tag_target

OLD, NEW, PARENT, OTHER = "a" * 40, "b" * 40, "c" * 40, "d" * 40
PEOPLE = b"author A U Thor <a@b> 1 +0545\ncommitter \xe9 <> 2 -1200\n"
PLAIN = f"tree {OLD}\nparent {PARENT}\n".encode() + PEOPLE
SIGNATURE = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n"
MERGETAG = f"mergetag object {OTHER}\n type commit\n tag v1\n \n text\n".encode()


@pytest.mark.parametrize(
    "message", [b"\nmessage\n", b"\nno line end", b"\n\n\ntree of nothing\nparent x\n", b"\n", b""]
)
def test_commit_with_another_tree_and_parent_keeps_the_rest(message: bytes) -> None:
    extra = b"encoding ISO-8859-1\nHG:extra a b\n more\n"
    done = rewrite_commit(PLAIN + extra + message, NEW, [OTHER], {})
    expected = f"tree {NEW}\nparent {OTHER}\n".encode() + PEOPLE + extra + message
    assert (done.data, done.unsigned) == (expected, False)


def test_commit_names_its_tree_and_all_parents() -> None:
    data = f"tree {OLD}\nparent {PARENT}\nparent {OTHER}\n".encode() + PEOPLE + b"\nparent in a message\n"
    assert parse_commit(data) == (OLD, (PARENT, OTHER))


@pytest.mark.parametrize("name", [b"gpgsig", b"gpgsig-sha256"])
def test_signature_of_a_commit_goes_and_is_reported(name: bytes) -> None:
    signed = PLAIN + SIGNATURE.replace(b"gpgsig", name) + b"encoding x\n\nmessage\n"
    done = rewrite_commit(signed, NEW, [PARENT], {})
    assert done.unsigned
    assert done.data == PLAIN.replace(OLD.encode(), NEW.encode()) + b"encoding x\n\nmessage\n"


@pytest.mark.parametrize(("renamed", "stays"), [({}, True), ({OTHER: NEW}, False)])
def test_tag_of_a_merge_goes_where_what_it_names_has_changed(renamed: dict[str, str], stays: bool) -> None:
    done = rewrite_commit(PLAIN + MERGETAG + b"\nmerge\n", OLD, [PARENT], renamed)
    assert (MERGETAG in done.data, done.unsigned) == (stays, not stays)


def test_tag_of_another_object_keeps_the_rest() -> None:
    rest = b"type commit\ntag v1\ntagger T <> 1 +0000\n\nobject of desire\n"
    done = rewrite_tag(f"object {OLD}\n".encode() + rest, NEW)
    assert (done.data, done.unsigned) == (f"object {NEW}\n".encode() + rest, False)
    assert tag_target(done.data) == (NEW, "commit")


@pytest.mark.parametrize("kind", ["PGP SIGNATURE", "SSH SIGNATURE", "SIGNED MESSAGE", "PGP MESSAGE"])
def test_signature_of_a_tag_goes_and_is_reported(kind: str) -> None:
    head = f"object {OLD}\ntype commit\ntag v1\n\nabout -----BEGIN {kind}-----\n".encode()
    done = rewrite_tag(head + f"-----BEGIN {kind}-----\nabc\n-----END {kind}-----\n".encode(), NEW)
    assert (done.data, done.unsigned) == (head.replace(OLD.encode(), NEW.encode()), True)


def test_tag_without_a_message_is_rewritten() -> None:
    assert (
        rewrite_tag(f"object {OLD}\ntype tag\ntag v1\n".encode(), NEW).data
        == f"object {NEW}\ntype tag\ntag v1\n".encode()
    )
