"""Completion scripts, written from the commands themselves. They start no Python, so a TAB costs nothing.

Git finds them by name: bash calls ``_git_kit`` for `git kit`, zsh calls ``_git-kit``, fish completes ``git-kit``.
"""

from collections.abc import Callable, Sequence

from gitkit.cli.described import Described

_BASH = r"""# bash completion for git kit, made by "git kit completion bash"

_git_kit ()
{
    local at=0 cur=${COMP_WORDS[COMP_CWORD]} inner words options tags IFS=$' \t\n'
    while ((at < COMP_CWORD)) && [[ ${COMP_WORDS[at]} != kit && ${COMP_WORDS[at]##*/} != git-kit ]]; do
        ((at += 1))
    done
    ((at += 1))
    if ((at >= COMP_CWORD)); then
        words="@NAMES@"
    else
        inner=
        ((at + 1 < COMP_CWORD)) && inner=${COMP_WORDS[at + 1]}
        case "${COMP_WORDS[at]} $inner" in
@CASES@
        esac
    fi
    if [[ $cur == -* ]]; then
        words=$options
    elif [[ $tags ]]; then
        words="$words $(git tag 2>/dev/null)"
    fi
    IFS=$'\n'
    COMPREPLY=($(IFS=$' \t\n'; compgen -W "$words" -S ' ' -- "$cur"))
}

complete -o bashdefault -o default -o nospace -F _git_kit git-kit
"""

_ZSH = """#compdef git-kit
#description large files, model kits and environments

# zsh completion for git kit, made by "git kit completion zsh"

_git-kit() {
  local -a commands tags
  commands=(
@NAMES@
  )
  if (( CURRENT == 2 )); then
    _describe -t commands 'git kit command' commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
@CASES@
  esac
}

_git-kit-tags() {
  local -a tags
  tags=(${(f)"$(git tag 2>/dev/null)"})
  _describe -t tags 'tag' tags
}

_git-kit "$@"
"""

_FISH = """# fish completion for git kit, made by "git kit completion fish"

complete -c git-kit -f
"""


def bash(commands: Sequence[Described]) -> str:
    """The script for bash."""
    cases = []
    for item in commands:
        cases += [_bash_case(f'"{" ".join(inner.words)}"', inner) for inner in item.inner]
        cases.append(_bash_case(f'"{item.words[0]} "*', item))
    names = " ".join(item.words[0] for item in commands)
    return _BASH.replace("@NAMES@", names).replace("@CASES@", "\n".join(cases))


def _bash_case(pattern: str, item: Described) -> str:
    words = " ".join([*(inner.words[-1] for inner in item.inner), *item.choices])
    options = " ".join(name for option in item.options for name in option.names)
    tags = " tags=1" if item.takes == "tags" else ""
    return f'            {pattern}) words="{words}" options="{options}"{tags} ;;'


def zsh(commands: Sequence[Described]) -> str:
    """The script for zsh."""
    names = "\n".join(f"    {_quoted(f'{item.words[0]}:{item.help}')}" for item in commands)
    cases = "\n".join(_zsh_case(item) for item in commands)
    return _ZSH.replace("@NAMES@", names).replace("@CASES@", cases)


def _zsh_case(item: Described) -> str:
    if not item.inner:
        return f"    {item.words[0]})\n      {_zsh_arguments(item)}\n      ;;"
    names = " ".join(_quoted(f"{inner.words[1]}:{inner.help}") for inner in item.inner)
    lines = [f"    {item.words[0]})", "      if (( CURRENT == 2 )); then", f"        commands=({names})"]
    lines += [f"        _describe -t commands 'git kit {item.words[0]} command' commands", "        return", "      fi"]
    lines += ["      shift words", "      (( CURRENT-- ))", "      case $words[1] in"]
    lines += [f"        {inner.words[1]}) {_zsh_arguments(inner)} ;;" for inner in item.inner]
    return "\n".join([*lines, "      esac", "      ;;"])


def _zsh_arguments(item: Described) -> str:
    specs = []
    for option in item.options:
        text = option.help.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
        value = f":{option.value.lower()}:" if option.value else ""
        names = f"({' '.join(option.names)})" if len(option.names) > 1 else ""
        specs += [_quoted(f"{names}{name}[{text}]{value}") for name in option.names]
    action = {"tags": "_git-kit-tags", "files": "_files", "nothing": " "}[item.takes]
    if item.choices:
        action = f"({' '.join(item.choices)})"
    return f"_arguments {' '.join(specs)} {_quoted(f'*: :{action}')}"


def fish(commands: Sequence[Described]) -> str:
    """The script for fish."""
    lines = []
    for item in commands:
        name = item.words[0]
        lines.append(f"complete -c git-kit -n __fish_use_subcommand -a {name} -d {_quoted(item.help)}")
        seen = f"__fish_seen_subcommand_from {name}"
        lines += _fish_rest(item, seen)
        if item.inner:
            known = " ".join(inner.words[1] for inner in item.inner)
            first = _quoted(f"{seen}; and not __fish_seen_subcommand_from {known}")
            for inner in item.inner:
                lines.append(f"complete -c git-kit -n {first} -a {inner.words[1]} -d {_quoted(inner.help)}")
                lines += _fish_rest(inner, f"{seen}; and __fish_seen_subcommand_from {inner.words[1]}")
    return _FISH + "\n".join(lines) + "\n"


def _fish_rest(item: Described, condition: str) -> list[str]:
    start = f"complete -c git-kit -n {_quoted(condition)}"
    lines = []
    for option in item.options:
        names = " ".join(f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')}" for name in option.names)
        lines.append(f"{start} {names}{' -r' if option.value else ''} -d {_quoted(option.help)}")
    if item.takes == "files":
        lines.append(f"{start} -F")
    elif item.takes == "tags":
        lines.append(f"{start} -a '(git tag 2>/dev/null)'")
    if item.choices:
        lines.append(f"{start} -a '{' '.join(item.choices)}'")
    return lines


def _quoted(text: str) -> str:
    """A word in single quotes for all three shells. In fish a backslash counts there too; no text of ours has one."""
    return "'" + text.replace("'", "'\\''") + "'"


SCRIPTS: dict[str, Callable[[Sequence[Described]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
