"""All gates of an environment. One that breaks does not hide what the others say."""

import importlib
from typing import TYPE_CHECKING

from gitkit.errors import KitError
from gitkit.lifecycle.gates.subject import Subject, Verdict

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.core.policy import Gate


def evaluate(config: "Config", environment: str, subject: Subject) -> list[Verdict]:
    """What each gate of ``environment`` says about ``subject``, in the order of the policy ``config``.

    Whatever keeps a gate from an answer (content that is nowhere, a network that is down, a file that cannot be read)
    is the verdict ``unevaluated``, with the error's message.

    Raises:
        InvalidFile: the policy has no such environment.
    """
    return [_verdict(name, config.gate(name), subject) for name in config.environment(environment).gates]


def _verdict(name: str, gate: "Gate", subject: Subject) -> Verdict:
    try:
        module = importlib.import_module(f"gitkit.lifecycle.gates.{gate.kind}")
        verdict: Verdict = module.evaluate(name, gate, subject)
    except KitError as error:
        return Verdict(name, "unevaluated", " ".join(error.message.split()))
    return verdict
