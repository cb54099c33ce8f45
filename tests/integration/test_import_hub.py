"""`git kit import hf:...`: from a hub on this machine, through its own library, into Git and a registry."""

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gitkit.context import Context
from gitkit.core.hub import HubFile
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import InvalidFile, UsageError
from gitkit.modelkit.destination import Destination
from gitkit.modelkit.import_hub import import_hub
from gitkit.registry.hub import HubRepository
from tests.lib.hub import TOKEN, Hub, Json, Trouble, git_oid, sha256
from tests.lib.registries import REPOSITORY, FaultRegistry
from tests.lib.repos import Repo, clean_environ, init, some_bytes

pytest.importorskip("huggingface_hub", reason="the library of the Hugging Face hub is not installed")

NAME = "acme/tiny"
WEIGHTS, TOKENIZER = some_bytes(3_000_000, 1), some_bytes(40_000, 2)
FILES = {
    "model.safetensors": WEIGHTS,
    "tokenizer.model": TOKENIZER,
    "config.json": b'{"hidden_size": 8}\n',
    "README.md": b"---\nlicense: apache-2.0\n---\n# Tiny\n",
    "src/run me.py": b"print()\n",
    "empty.txt": b"",
    ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n* filter=evil\n",
    ".github/workflows/ci.yml": b"on: push\n",
}
LARGE = ("model.safetensors", "tokenizer.model")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(NAME, FILES, large=LARGE) as hub:
        yield hub


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """An empty repository after `git kit install`."""
    folder = tmp_path_factory.mktemp("installed")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    return repo


@pytest.fixture
def place(installed: Repo, hub: Hub, fault_registry: FaultRegistry, tmp_path: Path) -> Repo:
    """An empty repository with a registry, whose hub is ``hub``."""
    folder = Path(shutil.copytree(installed.path, tmp_path / "repo"))
    hub_settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    repo = Repo(folder, {**installed.environ, **hub_settings})
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    return repo


def committed(repo: Repo) -> dict[str, bytes]:
    """What Git itself holds under each path of HEAD."""
    return {
        path: repo.blob(f"HEAD:{path}")
        for path in repo.out("ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")[:-1]
    }


def pointer(data: bytes) -> bytes:
    return f"version git-kit/1\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()


def assert_nothing_happened(repo: Repo) -> None:
    assert repo.git("rev-parse", "-q", "--verify", "HEAD", code=None).returncode != 0
    assert repo.out("status", "--porcelain") == ""


# -- what comes in ---------------------------------------------------------------------------------------------------


def test_import_makes_one_commit_with_pointers_from_the_listing(place: Repo, hub: Hub) -> None:
    done = place.kit("import", f"hf:{NAME}")
    assert done.stdout.strip() == place.out("rev-parse", "HEAD")
    assert place.out("rev-list", "--count", "HEAD") == "1"
    assert place.out("log", "-1", "--format=%(trailers:key=Kit-Import,valueonly)").strip() == f"hf:{NAME}@{hub.commit}"
    files = committed(place)
    assert files["model.safetensors"] == pointer(WEIGHTS)
    assert files["tokenizer.model"] == pointer(TOKENIZER)
    assert {path: files[path] for path in ("config.json", "README.md", "src/run me.py", "empty.txt")} == {
        path: FILES[path] for path in ("config.json", "README.md", "src/run me.py", "empty.txt")
    }
    assert place.out("status", "--porcelain") == ""


def test_imported_large_files_go_to_the_registry_and_not_to_this_disk(
    place: Repo, hub: Hub, fault_registry: FaultRegistry
) -> None:
    place.kit("import", f"hf:{NAME}")
    blobs = fault_registry.repository(REPOSITORY).blobs
    assert {blobs[f"sha256:{sha256(data)}"] for data in (WEIGHTS, TOKENIZER)} == {WEIGHTS, TOKENIZER}
    kept = [path.name for path in (place.path / ".git" / "kit" / "blobs" / "sha256").iterdir()]
    assert sha256(WEIGHTS) not in kept
    assert sha256(TOKENIZER) not in kept
    tags = fault_registry.repository(REPOSITORY).tags
    assert any(tag.startswith("kit.objects-") for tag in tags), "nothing keeps the registry from deleting them"
    uploads = len(fault_registry.seen("PUT", "/blobs/uploads/"))
    bare = place.path.parent / "bare.git"
    place.git("init", "--quiet", "--bare", str(bare))
    place.git("push", "--quiet", str(bare), "HEAD:main")
    assert len(fault_registry.seen("PUT", "/blobs/uploads/")) == uploads, "the push had to send something again"


