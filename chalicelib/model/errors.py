"""What can go wrong, as the client sees it: one class per MNS error code, its docstring the default message.

    MnsError
    ├── BadRequest (400)      headers, digest, URL, XML, arguments, names, receipts, endpoints, tokens
    ├── Forbidden (403)       account, key, signature, permission
    ├── NotExist (404)        queue, topic, subscription, message, event rule
    ├── TimeExpired (408)
    ├── AlreadyExist (409)    queue, topic, subscription, event rule; a call under way
    ├── TooManyRequests (429)
    └── InternalError (500)

The code on the wire is the class name, spelled as MNS spells it. Source: MNS help page "Error codes" and the constants
of the SDKs (section 13 of the protocol document). Adding one: write the class, add its row to `docs/compatibility.md`.

Errors of RAM and STS, at the end, say what they are about as well, such as `EntityNotExist.User` (RAM help page "Error
codes"): EntityNotExist (404), EntityAlreadyExists, DeleteConflict and LimitExceeded (409), InvalidParameter (400).
"""

from typing import ClassVar


class MnsError(Exception):
    """The request failed."""

    status: ClassVar[int] = 500

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())

    @property
    def code(self) -> str:
        """The MNS error code."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """The sentence shown to the client."""
        return str(self.args[0])


class BadRequest(MnsError):
    """The request is not valid."""

    status = 400


class MissingAuthorizationHeader(BadRequest):
    """The Authorization header is required."""


class InvalidAuthorizationHeader(BadRequest):
    """The Authorization header should read "MNS <AccessKeyId>:<Signature>" or be of the MNS4-HMAC-SHA256 form."""


class MissingDateHeader(BadRequest):
    """The Date or x-mns-date header is required."""


class InvalidDateHeader(BadRequest):
    """The Date header is not a date of RFC 1123, such as "Tue, 02 Jan 2024 03:04:05 GMT"."""


class MissingVersionHeader(BadRequest):
    """The x-mns-version header is required."""


class InvalidVersionHeader(BadRequest):
    """The x-mns-version header names a version that is not supported."""


class InvalidDegist(BadRequest):  # sic: this is how MNS spells it
    """The Content-MD5 header is not the digest of the body."""


class InvalidRequestURL(BadRequest):
    """The requested path or method is not part of the API."""


class InvalidQueryString(BadRequest):
    """The query string is not valid."""


class MalformedXML(BadRequest):
    """The body is not well-formed XML."""


class InvalidArgument(BadRequest):
    """The body or a parameter does not have the form or the range that the operation asks for."""


class MissingReceiptHandle(BadRequest):
    """The ReceiptHandle is required."""


class MissingVisibilityTimeout(BadRequest):
    """The VisibilityTimeout is required."""


class ReceiptHandleError(BadRequest):
    """The receipt handle you provided is not valid."""


class InvalidQueueName(BadRequest):
    """The queue name should hold letters, digits and hyphens only and begin with a letter or a digit."""


class QueueNameLengthError(BadRequest):
    """The queue name is too short or too long."""


class QueueNumExceededLimit(BadRequest):
    """The account has as many queues as it may have."""


class TopicNameInvalid(BadRequest):
    """The topic name should hold letters, digits and hyphens only and begin with a letter or a digit."""


class TopicNameLengthError(BadRequest):
    """The topic name is too short or too long."""


class TopicNumExceededLimit(BadRequest):
    """The account has as many topics as it may have."""


class SubscriptionNameInvalid(BadRequest):
    """The subscription name should hold letters, digits and hyphens only and begin with a letter or a digit."""


class SubscriptionNameLengthError(BadRequest):
    """The subscription name is too short or too long."""


class SubscriptionNumExceededLimit(BadRequest):
    """The topic has as many subscriptions as it may have."""


class IdempotentParameterMismatch(BadRequest):
    """The ClientToken has been used with other parameters."""


class EndpointInvalid(BadRequest):
    """The endpoint is of no kind that messages can be pushed to."""


class Forbidden(MnsError):
    """The request is not allowed."""

    status = 403


class AccessDenied(Forbidden):
    """The OwnerId that your Access Key Id associated to is forbidden for this operation."""


class InvalidAccessKeyId(Forbidden):
    """The access Id you provided is not exist."""


class InactiveAccessKeyId(InvalidAccessKeyId):
    """Specified access key is disabled."""


class SignatureDoesNotMatch(Forbidden):
    """The signature of the request is not the one that the server computed; check the AccessKeySecret."""


class NotExist(MnsError):
    """The thing asked for does not exist."""

    status = 404


class QueueNotExist(NotExist):
    """The queue name you provided is not exist."""


class TopicNotExist(NotExist):
    """The topic name you provided is not exist."""


class SubscriptionNotExist(NotExist):
    """The subscription name you provided is not exist."""


class MessageNotExist(NotExist):
    """Message not exist."""


class TimeExpired(MnsError):
    """The date of the request differs from the server's time by more than 15 minutes."""

    status = 408


class AlreadyExist(MnsError):
    """The thing to create exists and differs."""

    status = 409


class QueueAlreadyExist(AlreadyExist):
    """The queue you want to create is already exist."""


class TopicAlreadyExist(AlreadyExist):
    """The topic you want to create is already exist."""


class SubscriptionAlreadyExist(AlreadyExist):
    """The subscription you want to create is already exist."""


class IdempotentProcessing(AlreadyExist):
    """The call with this ClientToken is being processed; try again to learn its outcome."""


class TooManyRequests(MnsError):
    """Too many requests at this moment; slow down and try again."""

    status = 429


class EventRuleNotExist(NotExist):
    """The event rule you provided is not exist."""


class EventRuleAlreadyExist(AlreadyExist):
    """The event rule you want to create is already exist."""


class EventRuleNumExceededLimit(BadRequest):
    """The account has as many event rules in the region as it may have."""


class InternalError(MnsError):
    """The server met an error of its own; the request may be tried again."""


# --- RAM and STS -----------------------------------------------------------------------------------------------------


class About(MnsError):
    """A request to RAM or STS failed."""

    def __init__(self, message: str = "", *, of: str = "") -> None:
        """Set up; `of` is what it is about, such as `User.Policy`."""
        super().__init__(message)
        self._of = of

    @property
    def code(self) -> str:
        """The name of the class, and what it is about."""
        return f"{type(self).__name__}.{self._of}" if self._of else type(self).__name__


class EntityNotExist(About, NotExist):
    """The user, group, role, policy or key does not exist."""


class EntityAlreadyExists(About, AlreadyExist):
    """The user, group, role, policy or attachment does already exist."""


class DeleteConflict(About, AlreadyExist):
    """What is to be deleted is still in use."""


class LimitExceeded(About, AlreadyExist):
    """There are as many as there may be."""


class InvalidParameter(About, BadRequest):
    """A parameter does not have the form that it should have."""


class MalformedPolicyDocument(BadRequest):
    """The policy document is not of the policy language."""


class NoPermission(Forbidden):
    """You are not authorized to do this action."""


class SecurityToken(Forbidden):
    """What came with a temporary key does not make it good."""


class InvalidSecurityToken(SecurityToken):
    """The security token is not valid."""


class ExpiredSecurityToken(SecurityToken):
    """The security token has expired."""


class MissingSecurityToken(SecurityToken):
    """The security token of a temporary key is mandatory."""
