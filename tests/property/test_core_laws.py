"""Laws of the formats: reading undoes writing, and nothing but what is written is read."""

import json
import os
import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from gitkit.core import pktline
from gitkit.core.digest import digest_of, is_digest
from gitkit.core.ignore import parse_ignore
from gitkit.core.oci import Descriptor, Manifest, parse_document, parse_manifest, to_json
from gitkit.core.pointer import MAX_SIZE, Pointer, parse, resembles
from gitkit.core.reference import (
    LayoutUrl,
    Reference,
    RegistryUrl,
    is_loopback,
    is_tag,
    parse_reference,
    parse_remote,
    redacted,
)
from gitkit.errors import UsageError
from gitkit.git.attributes import patterns, with_pattern, without_pattern

DIGESTS = st.binary(max_size=8).map(digest_of)

# -- pointers ------------------------------------------------------------------------------------------------------

KEYS = st.text(string.ascii_lowercase + string.digits + ".-", min_size=1, max_size=12).filter(
    lambda key: key not in ("version", "oid", "size")
)
VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters=[*map(chr, range(32)), "\x7f"]), min_size=1, max_size=40
)
EXTRA = st.dictionaries(KEYS, VALUES, max_size=4).map(lambda extra: tuple(sorted(extra.items())))
SIZES = st.integers(1, (1 << 63) - 1)
POINTERS = st.builds(Pointer, DIGESTS, SIZES, EXTRA, lfs=st.just(False)).filter(
    lambda pointer: len(pointer.encode()) <= MAX_SIZE
)
LFS = st.builds("version https://git-lfs.github.com/spec/v1\noid {}\nsize {}\n".format, DIGESTS, SIZES).map(str.encode)


@given(POINTERS)
def test_pointer_encoded_and_parsed_is_the_same(pointer: Pointer) -> None:
    assert parse(pointer.encode()) == pointer
    assert not resembles(pointer.encode())


def _is_content_or_encodes_to_itself(data: bytes) -> None:
    found = parse(data)
    assert found is None or found.lfs or found.encode() == data
    assert found is None or is_digest(found.digest)


@given(POINTERS.map(Pointer.encode) | LFS, st.data())
def test_pointer_with_any_bytes_replaced_is_content_or_encodes_to_itself(encoded: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(encoded)))
    end = data.draw(st.integers(start, min(start + 4, len(encoded))))
    put = data.draw(st.binary(max_size=4) | st.sampled_from([b"\n", b"\r\n", b" ", b"\0", b"0", b"\n\n", b"a 1\n"]))
    _is_content_or_encodes_to_itself(encoded[:start] + put + encoded[end:])


@given(POINTERS.map(Pointer.encode), st.data())
def test_pointer_with_any_line_moved_or_doubled_is_content_or_encodes_to_itself(
    encoded: bytes, data: st.DataObject
) -> None:
    lines = encoded.splitlines(keepends=True)
    _is_content_or_encodes_to_itself(b"".join(data.draw(st.permutations(lines))))
    _is_content_or_encodes_to_itself(b"".join(data.draw(st.lists(st.sampled_from(lines), max_size=6))))


@given(LFS)
def test_lfs_pointer_says_what_our_own_encoding_says(encoded: bytes) -> None:
    found = parse(encoded)
    assert found is not None
    assert parse(found.encode()) == found._replace(lfs=False)


@given(st.binary(max_size=2000) | st.text(max_size=300).map(lambda text: f"version git-kit/1\n{text}".encode()))
def test_parse_of_any_bytes_never_raises(data: bytes) -> None:
    _is_content_or_encodes_to_itself(data)
    resembles(data)


@given(POINTERS.map(Pointer.encode), st.data())
def test_pointer_cut_anywhere_is_content_or_a_pointer_with_fewer_lines(encoded: bytes, data: st.DataObject) -> None:
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    found, whole = parse(cut), parse(encoded)
    assert whole is not None
    if found is not None:
        assert (found.digest, found.size) == (whole.digest, whole.size)
        assert found.extra == whole.extra[: len(found.extra)]


# -- packet lines --------------------------------------------------------------------------------------------------


@given(st.integers(1, pktline.MAX_PAYLOAD))
@example(pktline.MAX_PAYLOAD)
def test_packet_header_tells_the_length_of_its_payload(length: int) -> None:
    packet = pktline.packet(b"x" * length)
    assert pktline.payload_length(packet[:4]) == length == len(packet) - 4


