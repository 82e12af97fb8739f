"""The two signatures of RPC calls: V1 among the parameters, ACS3 in the headers.

V1 (HMAC-SHA1) covers the method and every parameter, decoded and sorted; ACS3 (HMAC-SHA256) the method, the query,
the headers it lists and the digest of the body. Neither covers how things were encoded: a gateway is no trouble.

Source: Alibaba Cloud help pages "RPC signature mechanism" and "V3 request body and signature".
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib import parse

from chalicelib.model import limits
from chalicelib.model.frozen import frozen
from chalicelib.rpc import errors
from chalicelib.wire import http

_ALGORITHM = "ACS3-HMAC-SHA256"
_ACS3 = re.compile(
    rf"{_ALGORITHM} +Credential=(?P<key>[^\s,]{{1,128}}), *SignedHeaders=(?P<headers>[a-z0-9;_-]{{1,2048}}),"
    r" *Signature=(?P<signature>[0-9a-fA-F]{64})"
)
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_SIGNED = ("host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version")
_NONCE = re.compile(r"[\x21-\x7e]{1,128}")


@frozen
class Proof:
    """What a request shows for itself."""

    access_key_id: str
    signature: str
    nonce: str  # no other request of this key has it
    signed_at: int  # ms
    security_token: str  # of temporary credentials; empty: none
    headers: tuple[str, ...] | None  # that ACS3 covers; None: it is V1


def read(request: http.Request, parameters: Mapping[str, str]) -> Proof:
    """What a request shows for itself.

    Raises:
        errors.RpcError: it is incomplete or of no known form.
    """
    header = request.headers.get("authorization", "").strip()
    return _read_v3(request, header) if header else _read_v1(parameters)


def check_date(proof: Proof, now: int) -> None:
    """Check that a request was signed within 15 minutes of `now` (ms); raises errors.RpcError."""
    if abs(proof.signed_at - now) > limits.CLOCK_SKEW_SECONDS * 1000:
        raise errors.RpcError("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def verify(proof: Proof, request: http.Request, parameters: Mapping[str, str], secret: str) -> str | None:
    """Check the signature, and with ACS3 the digest of the body.

    Returns:
        None if it is right, else the string that should have been signed.
    """
    if proof.headers is None:
        text = _v1_string(request.method, parameters)
        right = base64.b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")).decode()
    else:
        text = _v3_string(request, proof.headers)
        right = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
    return None if hmac.compare_digest(right.encode(), proof.signature.encode()) else text


def _read_v1(parameters: Mapping[str, str]) -> Proof:
    for name in ("AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"):
        if not parameters.get(name):
            raise errors.missing(name)
    if parameters["SignatureMethod"].upper() != "HMAC-SHA1" or parameters["SignatureVersion"] != "1.0":
        raise errors.RpcError(
            "InvalidSignatureMethod", "The SignatureMethod should be HMAC-SHA1 and the SignatureVersion 1.0."
        )
    return Proof(
        access_key_id=parameters["AccessKeyId"],
        signature=parameters["Signature"],
        nonce=_checked_nonce("SignatureNonce", parameters["SignatureNonce"]),
        signed_at=_moment(parameters["Timestamp"]),
        security_token=parameters.get("SecurityToken", ""),
        headers=None,
    )


def _read_v3(request: http.Request, header: str) -> Proof:
    found = _ACS3.fullmatch(header)
    if found is None:
        raise errors.RpcError(
            "IncompleteSignature",
            f'The Authorization header should read "{_ALGORITHM} Credential=,SignedHeaders=,Signature=".',
        )
    for name in ("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"):
        if not request.headers.get(name):
            raise errors.missing(name)
    names = tuple(found["headers"].split(";"))
    for name in (*_SIGNED, "x-acs-security-token"):
        if name in request.headers and name not in names:
            raise errors.RpcError("IncompleteSignature", f"The header {name} should be among the SignedHeaders.")
    if request.headers["x-acs-content-sha256"].lower() != hashlib.sha256(request.body).hexdigest():
        raise errors.RpcError("IncompleteSignature", "The x-acs-content-sha256 is not the digest of the body.")
    return Proof(
        access_key_id=found["key"],
        signature=found["signature"].lower(),
        nonce=_checked_nonce("x-acs-signature-nonce", request.headers["x-acs-signature-nonce"]),
        signed_at=_moment(request.headers["x-acs-date"]),
        security_token=request.headers.get("x-acs-security-token", ""),
        headers=names,
    )


def _checked_nonce(name: str, nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise errors.invalid(name, "it should have 1 to 128 printable ASCII characters without blanks.")
    return nonce


def _moment(text: str) -> int:
    """The moment (ms) of an ISO 8601 date."""
    try:
        return int(datetime.strptime(text, _MOMENT).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise errors.RpcError(
            "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."
        ) from error


def _v1_string(method: str, parameters: Mapping[str, str]) -> str:
    canonical = _canonical({name: value for name, value in parameters.items() if name != "Signature"})
    return f"{method}&%2F&{_quote(canonical)}"


def _v3_string(request: http.Request, names: tuple[str, ...]) -> str:
    query = dict(parse.parse_qsl(request.query, keep_blank_values=True))
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
    digest = request.headers["x-acs-content-sha256"]
    canonical = f"{request.method}\n/\n{_canonical(query)}\n{headers}\n{';'.join(names)}\n{digest}"
    return f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def _canonical(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{_quote(name)}={_quote(value)}" for name, value in sorted(parameters.items()))


def _quote(text: str) -> str:
    return parse.quote(text, safe="~")
