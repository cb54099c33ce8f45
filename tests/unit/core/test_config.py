"""``.gitkit.toml``."""

import pytest

from gitkit.core.config import Config, Limits, parse_config
from gitkit.core.reference import LayoutUrl, RegistryUrl
from gitkit.errors import InvalidFile

FULL = """\
[remote]
url = "oci://registry.example.com/acme/llm"
[kit]
formats = ["modelpack"]
tags = "v*"
source = "https://example.com/acme/llm"
[environments.dev]
branch = "dev"
[environments.staging]
branch = "staging"
from = ["dev"]
[environments.prod]
branch = "prod"
from = ["staging"]
soak = "24h"
approvals = 2
gates = ["eval", "signature"]
[gates.eval]
metrics = "eval/metrics.json"
rules = { "accuracy" = { min = 0.90, max_drop = 0.005 }, "latency_p95_ms" = { max = 120 } }
"""


def _problems(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        parse_config(text.encode())
    first, *lines = caught.value.message.split("\n")
    assert first.startswith(".gitkit.toml has ")
    return [line.strip() for line in lines]


def test_config_of_the_design_is_read_whole() -> None:
    config = parse_config(FULL.encode())
    assert config.remote_url == RegistryUrl("registry.example.com", "acme/llm", "https")
    assert (config.kit.formats, config.kit.tags) == (["modelpack"], "v*")
    assert list(config.environments) == ["dev", "staging", "prod"]
    prod = config.environment("prod")
    assert (prod.branch, prod.sources, prod.soak, prod.approvals) == ("prod", ["staging"], "24h", 2)
    assert prod.gates == ["eval", "signature"]
    assert config.environment("dev").sources == []
    assert config.gates["eval"].rules == {
        "accuracy": Limits(min=0.9, max_drop=0.005),
        "latency_p95_ms": Limits(max=120),
    }


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"[kit]\n"])
def test_empty_config_has_the_defaults(text: bytes) -> None:
    config = parse_config(text)
    assert config == Config()
    assert config.remote_url is None
    assert (config.kit.formats, config.kit.tags) == (["modelpack"], "v*")


def test_config_with_a_layout_folder_has_its_path() -> None:
    assert parse_config(b'[remote]\nurl = "oci-layout:../kits"').remote_url == LayoutUrl("../kits")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("remot = 1", ['remot: unknown key, did you mean "remote"?']),
        ('[kit]\nformat = ["modelpack"]', ['kit.format: unknown key, did you mean "formats"?']),
        ('[kit]\nformats = "modelpack"', ["kit.formats: must be a valid list"]),
        ("[kit]\nformats = []", ["kit.formats: list should have at least 1 item after validation, not 0"]),
        ('[kit]\nformats = ["tar"]', ['kit.formats: "tar" is not a format; known: modelpack, modelkit, docker, image']),
        ('[kit]\nformats = ["image", "image"]', ['kit.formats: "image" is listed twice']),
        ('[kit]\nlayer_format = "zip"', ["kit.layer_format: must be 'tar' or 'raw'"]),
        ('[kit]\ncompression = "xz"', ["kit.compression: must be 'none', 'gzip' or 'zstd'"]),
        ('[kit]\ntags = ""', ["kit.tags: string should have at least 1 character"]),
        ('[remote]\nurl = "https://h/a"', ['remote.url: "https://h/a" is not a remote']),
        ('[remote]\nurl = "https://ann:s3/cr@et@h/a"', ['remote.url: "https://h/a" is not a remote']),
        ('[remote]\nurl = "oci://ann:secret@h/a"', ["remote.url: a remote's URL holds no user or password"]),
        ("[environments.dev]", ["environments.dev.branch: is required"]),
        ('[environments.dev]\nbranch = "a"\napprovals = "2"', ["environments.dev.approvals: must be a valid integer"]),
        ('[environments.dev]\nbranch = "a"\napprovals = true', ["environments.dev.approvals: must be a valid integer"]),
        (
            '[environments.dev]\nbranch = "a"\napprovals = -1',
            ["environments.dev.approvals: must be greater than or equal to 0"],
        ),
        (
            '[environments.dev]\nbranch = "a"\nsources = ["x"]',
            ["environments.dev.sources: unknown key"],
        ),
        (
            '[environments.dev]\nbranch = "a"\nfrom = ["x", "dev"]',
            [
                'environments.dev.from[0]: there is no environment "x"',
                "environments.dev.from[1]: an environment cannot follow itself",
            ],
        ),
        (
            '[environments.a]\nbranch = "x"\n[environments.b]\nbranch = "x"',
            ['environments.b.branch: "x" is the branch of "a"'],
        ),
        ("[gates.eval]\nrules = { a = { mini = 1 } }", ['gates.eval.rules.a.mini: unknown key, did you mean "min"?']),
        ("[gates.eval]\nrules = { a = { min = nan } }", ["gates.eval.rules.a.min: must be a finite number"]),
        ("[gates.eval]\nrules = { a = { max = inf } }", ["gates.eval.rules.a.max: must be a finite number"]),
        (
            'remot = 1\n[kit]\nformats = ["tar"]\n[environments.dev]\nbrnch = "a"',
            [
                'kit.formats: "tar" is not a format; known: modelpack, modelkit, docker, image',
                "environments.dev.branch: is required",
                'environments.dev.brnch: unknown key, did you mean "branch"?',
                'remot: unknown key, did you mean "remote"?',
            ],
        ),
    ],
)
def test_config_with_problems_names_each_by_its_key(text: str, problems: list[str]) -> None:
    assert _problems(text) == problems


@pytest.mark.parametrize("name", ["bad name", "", "-a", ".a", "a/b", "é", "a" * 129])
def test_environment_whose_name_is_no_tag_is_invalid(name: str) -> None:
    assert len(_problems(f'[environments."{name}"]\nbranch = "a"')) == 1


@pytest.mark.parametrize(
    "text",
    [b"[", b"a = ", b"\xff", b"a = 1\na = 2", b"\xef\xbb\xbfa = 1", b"a = " + b"1" * 5000, b"a = " + b"[" * 5000],
)
def test_config_that_is_no_toml_is_invalid(text: bytes) -> None:
    with pytest.raises(InvalidFile, match=r"^conf is not TOML: "):
        parse_config(text, file="conf")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("stagin", 'did you mean "staging"?'),
        ("qa", "add [environments.qa] to .gitkit.toml; there are: dev, staging, prod"),
    ],
)
def test_environment_that_is_not_there_raises_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(InvalidFile, match=f'no environment is called "{name}"') as caught:
        parse_config(FULL.encode()).environment(name)
    assert caught.value.hint == hint