@given(st.lists(st.binary(max_size=200)))
def test_text_packets_read_back_are_the_lines_and_a_flush(lines: list[bytes]) -> None:
    data = pktline.text_packets(lines)
    found = []
    while (length := pktline.payload_length(data[:4])) is not None:
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    assert found == [line + b"\n" for line in lines]
    assert data == pktline.FLUSH


@given(st.binary(max_size=6) | st.text("0123456789abcdefABCDEFxX+-_ g", min_size=4, max_size=4).map(str.encode))
def test_payload_length_of_any_header_is_a_length_git_may_send_or_raises(header: bytes) -> None:
    try:
        length = pktline.payload_length(header)
    except ValueError:
        return
    assert len(header) == 4
    assert header.lower() == b"%04x" % (0 if length is None else length + 4)


# -- JSON ----------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(JSON)
def test_to_json_without_floats_is_pythons_with_gos_escapes_and_reads_back(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    assert to_json(value).decode() == text
    assert json.loads(to_json(value)) == value


@given(FLOATS)
def test_to_json_of_a_float_reads_back_with_gos_exponents_and_no_needless_zeros(value: float) -> None:
    text = to_json(value).decode()
    assert repr(float(text)) == repr(value)
    assert ("e" in text) == (value != 0 and not 1e-6 <= abs(value) < 1e21)
    assert not text.endswith(".0")
    assert to_json({"a": [value]}).decode() == f'{{"a":[{text}]}}'


DESCRIPTORS = st.builds(
    Descriptor,
    media_type=TEXTS,
    digest=DIGESTS,
    size=st.integers(0, 1 << 63),
    annotations=st.dictionaries(TEXTS, TEXTS, max_size=3),
)
MANIFESTS = st.builds(
    Manifest,
    config=DESCRIPTORS,
    layers=st.lists(DESCRIPTORS, max_size=3).map(tuple),
    artifact_type=st.none() | TEXTS.filter(bool),
    annotations=st.dictionaries(TEXTS, TEXTS, max_size=3),
)


@given(MANIFESTS)
def test_manifest_encoded_and_parsed_is_the_same_and_encodes_to_the_same_bytes(manifest: Manifest) -> None:
    encoded = manifest.encode()
    assert parse_manifest(encoded) == manifest
    assert parse_manifest(encoded).encode() == encoded
    assert list(parse_document(encoded, "it"))[:2] == ["schemaVersion", "mediaType"]


# -- references ----------------------------------------------------------------------------------------------------

PARTS = st.from_regex(r"[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
REPOSITORIES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
HOSTS = st.from_regex(r"([A-Za-z0-9]([A-Za-z0-9.-]{0,8}[A-Za-z0-9])?|localhost|127\.0\.0\.1|\[::1\])", fullmatch=True)
PORTS = st.just("") | st.integers(1, 65535).map(":{}".format)
REGISTRIES = st.builds(
    lambda host, port, repository, plain: RegistryUrl(
        host + port, repository, "http" if plain or is_loopback(host + port) else "https"
    ),
    HOSTS,
    PORTS,
    REPOSITORIES,
    st.booleans(),
)
LAYOUTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).map(LayoutUrl)
REMOTES = REGISTRIES | LAYOUTS
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)


@given(REMOTES)
def test_remote_as_text_and_parsed_is_the_same(remote: RegistryUrl | LayoutUrl) -> None:
    assert parse_remote(str(remote)) == remote
    assert redacted(str(remote)) == str(remote)


@given(REMOTES, TAGS)
def test_reference_by_tag_is_its_remote_and_tag(remote: RegistryUrl | LayoutUrl, tag: str) -> None:
    assert is_tag(tag)
    assert parse_reference(f"{remote}:{tag}") == Reference(remote, tag)


@given(REMOTES, DIGESTS)
def test_reference_by_digest_is_its_remote_and_digest(remote: RegistryUrl | LayoutUrl, digest: str) -> None:
    assert parse_reference(f"{remote}@{digest}") == Reference(remote, digest)


@given(REGISTRIES, TAGS, DIGESTS)
def test_reference_by_tag_and_digest_is_the_digest(remote: RegistryUrl, tag: str, digest: str) -> None:
    assert parse_reference(f"{remote}:{tag}@{digest}") == Reference(remote, digest)


