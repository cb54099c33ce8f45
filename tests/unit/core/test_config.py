"""``.gitkit.toml``."""

import pytest

from gitkit.core.config import Config, parse_config
from gitkit.core.policy import Approvals, Limits, parse_size
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
    assert (prod.branch, prod.sources, prod.soak, prod.approvals) == ("prod", ["staging"], "24h", Approvals(min=2))
    assert prod.gates == ["eval", "signature"]
    assert config.environment("dev").sources == []
    assert config.gates["eval"].rules == {
        "accuracy": Limits(min=0.9, max_drop=0.005),
        "latency_p95_ms": Limits(max=120),
    }


_NUMBER_OR_TABLE = 'must be a number, or a table such as { min = 2, from = ["team"] }'
_NOT_INSIDE = "is not the path of a file inside of the repository"
_NO_SPAN = 'a span, such as "2026-12-24/2026-12-24", nor a cron expression'
_NO_ZONE = 'is not a time zone that this machine knows, such as "Europe/Berlin"'
_KINDS = "eval, signature, format, pickle, license, reproducible, size, command"
_ENV = "[environments.dev]\nbranch = 'a'\n"
_EVAL = "[gates.eval]\nmetrics = 'm.json'\nrules = {{ a = {{ {} }} }}"


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
        ('[environments.dev]\nbranch = "a"\napprovals = "2"', [f"environments.dev.approvals: {_NUMBER_OR_TABLE}"]),
        ('[environments.dev]\nbranch = "a"\napprovals = true', [f"environments.dev.approvals: {_NUMBER_OR_TABLE}"]),
        (
            '[environments.dev]\nbranch = "a"\napprovals = -1',
            ["environments.dev.approvals.min: must be greater than or equal to 1"],
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
        (_EVAL.format("mini = 1"), ['gates.eval.rules.a.mini: unknown key, did you mean "min"?']),
        (_EVAL.format("min = nan"), ["gates.eval.rules.a.min: must be a finite number"]),
        (_EVAL.format("max = inf"), ["gates.eval.rules.a.max: must be a finite number"]),
        (_EVAL.format(""), ["gates.eval.rules.a: no limit: set min, max, min_delta or max_drop"]),
        ("[gates.eval]\nkind = 'evil'", [f'gates.eval.kind: "evil" is unknown; known: {_KINDS}']),
        ("[gates.check]\nrun = ['x']", [f'gates.check.kind: "check" is unknown; known: {_KINDS}']),
        ("[gates.check]\nkind = 'command'", ["gates.check.run: is required"]),
        ("[gates.size]\nmax = '4 gigs'", ['gates.size.max: "4 gigs" is not a size, such as "4GiB"']),
        ("[gates.signature]\nsigners = '../keys'", [f'gates.signature.signers: "../keys" {_NOT_INSIDE}']),
        (
            _ENV + "gates = ['eval', 'format', 'lint']",
            [
                'environments.dev.gates[0]: "eval" needs a table [gates.eval]',
                'environments.dev.gates[2]: "lint" needs a table [gates.lint]',
            ],
        ),
        (
            _ENV + "override = ['boss', 'ada@example.com']\napprovals = {from = ['ml']}",
            [
                'environments.dev.approvals: there is no group "ml"',
                'environments.dev.override: there is no group "boss"',
            ],
        ),
        (
            _ENV + "auto = 'match'",
            ["environments.dev: auto needs `from`: without it the environment follows its branch anyway"],
        ),
        (_ENV + "soak = '1 day'", ['environments.dev.soak: "1 day" is not a duration, such as "90s", "24h" or "7d"']),
        (_ENV + "soak = 5", ['environments.dev.soak: must be a duration, such as "5s"']),
        (
            _ENV + "windows = [{deny = '2026-12-24'}, {allow = '0 9 * * *', duration = true}]",
            [
                f'environments.dev.windows[0]: "2026-12-24" is neither {_NO_SPAN}',
                'environments.dev.windows[1].duration: must be a duration, such as "24h"',
            ],
        ),
        (
            _ENV + "windows = [{allow = '0 25 * * *', duration = '1h'}]",
            ['environments.dev.windows[0]: "25" is no hour of a cron expression (0-23)'],
        ),
        (
            _ENV + "windows = [{deny = '2027-01-03/2026-12-20'}, {allow = '0 9 * * *'}, {}]",
            [
                'environments.dev.windows[0]: "2027-01-03/2026-12-20" ends before it starts',
                'environments.dev.windows[1]: a window that a cron expression opens needs a duration, such as "8h"',
                "environments.dev.windows[2]: a window has either allow or deny",
            ],
        ),
        (
            _ENV + "windows = [{deny = '* * * * *', duration = '1h', tz = 'Mars/Base'}]",
            [f'environments.dev.windows[0].tz: "Mars/Base" {_NO_ZONE}'],
        ),
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


def test_policy_digest_changes_with_what_decides_and_with_nothing_else() -> None:
    text = """
[groups]
ml = ["ann@example.com"]
other = ["bob@example.com"]
[environments.dev]
branch = "dev"
[environments.prod]
branch = "prod"
from = ["dev"]
approvals = { min = 1, from = ["ml"] }
gates = ["size"]
[gates.size]
max = "4GiB"
[gates.license]
allow = ["MIT"]
"""

    def digest(*change: str) -> str:
        return parse_config(text.replace(*change).encode()).policy_of("prod") if change else digest("", "")

    same = [("bob@", "joe@"), ('["MIT"]', '["ISC"]'), ("[groups]", "[kit]\ntags = 'r*'\n[groups]"), ("min = 1, ", "")]
    other = [("ann@", "joe@"), ("4GiB", "5GiB"), ('from = ["dev"]', 'from = ["dev"]\nsoak = "1h"')]
    assert all(digest(old, new) == digest() for old, new in same)
    assert len({digest(), *(digest(old, new) for old, new in other)}) == len(other) + 1


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("4GiB", 4 << 30),
        ("1.5 KiB", 1536),
        ("500 MB", 500_000_000),
        ("7b", 7),
        ("1tb", 10**12),
    ],
)
def test_size_is_read_in_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1XB", "1 GiB GiB", "nan", "1e3GB2", "inf"])
def test_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("branches", "problem"),
    [
        (["kit/journal"], '"kit/journal" is the branch of the journal'),
        (["kit"], 'Git cannot have the branch "kit" beside "kit/journal"'),
        (["kit/journal/old"], 'Git cannot have the branch "kit/journal/old" beside "kit/journal"'),
        (["env", "env/prod"], 'Git cannot have the branch "env/prod" beside "env"'),
        (["env/prod", "env"], 'Git cannot have the branch "env" beside "env/prod"'),
        (["prod", "prod"], '"prod" is the branch of "e0"'),
    ],
)
def test_branch_that_git_cannot_have_beside_the_others_is_a_problem(branches: list[str], problem: str) -> None:
    text = "".join(f'[environments.e{number}]\nbranch = "{branch}"\n' for number, branch in enumerate(branches))
    assert _problems(text) == [f"environments.e{len(branches) - 1}.branch: {problem}"]


def test_branches_that_only_begin_alike_are_no_problem() -> None:
    names = ("kit-journal", "kit/journals", "kit/prod", "env/a", "env/ab", "environment")
    text = "".join(f'[environments.e{number}]\nbranch = "{name}"\n' for number, name in enumerate(names))
    assert [one.branch for one in parse_config(text.encode()).environments.values()] == list(names)


def test_window_at_the_end_of_the_calendar_is_a_problem_where_utc_has_no_such_time() -> None:
    text = '[environments.prod]\nbranch = "prod"\nwindows = [{ deny = "%s", tz = "%s" }]\n'
    (problem,) = _problems(text % ("0001-01-01/2026-01-01", "Asia/Tokyo"))
    assert '"0001-01-01" is not a day or time' in problem
    (problem,) = _problems(text % ("2026-01-01/9999-12-31", "UTC"))
    assert '"9999-12-31" is not a day or time' in problem
