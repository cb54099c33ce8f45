"""What was computed once about files and content: ``state.db`` beside the store (SQLite, write-ahead log).

Only a cache: safe to delete at any time, safe with several processes. A database that cannot be used is one that knows
nothing; one that is damaged is made anew. A fingerprint (xxh3, 128 bits) only recalls the digest that was computed for
the same path and length; it never names content.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_FORMAT = 1
_KEPT_FOR_A_PATH = 32
_PATIENCE_S = 2.0
_SCHEMA = """
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS contents (digest TEXT PRIMARY KEY, size INTEGER, head BLOB, whole BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path BLOB, digest TEXT, size INTEGER, dev INTEGER, ino INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,
    seen INTEGER, PRIMARY KEY (path, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_by_inode ON files (ino, dev);
CREATE TABLE IF NOT EXISTS pointers (path BLOB, digest TEXT, raw BLOB, PRIMARY KEY (path, digest)) WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
"""

_REMEMBER = """
INSERT OR REPLACE INTO files
VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seen), 0) + 1 FROM files WHERE path = ?))
"""
_TRIM = "DELETE FROM files WHERE path = ? AND seen <= (SELECT max(seen) FROM files WHERE path = ?) - ?"


class Recalled(NamedTuple):
    """Content that a path held before: ``head`` is the fingerprint of its first MiB, ``whole`` that of all of it."""

    size: int
    head: bytes
    whole: bytes
    digest: str


class HashCache:
    """The cache at ``path``, opened by its first use. Threads may share it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._unusable = False
        self._has_pointers: bool | None = None
        self._lock = threading.Lock()

    def of_path(self, path: bytes) -> list[Recalled]:
        """Content with a known fingerprint that the repository's file ``path`` held before, latest first."""
        rows = self._select(
            "SELECT contents.size, head, whole, digest FROM files JOIN contents USING (digest)"
            " WHERE path = ? ORDER BY seen DESC",
            (path,),
        )
        return [Recalled(*row) for row in rows]

    def of_stat(self, stat: os.stat_result) -> str | None:
        """The digest of a file whose stat data is what it was when it was hashed; None where that is not known."""
        rows = self._select(
            "SELECT digest FROM files WHERE ino = ? AND dev = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?",
            (_signed(stat.st_ino), _signed(stat.st_dev), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns),
        )
        return rows[0][0] if len({row[0] for row in rows}) == 1 else None

    def pointer_of(self, path: bytes, digest: str) -> bytes | None:
        """The text that Git holds for this content at this path, where it is another tool's pointer."""
        if self._has_pointers is None:
            self._has_pointers = bool(self._select("SELECT 1 FROM pointers LIMIT 1", ()))
        if not self._has_pointers:
            return None
        rows = self._select("SELECT raw FROM pointers WHERE path = ? AND digest = ?", (path, digest))
        return rows[0][0] if rows else None

    def learn(self, digest: str, size: int, head: bytes, whole: bytes) -> None:
        """Keep the fingerprints of content. Idempotent."""
        self._change([("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?)", (digest, size, head, whole))])

    def remember(
        self, path: bytes, digest: str, size: int, stat: os.stat_result | None = None, *, read_ns: int | None = None
    ) -> None:
        """Keep that ``path`` held this content, and, with ``stat``, that it does while its stat data is this.

        ``read_ns`` is when reading it began (nanoseconds since 1970; now, where nothing was read).
        """
        at = (-1, -1, -1, -1)
        if stat is not None and _is_settled(stat, read_ns or time.time_ns()):
            at = (_signed(stat.st_dev), _signed(stat.st_ino), stat.st_mtime_ns, stat.st_ctime_ns)
        self._change(
            [
                (_REMEMBER, (path, digest, size, *at, path)),
                (_TRIM, (path, path, _KEPT_FOR_A_PATH)),
            ]
        )

    def forget(self, path: bytes) -> None:
        """Know nothing about ``path`` any more."""
        self._change([("DELETE FROM files WHERE path = ?", (path,))])

    def keep_pointer(self, path: bytes, digest: str, raw: bytes) -> None:
        """Have ``pointer_of`` answer ``raw``: unchanged content goes back to Git as the text that it came from."""
        self._has_pointers = True
        self._change([("INSERT OR REPLACE INTO pointers VALUES (?, ?, ?)", (path, digest, raw))])

    def close(self) -> None:
        """Let go of the database; the next use opens it again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    # -- the database ----------------------------------------------------------------------------------------------

    def _select(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        if not self._unusable and self._database is None and not os.path.exists(self._path):
            return []
        return self._attempt(lambda database: database.execute(query, values).fetchall()) or []

    def _change(self, statements: list[tuple[str, tuple[object, ...]]]) -> None:
        def change(database: "sqlite3.Connection") -> None:
            with database:
                database.execute("BEGIN IMMEDIATE")
                for statement, values in statements:
                    database.execute(statement, values)

        self._attempt(change)

    def _attempt(self, work: "Callable[[sqlite3.Connection], T]") -> T | None:
        with self._lock:
            return self._attempt_alone(work)

    def _attempt_alone(self, work: "Callable[[sqlite3.Connection], T]") -> T | None:
        import sqlite3

        for _ in range(2):
            if self._unusable:
                return None
            try:
                if self._database is None:
                    self._database = _open(self._path)
                return work(self._database)
            except sqlite3.OperationalError:
                return None  # locked for long, or a disk or folder that takes nothing: this time we do without
            except (sqlite3.DatabaseError, OSError):
                self._begin_anew()
        return None

    def _begin_anew(self) -> None:
        """Throw a damaged database away, once."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            try:
                os.unlink(self._path + suffix)
            except FileNotFoundError:
                continue
            except OSError:
                self._unusable = True


def _open(path: str) -> "sqlite3.Connection":
    import sqlite3

    os.makedirs(os.path.dirname(path), exist_ok=True)
    database = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _FORMAT):
            raise sqlite3.DatabaseError("another version of git kit wrote it")
        if version == 0:
            database.executescript(_SCHEMA)
        database.execute("PRAGMA synchronous = NORMAL")  # a crash of the machine may take the last changes away
    except BaseException:
        database.close()
        raise
    return database


def _is_settled(stat: os.stat_result, read_ns: int) -> bool:
    """Whether a change since ``read_ns`` must show in the stat data: file systems' clocks tick, some by the second."""
    coarse = stat.st_ctime_ns % 10**9 == 0
    return read_ns - stat.st_ctime_ns > (2 * 10**9 if coarse else 20 * 10**6)


def _signed(number: int) -> int:
    """SQLite's integers are signed; inode and device numbers use all 64 bits on some file systems."""
    return number - (1 << 64) if number >= 1 << 63 else number
