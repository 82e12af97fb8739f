"""V2 and V4 signatures, as all SDKs make them (section 3 of the protocol document).

Gateways and HTTP libraries re-encode targets, and API Gateway drops Content-MD5; so a signature is checked against
every string that the client may have signed, the likeliest first.
"""

import binascii
import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email import utils
from typing import TypeAlias
from urllib import parse

from chalicelib.model import errors, limits
from chalicelib.model.frozen import frozen
from chalicelib.wire import http

_V2 = re.compile(r"MNS (?P<key>[^\s:]{1,128}):(?P<signature>\S{1,256})")
_V4 = re.compile(
    r"(?P<prefix>(?:APSARA-)?MNS4-HMAC-SHA256) Credential=(?P<key>[^\s/,]{1,128})/(?P<date>[0-9]{8})"
    r"/(?P<region>[^\s/,]{1,64})/mns/(?P<terminator>[a-z0-9_]{1,64}), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_PLAIN = "!$'()*,=:@/?~"  # what HTTP libraries mostly leave as it is in a value (RFC 3986)
_KEYS_KEPT = 64  # keyed states remembered: the same few keys sign again and again
_DATES_KEPT = 256
_CLIENTS_KEPT = 64  # by the names of the headers they send
_DATES = ("date", "x-mns-date")
_Signable: TypeAlias = tuple[str, str, str, str]  # target, Content-MD5, Content-Type, date
_TERMINATORS = {  # prefix of the header -> prefix of the secret, end of the scope
    "MNS4-HMAC-SHA256": ("aliyun_v4", "aliyun_v4_request"),
    "APSARA-MNS4-HMAC-SHA256": ("apsara_v4", "apsara_v4_request"),
}


@frozen
class V2:
    """`MNS key:signature`, HMAC-SHA1."""

    access_key_id: str
    signature: str

    def sign(self, text: str, secret: str) -> bytes:
        """The signature of a string."""
        return binascii.b2a_base64(_mac(_v2_keyed(secret), text), newline=False)

    def strings(self, request: http.Request, signable: _Signable) -> Iterable[str]:
        """What the client may have signed."""
        target, digest, content_type, date = signable
        canonical = ""
        for name, value in _mns_headers(request):
            canonical += f"{name}:{value}\n"
        return (f"{request.method}\n{digest}\n{content_type}\n{date}\n{canonical}{target}",)


@frozen
class V4:
    """`MNS4-HMAC-SHA256 Credential=key/date/region/mns/aliyun_v4_request,Signature=hex`, or the same with APSARA."""

    access_key_id: str
    signature: str
    prefix: str
    date: str  # yyyymmdd
    region: str

    def sign(self, text: str, secret: str) -> bytes:
        """The signature of a string."""
        start, terminator = _TERMINATORS[self.prefix]
        return _mac(_v4_keyed(start + secret, self.date, self.region, terminator), text).hex().encode()

    def strings(self, request: http.Request, signable: _Signable) -> Iterator[str]:
        """What the client may have signed. The canonical request goes in as it is, not hashed."""
        scope = f"{self.date}/{self.region}/mns/{_TERMINATORS[self.prefix][1]}"
        target, digest, content_type, date = signable
        moment = _v4_moment(date)
        if not moment.startswith(self.date):
            return
        path, _, query = target.partition("?")
        signed = [("content-md5", digest)] if digest else []
        if content_type:
            signed.append(("content-type", content_type))
        headers = "".join(f"{name}:{value.strip()}\n" for name, value in sorted([*signed, *_mns_headers(request)]))
        for encoded in _canonical_queries(query):
            canonical = f"{request.method}\n{parse.quote(parse.unquote(path), safe='/~')}\n{encoded}\n{headers}\n"
            yield f"{self.prefix}\n{moment}\n{scope}\n{canonical}"


def read_authorization(request: http.Request) -> V2 | V4:
    """What the Authorization header says.

    Raises:
        errors.MissingAuthorizationHeader, errors.InvalidAuthorizationHeader: it is missing or of no known form.
    """
    header = request.headers.get("authorization", "").strip()
    if not header:
        raise errors.MissingAuthorizationHeader
    if found := _V2.fullmatch(header):
        key, signature = found.groups()
        return V2(access_key_id=key, signature=signature)
    found = _V4.fullmatch(header)
    if found is None or found["terminator"] != _TERMINATORS[found["prefix"]][1]:
        raise errors.InvalidAuthorizationHeader
    return V4(
        access_key_id=found["key"],
        signature=found["signature"],
        prefix=found["prefix"],
        date=found["date"],
        region=found["region"],
    )


def check_date(request: http.Request, now: int) -> None:
    """Check that every date the client sent is within 15 minutes of `now` (ms).

    Both `Date` and `x-mns-date` count where both are there, for either may be the one that was signed.

    Raises:
        errors.MissingDateHeader, errors.InvalidDateHeader, errors.TimeExpired: it is not so.
    """
    dates = _dates(request)
    if not dates:
        raise errors.MissingDateHeader
    for text in dates:
        if abs(_timestamp(text) - now / 1000) > limits.CLOCK_SKEW_SECONDS:
            raise errors.TimeExpired(
                f"The date of the request is {text}, but the server's is {utils.formatdate(now / 1000, usegmt=True)};"
                " they should not differ by more than 15 minutes."
            )


def check_version(request: http.Request) -> None:
    """Check the x-mns-version header; raises errors.MissingVersionHeader or errors.InvalidVersionHeader."""
    version = request.headers.get("x-mns-version", "").strip()
    if not version:
        raise errors.MissingVersionHeader
    if version != limits.API_VERSION:
        raise errors.InvalidVersionHeader(
            f"The x-mns-version header is {version[:64]!r}; the version supported is {limits.API_VERSION}."
        )


def check_digest(request: http.Request) -> None:
    """Check a Content-MD5 header, in any form that SDKs send; raises errors.InvalidDegist."""
    sent = request.headers.get("content-md5", "").strip()
    if sent and sent not in digests(request.body):  # compared as it is: the digest of one's own body is no secret
        raise errors.InvalidDegist


def digests(body: bytes) -> Iterator[str]:
    """All forms of Content-MD5: base64 of the hex text (Python, Node, Go), of the raw digest (RFC 1864), plain hex."""
    digest = hashlib.md5(body, usedforsecurity=False)
    text = digest.hexdigest()
    yield binascii.b2a_base64(text.encode(), newline=False).decode()
    yield binascii.b2a_base64(digest.digest(), newline=False).decode()
    yield binascii.b2a_base64(text.upper().encode(), newline=False).decode()
    yield text
    yield text.upper()


def verify(request: http.Request, authorization: V2 | V4, secret: str) -> str | None:
    """Check the signature; return None if it is right, else the likeliest string that should have been signed."""
    signature = authorization.signature.encode()
    expected = ""
    for signables in (_as_sent, _guesses):
        for signable in signables(request):
            for text in authorization.strings(request, signable):
                if hmac.compare_digest(authorization.sign(text, secret), signature):
                    return None
                expected = expected or text
    return expected


def _mac(keyed: hmac.HMAC, text: str) -> bytes:
    """The MAC of a text; copying a keyed state costs half of what it takes to make one."""
    mac = keyed.copy()
    mac.update(text.encode())
    return mac.digest()


@functools.lru_cache(maxsize=_KEYS_KEPT)
def _v2_keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha1")


@functools.lru_cache(maxsize=_KEYS_KEPT)
def _v4_keyed(secret: str, date: str, region: str, terminator: str) -> hmac.HMAC:
    """Keyed with the signing key of one day, region and product."""
    key = secret.encode()
    for part in (date, region, "mns", terminator):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def _canonical_queries(query: str) -> Iterator[str]:
    """The query in V4's form: from the values as sent, as the Java SDK does it, or from the decoded ones."""
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    for decode in (str, parse.unquote):
        encoded = sorted(
            (parse.quote(decode(name).strip().lower(), safe="~"), parse.quote(decode(value).strip(), safe="~"))
            for name, value in pairs
        )
        yield "&".join(f"{name}={value}" if value else name for name, value in encoded)


def _as_sent(request: http.Request) -> Sequence[_Signable]:
    """The first of `_guesses`, made without ado, for it is mostly it; none where a gateway hides what was signed."""
    if request.targets or request.digests or request.content_types:
        return ()
    headers = request.headers
    date = headers.get("date") or headers.get("x-mns-date")
    return ((request.target, headers.get("content-md5", ""), headers.get("content-type", ""), date),) if date else ()


def _guesses(request: http.Request) -> Iterator[_Signable]:
    """All that the client may have signed, made one by one."""
    digest_sent, type_sent = request.headers.get("content-md5", ""), request.headers.get("content-type", "")
    dates = _dates(request)
    for target in _targets(request):
        for digest in request.digests() if request.digests else (digest_sent,):
            for content_type in request.content_types() if request.content_types else (type_sent,):
                for date in dates:
                    yield target, digest, content_type, date


def _targets(request: http.Request) -> Iterator[str]:
    """The target as sent, and as it may have looked before an HTTP library or a gateway encoded or decoded it."""
    for target in request.targets() if request.targets else (request.target,):
        yield target
        path, mark, query = target.partition("?")
        if mark:
            pairs = [pair.partition("=") for pair in query.split("&")]
            decoded = [parse.unquote(value) for _, _, value in pairs]
            if not any(_splits(value) for value in decoded):  # or one value could pass for two parameters
                yield f"{path}?" + "&".join(
                    f"{name}{equals}{value}" for (name, equals, _), value in zip(pairs, decoded, strict=True)
                )
            for safe in ("", _PLAIN):
                yield f"{path}?" + "&".join(
                    f"{name}{equals}{parse.quote(value, safe=safe)}"
                    for (name, equals, _), value in zip(pairs, decoded, strict=True)
                )


def _splits(value: str) -> bool:
    """Whether a value would end where a query is read, so that it cannot have been sent as it is."""
    return "&" in value or "#" in value


def _mns_headers(request: http.Request) -> list[tuple[str, str]]:
    headers = request.headers
    return [(name, headers[name]) for name in _mns_names(tuple(headers))]


@functools.lru_cache(maxsize=_CLIENTS_KEPT)
def _mns_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names of a request's headers that are signed, in their order."""
    return tuple(sorted([name for name in names if name.startswith("x-mns-")]))


def _dates(request: http.Request) -> list[str]:
    return list(filter(None, map(request.headers.get, _DATES)))


@functools.lru_cache(maxsize=_DATES_KEPT)
def _timestamp(text: str) -> float:
    """Seconds since the epoch."""
    return _moment(text).timestamp()


@functools.lru_cache(maxsize=_DATES_KEPT)
def _v4_moment(text: str) -> str:
    """The moment of a date header as V4 signs it, yyyymmddThhmmssZ."""
    return f"{_moment(text):%Y%m%dT%H%M%SZ}"


def _moment(text: str) -> datetime:
    """The moment in a date header; errors.InvalidDateHeader if it is none."""
    try:
        moment = utils.parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise errors.InvalidDateHeader from error
