"""Remotes and references: what is accepted, how it is reached, and that no password is ever repeated."""

import subprocess

import pytest

from gitkit.core.digest import EMPTY
from gitkit.core.reference import (
    LayoutUrl,
    Reference,
    RegistryUrl,
    is_branch,
    is_loopback,
    is_tag,
    parse_reference,
    parse_remote,
    redacted,
)
from gitkit.errors import UsageError

# -- remotes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("oci://registry.example.com/acme/llm", RegistryUrl("registry.example.com", "acme/llm", "https")),
        ("oci://registry.example.com:5000/a", RegistryUrl("registry.example.com:5000", "a", "https")),
        ("oci+http://registry.example.com/a", RegistryUrl("registry.example.com", "a", "http")),
        ("oci://localhost:5000/a", RegistryUrl("localhost:5000", "a", "http")),
        ("oci://127.0.0.1/a", RegistryUrl("127.0.0.1", "a", "http")),
        ("oci://[::1]:5000/a", RegistryUrl("[::1]:5000", "a", "http")),
        ("oci://[2001:db8::1]/a", RegistryUrl("[2001:db8::1]", "a", "https")),
        ("oci://h/a.b_c__d---e/f", RegistryUrl("h", "a.b_c__d---e/f", "https")),
        ("oci://h:65535/a", RegistryUrl("h:65535", "a", "https")),
        ("oci-layout:/srv/kits", LayoutUrl("/srv/kits")),
        ("oci-layout:../kits", LayoutUrl("../kits")),
        ("oci-layout:a:b@c", LayoutUrl("a:b@c")),
    ],
)
def test_parse_remote_of_a_remote_is_its_parts(text: str, remote: RegistryUrl | LayoutUrl) -> None:
    assert parse_remote(text) == remote
    assert parse_remote(str(remote)) == remote


def test_registry_url_as_text_names_plain_http_only_where_it_is_not_implied() -> None:
    assert str(parse_remote("oci+http://localhost/a")) == "oci://localhost/a"
    assert str(parse_remote("oci+http://h/a")) == "oci+http://h/a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oci",
        "oci://",
        "oci:///a",
        "oci://h",
        "oci://h/",
        "oci://h/a/",
        "oci://h//a",
        "oci://h/A",
        "oci://h/a b",
        "oci://h/a..b",
        "oci://h/a___b",
        "oci://h/-a",
        "oci://h/a:tag",
        f"oci://h/a@{EMPTY}",
        "oci://h/" + "a" * 256,
        "oci://h:/a",
        "oci://h:0/a",
        "oci://h:65536/a",
        "oci://h:port/a",
        "oci://-h/a",
        "oci://h_h/a",
        "oci://h/a\n",
        "OCI://h/a",
        "https://h/a",
        "oci-http://h/a",
        "h/a",
        "/srv/kits",
        "oci-layout:",
        "oci-layout:a\0b",
    ],
)
def test_parse_remote_of_anything_else_is_a_usage_error_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_remote(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("registry.example.com/a", "write oci://HOST[:PORT]/REPOSITORY or oci-layout:PATH"),
        ("oci://h/Acme/LLM", "a repository's name is in lower case"),
        ("oci://h/a:v1", "a remote has no tag and no digest: git kit names its kits itself"),
        ("https://h/a", "for a registry: oci://h/a"),
        ("docker://h/a", "for a registry: oci://h/a"),
    ],
)
def test_parse_remote_of_a_near_miss_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_remote(text)
    assert caught.value.hint == hint


WITH_PASSWORD = [
    "oci://ann:s3cret@h/a",
    "oci://ann:s3@cret@h/a",
    "oci://ann:s3/cret@h/a",
    "oci://s3cret@h/a",
    "oci+http://ann:s3cret@h/a",
    "https://ann:s3cret@h/a",
    "https://ann:s3@s3cret@h/a",
    "https://ann:s3/s3cret@h/a",
    "https://ann:s3\ns3cret@h/a",
    "ann:s3cret@h/a",
    "ann:s3/s3cret@h/a",
]


