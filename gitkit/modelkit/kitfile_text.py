"""A kit's Kitfile as YAML, as KitOps writes it anew when it unpacks: no comments, no digests of layers.

Reads back as the same values: through KitOps' parser, ours, and YAML 1.1, to which a word such as ``no`` is no text.
"""

from collections.abc import Mapping
from typing import Any

_OF_KITS = frozenset({"digest", "diffId"})


def plain_kitfile(kitfile: Mapping[str, Any]) -> dict[str, Any]:
    """The Kitfile without what only a kit's own copy has: the digests of its layers."""
    return {key: _plain(value) for key, value in kitfile.items() if value not in (None, {}, [])}


def kitfile_text(kitfile: Mapping[str, Any]) -> bytes:
    """The Kitfile as a file. The same input gives the same bytes."""
    return yaml_text(plain_kitfile(kitfile)).encode()


def yaml_text(value: Any) -> str:
    """JSON values as YAML, in the order that they have."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)  # items of a list are indented

        def represent_str(self, text: str) -> yaml.ScalarNode:
            return self.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(str, Dumper.represent_str)
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1 << 30, indent=2)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key not in _OF_KITS}
    return {key: item if key == "parameters" else _plain(item) for key, item in kept.items()}
