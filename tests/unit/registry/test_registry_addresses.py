import pytest

from gitkit.errors import NetworkError
from gitkit.registry.address import (
    Origin,
    api_host,
    api_repository,
    bypasses_proxy,
    is_loopback,
    joined,
    origin,
    redacted,
)
from gitkit.registry.messages import proxies_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Registry.Example/v2/", Origin("https", "registry.example", 443)),
        ("http://registry.example", Origin("http", "registry.example", 80)),
        ("https://u:p@registry.example:5000/v2/?a=b", Origin("https", "registry.example", 5000)),
        ("http://[::1]:5000/", Origin("http", "::1", 5000)),
    ],
)
def test_origin_of_http_url_is_scheme_host_port(url: str, expected: Origin) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize("url", ["ftp://host/", "/v2/", "https://", "https://host:port/", "http://[::1/"])
def test_origin_of_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        origin(url)


def test_redacted_url_has_no_user_info_and_no_query() -> None:
    assert redacted("https://u:p@host:1/blob?X-Signature=secret#part") == "https://host:1/blob"
    assert redacted("http://[::1/") == "a malformed URL"


def test_joined_malformed_location_is_a_network_error_without_its_query() -> None:
    with pytest.raises(NetworkError) as caught:
        joined("https://host/blob?secret", "http://[::1/")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_short_name_gets_its_api_host_and_library(host: str) -> None:
    assert (api_host(host), api_repository(host, "alpine")) == ("registry-1.docker.io", "library/alpine")
    assert api_repository(host, "acme/llm") == "acme/llm"


def test_other_registry_short_name_is_kept() -> None:
    assert (api_host("ghcr.io"), api_repository("ghcr.io", "alpine")) == ("ghcr.io", "alpine")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_names_are_recognised(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "::2", ""])
def test_other_names_are_not_loopback(name: str) -> None:
    assert not is_loopback(name)


TARGET = Origin("https", "registry.corp.example", 443)


@pytest.mark.parametrize(
    "no_proxy",
    ["*", "registry.corp.example", ".corp.example", "corp.example", "*.corp.example", "a, CORP.example", "example:443"],
)
def test_no_proxy_entry_that_covers_the_host_bypasses(no_proxy: str) -> None:
    assert bypasses_proxy(TARGET, no_proxy)


@pytest.mark.parametrize("no_proxy", ["", "rp.example", "registry", "example:80", "registry.corp.example.com", ","])
def test_no_proxy_entry_that_does_not_cover_the_host_does_not_bypass(no_proxy: str) -> None:
    assert not bypasses_proxy(TARGET, no_proxy)


def test_loopback_always_bypasses_the_proxy() -> None:
    assert bypasses_proxy(Origin("http", "127.0.0.1", 5000), "")
    assert bypasses_proxy(Origin("http", "::1", 5000), "")


def test_proxies_of_environment_prefers_lower_case_and_skips_empty_values() -> None:
    environ = {"http_proxy": "http://a", "HTTP_PROXY": "http://b", "HTTPS_PROXY": "http://c", "no_proxy": ""}
    assert proxies_of(environ) == {"http": "http://a", "https": "http://c"}
