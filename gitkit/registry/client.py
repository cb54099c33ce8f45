"""A repository in an OCI registry, as a ``gitkit.core.remote.Remote``. Distribution specification 1.1."""

import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from gitkit.core.digest import digest_of, is_digest, short
from gitkit.core.oci import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, MAX_MANIFEST, parse_document
from gitkit.core.reference import RegistryUrl, is_tag
from gitkit.core.remote import BlobReader
from gitkit.errors import Corrupt, InvalidFile, KitError, NetworkError, Unsupported, UsageError
from gitkit.registry import untag
from gitkit.registry.address import api_repository, check_place, joined
from gitkit.registry.credentials import CredentialSource, DockerCredentials
from gitkit.registry.downloads import open_blob
from gitkit.registry.endpoint import Endpoint
from gitkit.registry.messages import Reply, TransportOptions, proxies_of
from gitkit.registry.uploads import Upload, mount

_ACCEPT = {"Accept": ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))}
_NEXT = re.compile(r"""<([^>]*)>[^,<]*;\s*rel\s*=\s*"?next"?""", re.IGNORECASE)
_PAGE = 1000
_MAX_PAGES = 10_000
_MAX_TAG_LIST = 64 * 1024 * 1024


class Registry:
    """``repository`` at ``host`` (``name[:port]``); ``docker.io`` means Docker Hub. Safe between threads; close it.

    Nothing is sent before the first call. ``scheme`` is ``https`` unless a person asked for ``http``.

    Raises:
        UsageError: no such host or repository can exist.
        InvalidFile: a proxy or CA file in ``options`` cannot be used.
    """

    def __init__(
        self,
        host: str,
        repository: str,
        *,
        scheme: str = "https",
        credentials: CredentialSource | None = None,
        options: TransportOptions | None = None,
    ) -> None:
        check_place(host, repository)
        self._url = str(RegistryUrl(host, repository, scheme))
        self._endpoint = Endpoint(host, scheme=scheme, credentials=credentials, options=options)
        self._name = api_repository(host, repository)
        self._pull = (f"repository:{self._name}:pull",)
        self._push = (f"repository:{self._name}:pull,push",)
        self._remove = (f"repository:{self._name}:pull,push,delete",)

    @classmethod
    def from_environ(cls, host: str, repository: str, *, scheme: str, environ: Mapping[str, str]) -> Self:
        """With docker's logins and the proxies that ``environ`` names.

        Raises:
            UsageError, InvalidFile: as for the constructor.
        """
        options = TransportOptions(proxies=proxies_of(environ))
        return cls(host, repository, scheme=scheme, credentials=DockerCredentials(environ), options=options)

    @property
    def url(self) -> str:
        """As a person would type it: ``oci://``, or ``oci+http://`` where plain HTTP is not implied by the host."""
        return self._url

    def __repr__(self) -> str:
        return f"Registry({self.url!r})"

    def close(self) -> None:
        """Close idle connections; the object stays usable."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def check_login(self) -> None:
        """See ``Endpoint.check_login``."""
        self._endpoint.check_login()

    def has_blob(self, digest: str) -> bool:
        """Whether the blob is there.

        Raises:
            Denied, NetworkError
        """
        doing = f"look for blob {short(_checked_digest(digest))}"
        reply = self._endpoint.call(self._endpoint.request("HEAD", self._blob(digest), doing), self._pull)
        if reply.status not in (200, 404):
            raise self._endpoint.problem(reply, doing)
        return reply.status == 200

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """The blob's bytes from offset ``start``, up to ``stop``. The caller verifies the digest and closes the reader.

        Raises:
            NotFound, Denied, NetworkError
            Corrupt: the registry's blob does not have ``size`` bytes.
        """
        path = self._blob(_checked_digest(digest))
        return open_blob(self._endpoint, path, self._pull, digest=digest, size=size, start=start, stop=stop)

    def put_blob(self, digest: str, size: int, open_source: Callable[[], BinaryIO]) -> None:
        """Store the blob unless it is there. Each try opens the source anew, and closes it.

        Raises:
            Corrupt: the source's bytes do not have this digest or size; nothing is stored.
            Denied, NetworkError, Unsupported
        """
        Upload(
            self._endpoint,
            self._name,
            self._push,
            digest=_checked_digest(digest),
            size=size,
            open_source=open_source,
        ).run()

    def mount_blob(self, digest: str, source: str) -> bool:
        """Take the blob over from the repository at ``source``, where that is one of this registry (by its host).

        True: it is there now. False: another registry, or this one does not do it; whether the blob is there is open.

        Raises:
            NetworkError
        """
        return mount(self._endpoint, self._name, self._push, digest=_checked_digest(digest), source=source)

    def resolve(self, tag: str) -> str | None:
        """The digest that ``tag`` names, or None.

        Raises:
            Denied, NetworkError
        """
        doing = f"look up tag {_checked_tag(tag)}"
        path = self._manifest(tag)
        reply = self._endpoint.call(self._endpoint.request("HEAD", path, doing, headers=_ACCEPT), self._pull)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise self._endpoint.problem(reply, doing)
        digest = reply.headers.get("Docker-Content-Digest", "")
        # The header is only mandatory in the next specification, and may name another algorithm.
        return digest if is_digest(digest) else digest_of(self.get_manifest(tag))

    def get_manifest(self, reference: str) -> bytes:
        """The exact bytes of the manifest under a tag or digest.

        Raises:
            NotFound, Denied, NetworkError
            Corrupt: they do not have the digest that was asked for, or that the registry announces.
            InvalidFile: more than 4 MiB.
        """
        path = self._manifest(_checked_reference(reference))
        doing = f"read manifest {reference}"
        request = self._endpoint.request("GET", path, doing, headers=_ACCEPT)
        reply = self._endpoint.call(request, self._pull, limit=MAX_MANIFEST + 1)
        if reply.status != 200:
            raise self._endpoint.problem(reply, doing)
        if len(reply.body) > MAX_MANIFEST:
            raise InvalidFile(f"cannot {doing}: it is larger than {MAX_MANIFEST} bytes")
        announced = reference if is_digest(reference) else reply.headers.get("Docker-Content-Digest", "")
        if is_digest(announced) and digest_of(reply.body) != announced:
            raise Corrupt(f"cannot {doing}: its bytes are not those of {announced}")
        return reply.body

    def put_manifest(self, manifest: bytes, *, tag: str | None = None) -> str:
        """Store a manifest or index as it is, under ``tag`` (which moves) or its digest alone; returns its digest.

        Raises:
            NotFound: something that it names is not there.
            Denied, NetworkError, Conflict
            InvalidFile: not a manifest.
            Unsupported: more than 4 MiB.
        """
        digest = digest_of(manifest)
        reference = digest if tag is None else _checked_tag(tag)
        doing = f"write manifest {reference}"
        if len(manifest) > MAX_MANIFEST:
            raise Unsupported(f"cannot {doing}: registries take no more than {MAX_MANIFEST} bytes")
        headers = {"Content-Type": _media_type(manifest)}
        request = self._endpoint.request("PUT", self._manifest(reference), doing, headers=headers, body=manifest)
        reply = self._endpoint.call(request, self._push)
        if reply.status not in (200, 201, 202):
            raise self._endpoint.problem(reply, doing)
        stored = reply.headers.get("Docker-Content-Digest", "")
        if is_digest(stored) and stored != digest:
            raise Corrupt(f"cannot {doing}: the registry stored {stored}")
        return digest

    def tags(self) -> list[str]:
        """All tags, sorted; empty where the repository does not exist.

        Raises:
            Denied, NetworkError
        """
        found: set[str] = set()
        page: str | None = f"/v2/{self._name}/tags/list?n={_PAGE}"
        for _ in range(_MAX_PAGES):
            if page is None:
                return sorted(found)
            names, page = self._tag_page(page)
            found.update(names)
        raise NetworkError(f"cannot list the tags of {self.url}: the list has no end")

    def delete_tag(self, tag: str) -> None:
        """Remove ``tag`` alone; see ``gitkit.registry.untag``.

        Raises:
            NotFound: there is no such tag.
            Unsupported: the registry deletes nothing.
            Denied, NetworkError
        """
        untag.delete_tag(self, _checked_tag(tag), self._delete)

    def _delete(self, reference: str) -> KitError | None:
        """Delete a tag, or a manifest by digest; the registry's refusal, or None when it is done."""
        doing = f"delete {reference} on {self.url}"
        reply = self._endpoint.call(self._endpoint.request("DELETE", self._manifest(reference), doing), self._remove)
        return None if reply.status in (200, 202, 204) else self._endpoint.problem(reply, doing)

    def _tag_page(self, page: str) -> tuple[list[str], str | None]:
        doing = f"list the tags of {self.url}"
        reply = self._endpoint.call(self._endpoint.request("GET", page, doing), self._pull, limit=_MAX_TAG_LIST)
        if reply.status == 404:
            return [], None
        if reply.status != 200:
            raise self._endpoint.problem(reply, doing)
        following = _next_page(reply)
        if following is not None and not self._endpoint.owns(following):
            raise NetworkError(f"cannot {doing}: the list goes on at another host")
        return _tag_names(reply.body, doing), following

    def _blob(self, digest: str) -> str:
        return f"/v2/{self._name}/blobs/{digest}"

    def _manifest(self, reference: str) -> str:
        return f"/v2/{self._name}/manifests/{quote(reference, safe=':')}"


def _checked_digest(digest: str) -> str:
    if not is_digest(digest):
        raise Corrupt(f"{digest!r} is not a digest")
    return digest


def _checked_tag(tag: str) -> str:
    if not is_tag(tag):
        raise UsageError(
            f"{tag!r} cannot be a tag in a registry", hint="up to 128 letters, digits, and _ . - after the first"
        )
    return tag


def _checked_reference(reference: str) -> str:
    return reference if is_digest(reference) else _checked_tag(reference)


def _media_type(manifest: bytes) -> str:
    media_type = parse_document(manifest, "the manifest").get("mediaType", MANIFEST)
    if not isinstance(media_type, str) or not re.fullmatch(r"[\x21-\x7e]+", media_type):
        raise InvalidFile("the manifest's mediaType is not a media type")
    return media_type


def _next_page(reply: Reply) -> str | None:
    link = _NEXT.search(reply.headers.get("Link", ""))
    return joined(reply.url, link[1]) if link else None


def _tag_names(body: bytes, doing: str) -> list[str]:
    try:
        names = parse_document(body, "the list of tags").get("tags") or []
    except InvalidFile as error:
        raise NetworkError(f"cannot {doing}: {error.message}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NetworkError(f"cannot {doing}: the list of tags is not one")
    return names