@given(TAGS | DIGESTS)
def test_reference_without_a_remote_is_the_name(name: str) -> None:
    assert parse_reference(name) == Reference(None, name)


@given(st.text(max_size=60) | st.text("oci:/@+-layuth.ABsha256", max_size=30))
def test_parse_of_any_text_gives_a_place_or_a_usage_error(text: str) -> None:
    for read in (parse_remote, parse_reference):
        try:
            read(text)
        except UsageError as error:
            assert error.hint


@given(
    st.sampled_from(["", "oci://", "oci+http://", "https://"]),
    st.text(string.ascii_letters, min_size=1, max_size=5),
    st.text(string.ascii_letters + string.digits + "/@:+=", max_size=12),
    REPOSITORIES,
)
def test_redacted_url_with_a_password_never_holds_it(scheme: str, user: str, rest: str, repository: str) -> None:
    password = f"SECRET{rest}SECRET"
    assert "SECRET" not in redacted(f"{scheme}{user}:{password}@host/{repository}")


# -- .gitattributes ------------------------------------------------------------------------------------------------

PATTERNS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda pattern: not pattern.startswith(("!", "[attr]"))
)
ODD_PATTERNS = st.text(' \t\n\r"\\#!*ab\x01\u00e9', min_size=1).filter(lambda pattern: not pattern.startswith("!"))
ODD_BYTES = b' \t\n\r"\\#!ab'
FILES = st.lists(
    st.binary(max_size=20)
    | st.lists(st.sampled_from(ODD_BYTES), max_size=10).map(bytes)
    | (PATTERNS | ODD_PATTERNS).map(lambda pattern: with_pattern(b"", pattern).removesuffix(b"\n")),
    max_size=4,
).map(b"\n".join)


@given(FILES, PATTERNS | ODD_PATTERNS)
def test_with_pattern_adds_exactly_it_and_twice_is_as_once(text: bytes, pattern: str) -> None:
    once = with_pattern(text, pattern)
    assert with_pattern(once, pattern) == once
    known = patterns(text)
    assert patterns(once) == (known if pattern in known else [*known, pattern])
    assert once.startswith(text)


@given(FILES, PATTERNS | ODD_PATTERNS)
def test_without_pattern_removes_exactly_it_and_twice_is_as_once(text: bytes, pattern: str) -> None:
    once = without_pattern(text, pattern)
    assert without_pattern(once, pattern) == once
    assert patterns(once) == [other for other in patterns(text) if other != pattern]
    assert pattern in patterns(text) or once == text


@given(FILES, PATTERNS | ODD_PATTERNS)
def test_without_pattern_undoes_with_pattern(text: bytes, pattern: str) -> None:
    assume(pattern not in patterns(text))
    ended = text if not text or text.endswith(b"\n") else text + (b"\r\n" if b"\r\n" in text else b"\n")
    assert without_pattern(with_pattern(text, pattern), pattern) == ended


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and not name.startswith((b"!", b"[attr]"))))
def test_pattern_of_any_bytes_survives(name: bytes) -> None:
    assert patterns(with_pattern(b"", os.fsdecode(name))) == [os.fsdecode(name)]


# -- .kitignore ----------------------------------------------------------------------------------------------------

NAMES = st.text(string.ascii_letters + string.digits + "._- +()[]{}$^|&~é", min_size=1, max_size=8).filter(
    lambda name: name.strip() == name and name not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


_ALWAYS = ("Kitfile", "kitfile", ".kitfile", ".kitignore")


def _literal(path: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\!#" else char for char in path)


@given(PATHS, PATHS)
def test_path_as_a_literal_pattern_ignores_itself_and_what_is_below(path: str, other: str) -> None:
    ignored = parse_ignore(_literal(path))
    assert ignored(path)
    assert ignored(f"{path}/{other}")
    below = other == path or other.startswith(f"{path}/")
    assert ignored(other) == (below or other.partition("/")[0] in _ALWAYS)


@given(PATHS)
def test_exception_after_everything_keeps_the_path_and_what_is_below(path: str) -> None:
    assume(path.partition("/")[0] not in _ALWAYS)
    ignored = parse_ignore(f"**\n!{_literal(path)}")
    assert not ignored(path)
    assert not ignored(f"{path}/x")
    assert ignored("z" * 20)