@pytest.mark.parametrize("text", WITH_PASSWORD)
@pytest.mark.parametrize("suffix", ["", ":v1", f"@{EMPTY}", "@sha256:damaged"])
def test_errors_about_a_url_with_a_password_never_repeat_it(text: str, suffix: str) -> None:
    for parse in (parse_remote, parse_reference):
        with pytest.raises(UsageError) as caught:
            parse(text + suffix)
        assert "cret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("text", [text for text in WITH_PASSWORD if text.startswith("oci")])
def test_parse_remote_with_a_password_tells_to_log_in(text: str) -> None:
    with pytest.raises(UsageError, match="holds no user or password") as caught:
        parse_remote(text)
    assert caught.value.hint == "use: git kit login HOST"


@pytest.mark.parametrize(
    "text", ["oci://h/a", "v1@2", f"oci://h/a@{EMPTY}", "oci-layout:a@b", "oci-layout:a:b@c", "git@h:a", "a", ""]
)
def test_redacted_without_a_password_is_unchanged(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "127.1.2.3:5000", "[::1]", "[::1]:5000"])
def test_is_loopback_of_this_machine_is_true(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example.com", "127.0.0.1.example.com", "127.0.0", "128.0.0.1", "::1", "[::2]", "localhost\n"]
)
def test_is_loopback_of_another_machine_is_false(host: str) -> None:
    assert not is_loopback(host)


# -- tags and references -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["v1", "1.0.0-rc.1", "_a", "A" * 128, "kit.objects-0123"])
def test_is_tag_of_a_tag_is_true(text: str) -> None:
    assert is_tag(text)


@pytest.mark.parametrize("text", ["", ".a", "-a", "a/b", "a:b", "a+b", "a\n", "é", "A" * 129])
def test_is_tag_of_anything_else_is_false(text: str) -> None:
    assert not is_tag(text)


REGISTRY = RegistryUrl("h", "a", "https")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("v1.0", Reference(None, "v1.0")),
        ("oci", Reference(None, "oci")),
        (EMPTY, Reference(None, EMPTY)),
        ("oci://h/a:v1", Reference(REGISTRY, "v1")),
        (f"oci://h/a@{EMPTY}", Reference(REGISTRY, EMPTY)),
        (f"oci://h/a:v1@{EMPTY}", Reference(REGISTRY, EMPTY)),
        ("oci://localhost:5000/a:v1", Reference(RegistryUrl("localhost:5000", "a", "http"), "v1")),
        (f"oci://h:5000/a@{EMPTY}", Reference(RegistryUrl("h:5000", "a", "https"), EMPTY)),
        ("oci-layout:kits:v1", Reference(LayoutUrl("kits"), "v1")),
        ("oci-layout:/a:b/kits:v1", Reference(LayoutUrl("/a:b/kits"), "v1")),
        (f"oci-layout:/a/kits@{EMPTY}", Reference(LayoutUrl("/a/kits"), EMPTY)),
    ],
)
def test_parse_reference_of_a_kit_is_its_remote_and_name(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oci://h/a",
        "oci://h:5000/a",
        "oci://h:5000",
        "oci-layout:kits",
        "oci-layout:kits/v1",
        "h/a:v1",
        "a+b",
        "oci://h/a:",
        "oci://h/a@sha256:abc",
        "oci://h/A:v1",
        "oci-layout::v1",
        f"@{EMPTY}",
        f"h/a@{EMPTY}",
    ],
)
def test_parse_reference_of_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(text)


@pytest.mark.parametrize("name", ["main", "release/1.2", "größe", "a@b", "x.y", "feature-1"])
def test_is_branch_name_that_git_takes(name: str) -> None:
    assert subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False).returncode == 0
    assert is_branch(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "-d", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "/a", "a/", "a//b", ".a", "a/.b"),
        *("a.lock", "a.", "@{u}", "a@{1}", "@", "HEAD", "refs/heads/a", "a\nb", "a\x7fb"),
    ],
)
def test_is_branch_name_that_git_refuses_or_reads_as_something_else(name: str) -> None:
    assert not is_branch(name)