def test_content_can_be_pulled_after_the_import(place: Repo) -> None:
    place.kit("import", f"hf:{NAME}")
    place.kit("pull")
    assert place.read("model.safetensors") == WEIGHTS
    assert place.read("tokenizer.model") == TOKENIZER
    assert place.out("status", "--porcelain") == ""


def test_kit_of_the_import_can_be_released_without_its_content(place: Repo, fault_registry: FaultRegistry) -> None:
    place.kit("import", f"hf:{NAME}")
    place.git("tag", "v1.0.0")
    released = json.loads(place.kit("release", "v1.0.0", "--json").stdout)
    manifest = json.loads(fault_registry.repository(REPOSITORY).manifests[released["digest"]][1])
    layers = {layer["annotations"]["org.cncf.model.filepath"]: layer["digest"] for layer in manifest["layers"]}
    assert layers["model.safetensors"] == f"sha256:{sha256(WEIGHTS)}"
    assert manifest["annotations"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert manifest["annotations"]["org.opencontainers.image.title"] == "tiny"


def test_what_the_hub_would_configure_is_left_out_and_said(place: Repo) -> None:
    done = place.kit("import", f"hf:{NAME}")
    assert set(committed(place)) == {
        *("model.safetensors", "tokenizer.model", "config.json", "README.md", "src/run me.py", "empty.txt"),
        *(".gitattributes", "Kitfile"),
    }
    assert place.blob("HEAD:.gitattributes") == (
        b"*.safetensors filter=kit diff=kit merge=kit -text\n/tokenizer.model filter=kit diff=kit merge=kit -text\n"
    )
    assert ".gitattributes, .github/workflows/ci.yml" in done.stderr


def test_attributes_of_this_repository_stay_and_are_followed(place: Repo) -> None:
    lines = "*.json filter=kit diff=kit merge=kit -text\n*.txt text\n"
    place.commit("ours", {".gitattributes": lines})
    place.kit("import", f"hf:{NAME}")
    assert place.blob("HEAD:.gitattributes").startswith(lines.encode())
    assert place.blob("HEAD:config.json") == pointer(FILES["config.json"])
    assert place.read("config.json") == FILES["config.json"], (
        "its content is in the store, so it can be in the worktree"
    )
    assert place.out("status", "--porcelain") == ""


def test_import_into_a_folder_leaves_the_rest_alone(place: Repo) -> None:
    place.commit("ours", {"Kitfile": "package:\n  name: ours\n", "config.json": "ours"})
    place.kit("import", f"hf:{NAME}", "vendor/tiny")
    files = committed(place)
    assert (files["Kitfile"], files["config.json"]) == (b"package:\n  name: ours\n", b"ours")
    assert files["vendor/tiny/model.safetensors"] == pointer(WEIGHTS)
    assert b"*.safetensors" in files["vendor/tiny/.gitattributes"]
    assert "vendor/tiny/.github/workflows/ci.yml" not in files


def test_import_of_a_revision_names_its_commit(place: Repo, hub: Hub) -> None:
    document = json.loads(place.kit("import", f"hf:{NAME}@v1.0", "--json").stdout)
    assert document["origin"] == f"hf:{NAME}@{hub.commit}"
    assert document["commit"] == place.out("rev-parse", "HEAD")
    assert sorted(document["pointers"]) == sorted(LARGE)
    assert document["sent"] == len(WEIGHTS) + len(TOKENIZER)


def test_import_again_changes_nothing_and_sends_nothing(place: Repo, fault_registry: FaultRegistry) -> None:
    first = place.kit("import", f"hf:{NAME}").stdout
    uploads = len(fault_registry.seen("PUT", "/blobs/uploads/"))
    again = place.kit("import", f"hf:{NAME}")
    assert again.stdout == ""
    assert place.out("rev-parse", "HEAD") == first.strip()
    assert len(fault_registry.seen("PUT", "/blobs/uploads/")) == uploads


def test_kitfile_of_the_hub_is_taken_over_where_it_is_valid(place: Repo, hub: Hub) -> None:
    hub.files["Kitfile"] = b"# by the author\npackage:\n  name: theirs\nmodel:\n  path: model.safetensors\n"
    place.kit("import", f"hf:{NAME}")
    assert place.blob("HEAD:Kitfile") == hub.files["Kitfile"]


def test_kitfile_of_the_hub_that_is_none_is_replaced_by_a_guess(place: Repo, hub: Hub) -> None:
    hub.files["Kitfile"] = b"surprise: true\n"
    place.kit("import", f"hf:{NAME}")
    assert b"path: model.safetensors" in place.blob("HEAD:Kitfile")
    place.kit("kitfile", "check")


def test_list_of_files_in_pages_is_read_to_its_end(place: Repo, hub: Hub) -> None:
    hub.page_size = 3
    place.kit("import", f"hf:{NAME}")
    assert {"model.safetensors", "empty.txt", "src/run me.py"} <= committed(place).keys()
    assert len(hub.requests("hub", "/tree/")) == 4


def test_import_without_a_remote_keeps_the_content_in_the_store(place: Repo) -> None:
    place.git("config", "--unset", "kit.url")
    place.kit("import", f"hf:{NAME}")
    assert place.read("model.safetensors") == WEIGHTS
    assert place.out("status", "--porcelain") == ""


def test_import_without_copying_moves_no_large_file(place: Repo, hub: Hub, bare: Repo) -> None:
    place.kit("import", f"hf:{NAME}", "--no-copy")
    assert hub.requests("store") == []
    assert place.blob("HEAD:model.safetensors") == pointer(WEIGHTS)
    refused = place.git("push", str(bare.path), "HEAD:main", code=1)
    assert "model.safetensors" in refused.stderr


# -- secrets and failures --------------------------------------------------------------------------------------------


def test_token_goes_to_the_hub_and_not_to_where_it_redirects(place: Repo, hub: Hub) -> None:
    hub.token = TOKEN
    place.environ["HF_TOKEN"] = TOKEN
    place.kit("import", f"hf:{NAME}")
    assert {seen.headers.get("authorization") for seen in hub.requests("hub")} == {f"Bearer {TOKEN}"}
    assert hub.requests("store") != []
    assert {seen.headers.get("authorization") for seen in hub.requests("store")} == {None}


def test_import_without_a_token_that_is_needed_is_denied(place: Repo, hub: Hub) -> None:
    hub.token = TOKEN
    refused = place.kit("import", f"hf:{NAME}", code=12)
    assert "HF_TOKEN" in refused.stderr
    assert_nothing_happened(place)


def test_gated_repository_says_what_to_do(place: Repo, hub: Hub) -> None:
    hub.add(Trouble(role="hub", path="/api/", times=9, status=403, headers={"X-Error-Code": "GatedRepo"}))
    assert "terms" in place.kit("import", f"hf:{NAME}", code=12).stderr
    assert_nothing_happened(place)


def test_repository_that_is_not_there_is_not_found(place: Repo) -> None:
    assert "no such repository" in place.kit("import", "hf:acme/other", code=10).stderr


def test_revision_that_is_not_there_is_not_found(place: Repo) -> None:
    assert "no such revision" in place.kit("import", f"hf:{NAME}@nope", code=10).stderr


def test_hub_that_is_busy_is_asked_again(place: Repo, hub: Hub) -> None:
    busy = {"Retry-After": "0"}
    hub.add(Trouble(role="hub", path="/api/models/acme/tiny$", status=429, headers=busy))
    hub.add(Trouble(role="hub", path="/resolve/.*/model.safetensors", times=2, status=429, headers=busy))
    hub.add(Trouble(role="store", path="", status=503, headers=busy))
    place.kit("import", f"hf:{NAME}")
    assert place.blob("HEAD:model.safetensors") == pointer(WEIGHTS)


def test_large_file_whose_connection_breaks_goes_on_where_it_broke(
    place: Repo, hub: Hub, fault_registry: FaultRegistry
) -> None:
    hub.add(Trouble(role="store", path="model.safetensors", cut_after=1_000_000))
    place.kit("import", f"hf:{NAME}")
    assert fault_registry.repository(REPOSITORY).blobs[f"sha256:{sha256(WEIGHTS)}"] == WEIGHTS
    ranges = [seen.headers.get("range") for seen in hub.requests("store", "model.safetensors")]
    assert ranges[0] is None
    assert len(ranges) == 2
    assert 0 < int((ranges[1] or "").removeprefix("bytes=").removesuffix("-")) <= 1_000_000


def test_large_file_with_other_bytes_than_listed_is_corrupt_and_nothing_is_committed(
    place: Repo, hub: Hub, fault_registry: FaultRegistry
) -> None:
    hub.stored[sha256(WEIGHTS)] = WEIGHTS[:-1] + b"\0"
    refused = place.kit("import", f"hf:{NAME}", code=11)
    assert "other content" in refused.stderr
    assert f"sha256:{sha256(WEIGHTS)}" not in fault_registry.repository(REPOSITORY).blobs
    assert_nothing_happened(place)


def test_small_file_with_other_bytes_than_listed_is_corrupt_and_nothing_is_committed(place: Repo, hub: Hub) -> None:
    hub.tamper = lambda entry: {**entry, "oid": "0" * 40} if entry["path"] == "config.json" else entry
    assert "config.json" in place.kit("import", f"hf:{NAME}", code=11).stderr
    assert_nothing_happened(place)


def test_hub_that_cannot_be_reached_is_a_network_error(place: Repo) -> None:
    place.environ["HF_ENDPOINT"] = "http://127.0.0.1:1"
    assert "HF_ENDPOINT" in place.kit("import", f"hf:{NAME}", code=14).stderr


# -- hostile hubs: the operation alone, on a hub in memory -----------------------------------------------------------


class MemoryHub(ReadOnly):
    """A hub that says what a test tells it to."""

    url, commit, license = f"hf:{NAME}", "0" * 40, None

    def __init__(self, *paths: str) -> None:
        self.files = [HubFile(path, 4, git_oid(b"evil"), None) for path in paths]
        self.opened: list[str] = []

    def open_file(self, file: HubFile, *, start: int = 0) -> BlobReader:
        self.opened.append(file.path)
        return io.BytesIO(b"evil"[start:])

    def close(self) -> None:
        pass


@pytest.fixture
def destination(repo: Repo) -> Destination:
    context = Context(repo.environ, str(repo.path))
    return Destination(repository=context.repository, store=context.store, remote=None, max_plain_size=1000)


def guess(files: Sequence[tuple[str, int]]) -> str:
    return "package:\n  name: x\n"


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/evil", "a/../../evil", "README.MD", "src", "README.md/x", "a\0b", "x" * 300, "", "\udcff"],
)
def test_hub_with_a_name_that_no_disk_should_hold_is_refused(repo: Repo, destination: Destination, path: str) -> None:
    hub = MemoryHub("README.md", "src/run.py", path)
    with pytest.raises(InvalidFile):
        import_hub(destination, hub, guess)
    assert hub.opened == []
    assert_nothing_happened(repo)


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".git/hooks/pre-commit",
            "sub/.GIT/config",
            "git~1/config",
            ".gitkit.toml",
            ".gitmodules",
            "sub/.gitattributes",
        ),
        *(".lfsconfig", ".gitlab-ci.yml", ".GitHub/workflows/x.yml", "Jenkinsfile", ".kitignore", ".gitignore"),
    ],
)
def test_hub_with_files_that_would_be_obeyed_leaves_them_out(repo: Repo, destination: Destination, path: str) -> None:
    hub = MemoryHub("README.md", path)
    done = import_hub(destination, hub, guess)
    assert done.left_out == [path]
    assert hub.opened == ["README.md"]
    assert set(committed(repo)) == {"README.md", "Kitfile"}


