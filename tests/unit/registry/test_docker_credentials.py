"""Docker's configuration files and credential helpers. The helper is a real program: a script on a PATH of its own."""

import base64
import json
import os
import stat
import sys
import traceback
from pathlib import Path

import pytest

from gitkit.errors import Denied, InvalidFile, KitError
from gitkit.registry.credentials import Credential, DockerCredentials

HELPER = """#!{python}
import json, os, sys
vault = os.environ["VAULT"]
held = json.load(open(vault)) if os.path.exists(vault) else {{}}
given = sys.stdin.read()
with open(vault + ".calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "store":
    entry = json.loads(given)
    held[entry["ServerURL"]] = entry
elif given not in held:
    print("credentials not found in native keychain")
    sys.exit(1)
elif sys.argv[1] == "erase":
    del held[given]
else:
    print(json.dumps(held[given]))
json.dump(held, open(vault, "w"))
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """HOME, and a PATH that holds nothing but ``docker-credential-vault``."""
    programs = tmp_path / "programs"
    programs.mkdir()
    add_helper(programs, "vault", HELPER.format(python=sys.executable))
    return {"HOME": str(tmp_path / "home"), "PATH": str(programs), "VAULT": str(tmp_path / "vault.json")}


def add_helper(folder: Path, name: str, text: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(text)
    path.chmod(0o755)


def config_path(environ: dict[str, str]) -> Path:
    return Path(environ["HOME"]) / ".docker" / "config.json"


def write_config(environ: dict[str, str], document: object) -> Path:
    path = config_path(environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def fill_vault(environ: dict[str, str], server: str, user: str, secret: str) -> None:
    entry = {server: {"ServerURL": server, "Username": user, "Secret": secret}}
    Path(environ["VAULT"]).write_text(json.dumps(entry))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_find_without_any_file_is_none(environ: dict[str, str]) -> None:
    assert DockerCredentials(environ).find("ghcr.io") is None
    assert DockerCredentials({}).find("ghcr.io") is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": b64("alice:pass:word")}, Credential(username="alice", password="pass:word")),
        ({"auth": b64("alice:padded\0\0")}, Credential(username="alice", password="padded")),
        ({"username": "alice", "password": "p"}, Credential(username="alice", password="p")),
        ({"auth": b64("alice:"), "identitytoken": "idt"}, Credential(username="alice", identity_token="idt")),
        ({"registrytoken": "bearer"}, Credential(registry_token="bearer")),
        ({"auth": b64("<token>:idt")}, Credential(identity_token="idt")),
        ({}, None),
    ],
)
def test_find_in_auths_reads_every_form_of_login(
    environ: dict[str, str], entry: dict[str, str], expected: Credential | None
) -> None:
    write_config(environ, {"auths": {"ghcr.io": entry}})
    assert DockerCredentials(environ).find("ghcr.io") == expected


@pytest.mark.parametrize("key", ["reg.example:5000", "https://reg.example:5000", "http://reg.example:5000/v2/"])
def test_find_in_auths_accepts_other_spellings_of_the_host(environ: dict[str, str], key: str) -> None:
    write_config(environ, {"auths": {key: {"auth": b64("a:b")}}})
    assert DockerCredentials(environ).find("reg.example:5000") == Credential(username="a", password="b")


@pytest.mark.parametrize("key", ["reg.example", "reg.example:5000/acme", "other.example:5000", "https://reg.example"])
def test_find_in_auths_does_not_take_another_place_for_the_host(environ: dict[str, str], key: str) -> None:
    write_config(environ, {"auths": {key: {"auth": b64("a:b")}}})
    assert DockerCredentials(environ).find("reg.example:5000") is None


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io"])
def test_find_docker_hub_uses_its_historic_key(environ: dict[str, str], host: str, key: str) -> None:
    write_config(environ, {"auths": {key: {"auth": b64("a:b")}}})
    assert DockerCredentials(environ).find(host) == Credential(username="a", password="b")


def test_find_prefers_cred_helpers_to_creds_store_to_auths(environ: dict[str, str]) -> None:
    fill_vault(environ, "ghcr.io", "from-vault", "s")
    auths = {"ghcr.io": {"auth": b64("from-file:s")}}
    broken = {"credsStore": "does-not-exist", "auths": auths}
    write_config(environ, {**broken, "credHelpers": {"ghcr.io": "vault"}})
    assert DockerCredentials(environ).find("ghcr.io") == Credential(username="from-vault", password="s")
    write_config(environ, {"credsStore": "vault", "auths": auths})
    assert DockerCredentials(environ).find("ghcr.io") == Credential(username="from-vault", password="s")
    write_config(environ, {"auths": auths})
    assert DockerCredentials(environ).find("ghcr.io") == Credential(username="from-file", password="s")


def test_find_where_the_helper_holds_nothing_goes_on_to_auths(environ: dict[str, str]) -> None:
    write_config(environ, {"credsStore": "vault", "auths": {"ghcr.io": {"auth": b64("from-file:s")}}})
    assert DockerCredentials(environ).find("ghcr.io") == Credential(username="from-file", password="s")


def test_find_by_helper_asks_for_docker_hub_by_its_historic_key(environ: dict[str, str]) -> None:
    fill_vault(environ, "https://index.docker.io/v1/", "a", "b")
    write_config(environ, {"credsStore": "vault"})
    assert DockerCredentials(environ).find("docker.io") == Credential(username="a", password="b")


def test_find_by_helper_token_user_is_an_identity_token(environ: dict[str, str]) -> None:
    fill_vault(environ, "ghcr.io", "<token>", "identity")
    write_config(environ, {"credsStore": "vault"})
    assert DockerCredentials(environ).find("ghcr.io") == Credential(identity_token="identity")


def test_find_docker_config_folder_replaces_home(environ: dict[str, str], tmp_path: Path) -> None:
    write_config(environ, {"auths": {"ghcr.io": {"auth": b64("home:s")}}})
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"ghcr.io": {"auth": b64("folder:s")}}}))
    found = DockerCredentials({**environ, "DOCKER_CONFIG": str(tmp_path)}).find("ghcr.io")
    assert found == Credential(username="folder", password="s")


def test_find_podman_file_is_the_second_choice(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "auth.json").write_text(
        json.dumps({"auths": {"ghcr.io": {"auth": b64("podman:s")}, "quay.io": {"auth": b64("podman:q")}}})
    )
    write_config(environ, {"auths": {"ghcr.io": {"auth": b64("docker:s")}}})
    credentials = DockerCredentials({**environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert credentials.find("ghcr.io") == Credential(username="docker", password="s")
    assert credentials.find("quay.io") == Credential(username="podman", password="q")


@pytest.mark.parametrize(
    "document",
    [
        "not an object",
        {"auths": ["s3cret"]},
        {"auths": {"ghcr.io": "alice:s3cret"}},
        {"auths": {"ghcr.io": {"auth": "s3cret!"}}},
        {"auths": {"ghcr.io": {"auth": b64("s3cret without a colon")}}},
        {"auths": {"ghcr.io": {"auth": base64.b64encode(b"\xff\xfes3cret").decode()}}},
        {"auths": {"ghcr.io": {"password": 7}}},
        {"credsStore": 7},
        {"credHelpers": {"ghcr.io": "../../s3cret/evil"}},
    ],
)
def test_find_malformed_file_is_an_invalid_file_that_shows_no_secret(environ: dict[str, str], document: object) -> None:
    write_config(environ, document)
    with pytest.raises(InvalidFile) as caught:
        DockerCredentials(environ).find("ghcr.io")
    shown = "".join(traceback.format_exception(caught.value)).replace("../../s3cret/evil", "")
    assert "s3cret" not in shown
    assert b64("s3cret without a colon") not in shown


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho s3cret; exit 3\n", "failed with status 3"),
        ("#!/bin/sh\necho s3cret\n", "not a credential"),
        ('#!/bin/sh\necho \'{"Username": "s3cret"}\'\n', "not a credential"),
        ("#!/nowhere/interpreter\n", "cannot be run"),
    ],
)
def test_find_by_failing_helper_is_denied_and_repeats_nothing_it_said(
    environ: dict[str, str], script: str, said: str
) -> None:
    add_helper(Path(environ["PATH"]), "bad", script)
    write_config(environ, {"credsStore": "bad"})
    with pytest.raises(Denied, match=said) as caught:
        DockerCredentials(environ).find("ghcr.io")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_find_by_missing_helper_is_denied_and_names_it(environ: dict[str, str]) -> None:
    write_config(environ, {"credsStore": "desktop"})
    with pytest.raises(Denied, match="docker-credential-desktop is configured but not on PATH"):
        DockerCredentials(environ).find("ghcr.io")


def test_store_then_find_round_trips_in_a_private_file(environ: dict[str, str]) -> None:
    credentials = DockerCredentials(environ)
    assert credentials.store("ghcr.io", "alice", "pass:word") == str(config_path(environ))
    assert credentials.find("ghcr.io") == Credential(username="alice", password="pass:word")
    assert stat.S_IMODE(config_path(environ).stat().st_mode) == 0o600
    assert os.listdir(config_path(environ).parent) == ["config.json"]


def test_store_keeps_unknown_keys_and_other_hosts(environ: dict[str, str]) -> None:
    other = {"auth": b64("x:y"), "email": "unknown@example"}
    path = write_config(environ, {"HttpHeaders": {"A": "b"}, "auths": {"quay.io": other}, "psFormat": "ä"})
    DockerCredentials(environ).store("ghcr.io", "alice", "p")
    assert json.loads(path.read_text()) == {
        "HttpHeaders": {"A": "b"},
        "auths": {"quay.io": other, "ghcr.io": {"auth": b64("alice:p")}},
        "psFormat": "ä",
    }


def test_store_replaces_other_spellings_of_the_host(environ: dict[str, str]) -> None:
    path = write_config(environ, {"auths": {"https://ghcr.io/v2/": {"auth": b64("old:p")}}})
    DockerCredentials(environ).store("ghcr.io", "new", "p")
    assert list(json.loads(path.read_text())["auths"]) == ["ghcr.io"]


def test_store_into_a_linked_file_keeps_the_link(environ: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_text("{}")
    config_path(environ).parent.mkdir(parents=True)
    config_path(environ).symlink_to(target)
    DockerCredentials(environ).store("ghcr.io", "alice", "p")
    assert config_path(environ).is_symlink()
    assert "ghcr.io" in json.loads(target.read_text())["auths"]


def test_store_with_helper_gives_it_the_secret_and_the_file_none(environ: dict[str, str]) -> None:
    path = write_config(environ, {"credsStore": "vault"})
    credentials = DockerCredentials(environ)
    assert credentials.store("ghcr.io", "alice", "s3cret") == "docker-credential-vault"
    assert credentials.find("ghcr.io") == Credential(username="alice", password="s3cret")
    assert json.loads(path.read_text()) == {"credsStore": "vault", "auths": {"ghcr.io": {}}}
    assert "s3cret" not in Path(environ["VAULT"] + ".calls").read_text()


def test_store_where_the_folder_cannot_be_written_is_an_error_without_the_secret(environ: dict[str, str]) -> None:
    Path(environ["HOME"]).write_text("a file where a folder should be")
    secret = "s3" + "cret"  # the traceback shows this source
    with pytest.raises(KitError) as caught:
        DockerCredentials(environ).store("ghcr.io", "alice", secret)
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_store_without_a_home_is_an_invalid_setting() -> None:
    with pytest.raises(InvalidFile):
        DockerCredentials({}).store("ghcr.io", "alice", "p")


def test_erase_forgets_only_that_host(environ: dict[str, str]) -> None:
    credentials = DockerCredentials(environ)
    credentials.store("ghcr.io", "alice", "p")
    credentials.store("quay.io", "bob", "q")
    assert credentials.erase("ghcr.io") is True
    assert credentials.find("ghcr.io") is None
    assert credentials.find("quay.io") == Credential(username="bob", password="q")
    assert credentials.erase("ghcr.io") is False


def test_erase_with_helper_forgets_in_both_places(environ: dict[str, str]) -> None:
    write_config(environ, {"credsStore": "vault"})
    credentials = DockerCredentials(environ)
    credentials.store("ghcr.io", "alice", "p")
    assert credentials.erase("ghcr.io") is True
    assert credentials.find("ghcr.io") is None
    assert credentials.erase("ghcr.io") is False


def test_credential_repr_shows_no_secret() -> None:
    credential = Credential(username="alice", password="s3cret", identity_token="s3cret", registry_token="s3cret")
    assert "s3cret" not in repr(credential)
