"""The long-running filter that Git starts once per command (`filter.kit.process`).

Starts fast: the handshake is answered before anything of the clone is looked at, and before what looks at it is
imported (``typing`` alone costs more than the handshake).
"""

import gc
import sys

from gitkit.errors import KitError
from gitkit.filter.protocol import Answers, ProtocolError, Requests, shake_hands

_OBJECTS_PER_COLLECTION = 100_000

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gitkit.filter.smudge import Surroundings


def serve(stdin: int, stdout: int, look_around: "Callable[[], Surroundings]") -> int:
    """Answer Git until it closes ``stdin``; returns the exit code, which Git ignores at that point."""
    requests, answers = Requests(stdin), Answers(stdout)
    try:
        shake_hands(requests, answers)
        from gitkit.filter.process import Session

        # What is kept for each of thousands of files holds no cycles, and looking for them would take long.
        gc.set_threshold(_OBJECTS_PER_COLLECTION)
        session = Session(requests, answers, look_around)
        while session.answer_one():
            pass
        session.finish()
    except KitError as error:
        from gitkit.core.paths import show_message

        hint = f"\n\nhint: {show_message(error.hint)}" if error.hint else ""
        print(f"error: {show_message(error.message)}{hint}", file=sys.stderr)
        if isinstance(error, ProtocolError):
            return 2 if error.hint else 1
        return error.exit_code
    except (BrokenPipeError, KeyboardInterrupt):
        return 130
    return 0