def test_hub_without_files_is_refused(repo: Repo, destination: Destination) -> None:
    with pytest.raises(InvalidFile):
        import_hub(destination, MemoryHub(), guess)


def test_hub_with_a_file_that_is_a_pointer_is_refused(repo: Repo, destination: Destination) -> None:
    data = pointer(WEIGHTS)

    class WithPointer(MemoryHub):
        def open_file(self, file: HubFile, *, start: int = 0) -> BlobReader:
            return io.BytesIO(data[start:])

    hub = WithPointer()
    hub.files = [HubFile("model.safetensors.txt", len(data), git_oid(data), None)]
    with pytest.raises(InvalidFile, match="is a pointer"):
        import_hub(destination, hub, guess)
    assert_nothing_happened(repo)


# -- hubs that are none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"size": -1}, {"lfs": {"oid": "no digest", "size": 1, "pointerSize": 130}}])
def test_hub_whose_list_is_nonsense_is_refused(place: Repo, hub: Hub, change: Json) -> None:
    hub.tamper = lambda entry: {**entry, **change}
    place.kit("import", f"hf:{NAME}", code=16)
    assert_nothing_happened(place)


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a b", "https://huggingface.co/a/b"])
def test_name_that_no_repository_has_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError):
        HubRepository(name, None, {})


def test_without_the_library_the_hint_says_what_to_install(place: Repo, tmp_path: Path) -> None:
    (tmp_path / "shadow" / "huggingface_hub").mkdir(parents=True)
    (tmp_path / "shadow" / "huggingface_hub" / "__init__.py").write_text("raise ImportError('not here')\n")
    place.environ["PYTHONPATH"] = str(tmp_path / "shadow")
    assert "git-kit[hf]" in place.kit("import", f"hf:{NAME}", code=17).stderr
