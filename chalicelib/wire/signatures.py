"""V2 and V4 signatures, as all SDKs make them (section 3 of the protocol document).

Gateways and HTTP libraries re-encode targets, and API Gateway drops Content-MD5; so a signature is checked against
every string that the client may have signed, the likeliest first.
"""

import base64
import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email import utils
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
_TERMINATORS = {  # prefix of the header -> prefix of the secret, end of the scope
    "MNS4-HMAC-SHA256": ("aliyun_v4", "aliyun_v4_request"),
    "APSARA-MNS4-HMAC-SHA256": ("apsara_v4", "apsara_v4_request"),
}


@frozen
class Authorization:
    """What an Authorization header says."""

    access_key_id: str
    signature: str


@frozen
class V2(Authorization):
    """`MNS key:signature`, HMAC-SHA1."""


@frozen
class V4(Authorization):
    """`MNS4-HMAC-SHA256 Credential=key/date/region/mns/aliyun_v4_request,Signature=hex`, or the same with APSARA."""

    prefix: str
    date: str  # yyyymmdd
    region: str


def read_authorization(request: http.Request) -> Authorization:
    """What the Authorization header says.

    Raises:
        errors.MissingAuthorizationHeader, errors.InvalidAuthorizationHeader: it is missing or of no known form.
    """
    header = request.headers.get("authorization", "").strip()
    if not header:
        raise errors.MissingAuthorizationHeader
    if found := _V2.fullmatch(header):
        return V2(access_key_id=found["key"], signature=found["signature"])
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
    yield base64.b64encode(text.encode()).decode()
    yield base64.b64encode(digest.digest()).decode()
    yield base64.b64encode(text.upper().encode()).decode()
    yield text
    yield text.upper()


def verify(request: http.Request, authorization: Authorization, secret: str) -> str | None:
    """Check the signature; return None if it is right, else the likeliest string that should have been signed."""
    signature = authorization.signature.encode()
    expected = ""
    for text, right in _signed(request, authorization, secret):
        if hmac.compare_digest(right, signature):
            return None
        expected = expected or text
    return expected


def _signed(request: http.Request, authorization: Authorization, secret: str) -> Iterator[tuple[str, bytes]]:
    """What the client may have signed, each with its signature."""
    if isinstance(authorization, V4):
        keyed = _v4_keyed(authorization, secret)
        for text in _v4_strings(request, authorization):
            yield text, _mac(keyed, text).hex().encode()
    else:
        keyed = _v2_keyed(secret)
        for text in _v2_strings(request):
            yield text, base64.b64encode(_mac(keyed, text))


def _mac(keyed: hmac.HMAC, text: str) -> bytes:
    """The MAC of a text; copying a keyed state costs half of what it takes to make one."""
    mac = keyed.copy()
    mac.update(text.encode())
    return mac.digest()


def _v2_strings(request: http.Request) -> Iterator[str]:
    """What a V2 client may have signed."""
    canonical = "".join([f"{name}:{value}\n" for name, value in _mns_headers(request)])
    for target, digest, content_type, date in _signables(request):
        yield f"{request.method}\n{digest}\n{content_type}\n{date}\n{canonical}{target}"


def _v4_strings(request: http.Request, authorization: V4) -> Iterator[str]:
    """What a V4 client may have signed. The canonical request goes in as it is, not hashed."""
    scope = f"{authorization.date}/{authorization.region}/mns/{_TERMINATORS[authorization.prefix][1]}"
    for target, digest, content_type, date in _signables(request):
        moment = _v4_moment(date)
        if not moment.startswith(authorization.date):
            continue
        path, _, query = target.partition("?")
        signed = [("content-md5", digest)] if digest else []
        if content_type:
            signed.append(("content-type", content_type))
        headers = "".join(f"{name}:{value.strip()}\n" for name, value in sorted([*signed, *_mns_headers(request)]))
        for encoded in _canonical_queries(query):
            canonical = f"{request.method}\n{parse.quote(parse.unquote(path), safe='/~')}\n{encoded}\n{headers}\n"
            yield f"{authorization.prefix}\n{moment}\n{scope}\n{canonical}"


@functools.lru_cache(maxsize=_KEYS_KEPT)
def _v2_keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha1")


def _v4_keyed(authorization: V4, secret: str) -> hmac.HMAC:
    start, terminator = _TERMINATORS[authorization.prefix]
    return _derived(start + secret, authorization.date, authorization.region, terminator)


@functools.lru_cache(maxsize=_KEYS_KEPT)
def _derived(secret: str, date: str, region: str, terminator: str) -> hmac.HMAC:
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


def _signables(request: http.Request) -> Iterator[tuple[str, str, str, str]]:
    """Target, Content-MD5, Content-Type and date as the client may have signed them.

    They are made one by one, for the first is mostly it.
    """
    for target in _targets(request):
        for digest in _headers(request.digests, request, "content-md5"):
            for content_type in _headers(request.content_types, request, "content-type"):
                for date in _dates(request):
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


def _headers(guesses: http.Guesses | None, request: http.Request, name: str) -> Iterable[str]:
    """What the client may have sent as a header."""
    return guesses() if guesses else (request.headers.get(name, ""),)


def _mns_headers(request: http.Request) -> list[tuple[str, str]]:
    return sorted([header for header in request.headers.items() if header[0].startswith("x-mns-")])


def _dates(request: http.Request) -> list[str]:
    return [request.headers[name] for name in ("date", "x-mns-date") if request.headers.get(name)]


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
