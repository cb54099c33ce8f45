"""Writing the remote into ``.gitkit.toml`` without touching anything else of it."""

import pytest

from gitkit.core.config import parse_config
from gitkit.errors import InvalidFile
from gitkit.setup.init import CONFIG
from gitkit.setup.remote import with_remote_url

URL = "oci://registry.example.com/acme/llm"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b'[remote]\nurl = "URL"\n'),
        (b"[remote]\n", b'[remote]\nurl = "URL"\n'),
        (b"[remote]", b'[remote]\nurl = "URL"\n'),
        (b'[remote]\nurl = "oci-layout:a" # ours\n', b'[remote]\nurl = "URL" # ours\n'),
        (b"[ remote ] # where\n  url='oci-layout:a'\n", b'[ remote ] # where\n  url="URL"\n'),
        (b'[kit]\ntags = "v*"', b'[kit]\ntags = "v*"\n\n[remote]\nurl = "URL"\n'),
        (b'# top\r\n[kit]\r\ntags = "v*"\r\n', b'# top\r\n[kit]\r\ntags = "v*"\r\n\r\n[remote]\r\nurl = "URL"\r\n'),
        (
            b'[remote]\n# url = "oci-layout:no"\n\n[kit]\nsource = "url = 1"\n',
            b'[remote]\n# url = "oci-layout:no"\nurl = "URL"\n\n[kit]\nsource = "url = 1"\n',
        ),
    ],
)
def test_with_remote_url_changes_one_line(text: bytes, expected: bytes) -> None:
    changed = with_remote_url(text, URL)
    assert changed == expected.replace(b"URL", URL.encode())
    assert with_remote_url(changed, URL) == changed


def test_with_remote_url_of_the_first_file_is_valid_and_keeps_its_comments() -> None:
    changed = with_remote_url(CONFIG, URL)
    assert parse_config(changed).remote.url == URL
    assert changed.replace(f'url = "{URL}"\n'.encode(), b"", 1) == CONFIG


@pytest.mark.parametrize("text", [b'remote = { url = "oci-layout:a" }\n', b'remote.url = "oci-layout:a"\n'])
def test_with_remote_url_in_a_form_that_it_cannot_edit_refuses_and_says_what_to_write(text: bytes) -> None:
    with pytest.raises(InvalidFile) as caught:
        with_remote_url(text, URL)
    assert URL in str(caught.value.hint)


def test_with_remote_url_in_an_invalid_file_lists_its_problems() -> None:
    with pytest.raises(InvalidFile, match="remot"):
        with_remote_url(b'[remot]\nurl = "x"\n', URL)


def test_first_config_has_three_environments_in_order() -> None:
    environments = parse_config(CONFIG).environments
    assert [(name, env.branch, env.sources) for name, env in environments.items()] == [
        ("dev", "dev", []),
        ("staging", "staging", ["dev"]),
        ("prod", "prod", ["staging"]),
    ]
