"""Docker's credential helpers: ``docker-credential-NAME get|store|erase``, a request on stdin, JSON on stdout.

Protocol: docker-credential-helpers, README "Development". Secrets travel through pipes only, and what a helper prints
never becomes part of a message.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping

from gitkit.errors import Denied, InvalidFile

TIMEOUT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# docker-credential-helpers, credentials/error.go: how a helper says that it holds nothing for the server.
_NOT_FOUND = b"credentials not found in native keychain"


def get(name: str, server: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """User name and secret that the helper holds for ``server``, or None.

    Raises:
        Denied: the helper is missing, fails, does not answer, or answers something else.
        InvalidFile: ``name`` cannot be a helper's name.
    """
    done = _run(name, "get", server.encode(), environ)
    if done.returncode != 0:
        if _NOT_FOUND in done.stdout.strip():
            return None
        raise _failed(name, f"failed with status {done.returncode}")
    try:
        answer = json.loads(done.stdout)
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, LookupError, TypeError):
        raise _failed(name, "gave an answer that is not a credential") from None  # the cause quotes the secret
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _failed(name, "gave an answer that is not a credential")
    return (user, secret) if secret else None


def store(name: str, server: str, user: str, secret: str, environ: Mapping[str, str]) -> None:
    """Have the helper keep a credential.

    Raises:
        Denied, InvalidFile: as for ``get``.
    """
    request = json.dumps({"ServerURL": server, "Username": user, "Secret": secret}).encode()
    done = _run(name, "store", request, environ)
    if done.returncode != 0:
        raise _failed(name, f"failed with status {done.returncode}")


def erase(name: str, server: str, environ: Mapping[str, str]) -> bool:
    """Have the helper forget ``server``; whether there was something to forget.

    Raises:
        Denied, InvalidFile: as for ``get``.
    """
    done = _run(name, "erase", server.encode(), environ)
    if done.returncode != 0 and _NOT_FOUND not in done.stdout.strip():
        raise _failed(name, f"failed with status {done.returncode}")
    return done.returncode == 0


def _run(name: str, action: str, request: bytes, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    if not _NAME.fullmatch(name):
        raise InvalidFile(f"{name!r} is not the name of a credential helper")
    program = shutil.which(f"docker-credential-{name}", path=environ.get("PATH", ""))
    if program is None:
        raise _failed(name, "is configured but not on PATH")
    try:
        return subprocess.run(
            [program, action],
            input=request,
            capture_output=True,
            timeout=TIMEOUT_S,
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(name, f"did not answer within {TIMEOUT_S:.0f} s") from None  # the cause holds what it printed
    except OSError as error:
        raise _failed(name, f"cannot be run: {error.strerror}") from error


def _failed(name: str, what: str) -> Denied:
    return Denied(
        f"the credential helper docker-credential-{name} {what}",
        hint="see credHelpers and credsStore in docker's config.json",
    )
