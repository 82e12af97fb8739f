"""What queues, topics and subscriptions share on this wire: policies, tags, pages, and the answers of writes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.model import account, endpoint, errors, limits, resource
from chalicelib.rpc.parameters import Parameters

SUCCESS = "operation success"


def done(code: int = 200) -> Mapping[str, Any]:
    """The answer of a write that has nothing else to say; `code` is what the XML API would have answered with."""
    return {"Data": {"Code": code, "Message": SUCCESS, "Success": True}}


def parse_type(parameters: Parameters, name: str) -> resource.Type | None:
    """The type that a parameter names."""
    text = parameters.text(name)
    try:
        return resource.Type(text.lower()) if text else None
    except ValueError as error:
        raise errors.InvalidArgument(f"The value of {name} should be normal or fifo.") from error


def parse_tags(parameters: Parameters) -> tuple[resource.Tag, ...]:
    """The tags of `Tag.N.Key` and `Tag.N.Value`."""
    return tuple(
        resource.Tag(key=item.required("Key"), value=item.text("Value") or "") for item in parameters.numbered("Tag")
    )


def parse_filter(parameters: Parameters, noun: str) -> resource.Filter:
    """What a list asks for; `noun` is Queue or Topic."""
    return resource.Filter(
        name=parameters.text(f"{noun}Name") or "",
        type=parse_type(parameters, f"{noun}Type"),
        tags={item.required("Key"): item.text("Value") for item in parameters.numbered("Tag")},
    )


def parse_window(parameters: Parameters) -> resource.Window:
    """The page that a list asks for."""
    return resource.Window(
        number=limits.PAGE_NUM.clamp(parameters.integer("PageNum")),
        size=limits.PAGE_SIZE.clamp(parameters.integer("PageSize")),
    )


def parse_rate_limit(parameters: Parameters) -> resource.RateLimit | None:
    """The TenantRateLimitPolicy; None: not named."""
    policy = parameters.member("TenantRateLimitPolicy")
    if policy is None:
        return None
    most = policy.integer("MaxReceivesPerSecond")
    if not policy.boolean("Enabled"):
        return resource.RateLimit()
    if most is None:
        policy.required("MaxReceivesPerSecond")
    return resource.RateLimit(enabled=True, max_receives_per_second=most or 0)


def parse_encryption(parameters: Parameters, before: resource.Encryption) -> resource.Encryption | None:
    """The encryption that EnableSSE, SseType, SseAlgorithm and KmsKeyId ask for; None: none of them is named."""
    sse_type = parameters.text("SseType")
    named = {
        "enabled": parameters.boolean("EnableSSE"),
        "sse_type": sse_type,
        "algorithm": parameters.text("SseAlgorithm"),
        "key_id": parameters.text("KmsKeyId") or ("" if sse_type == "SMQ" else None),
    }
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return dataclasses.replace(before, **changes) if changes else None


def parse_target(policy: Parameters, namespace: account.Namespace) -> str:
    """The name of the queue that a DlqPolicy names."""
    return endpoint.dead_letter_queue(policy.required("DeadLetterTargetQueue"), namespace)


def render_rate_limit(policy: resource.RateLimit) -> Mapping[str, Any]:
    """A TenantRateLimitPolicy."""
    if not policy.enabled:
        return {"Enabled": False}
    return {"Enabled": True, "MaxReceivesPerSecond": policy.max_receives_per_second}


def render_encryption(policy: resource.Encryption) -> Mapping[str, Any]:
    """The encryption fields; a key is there only if one is named."""
    return {
        "EnableSSE": policy.enabled,
        "EncryptionEnabled": policy.enabled,
        "SseType": policy.sse_type,
        "SseAlgorithm": policy.algorithm,
        **({"KmsKeyId": policy.key_id} if policy.key_id else {}),
    }


def render_tags(tags: Sequence[resource.Tag]) -> list[Mapping[str, str]]:
    """The tags."""
    return [{"TagKey": tag.key, "TagValue": tag.value} for tag in tags]


def render_page(entries: Sequence[Mapping[str, Any]], window: resource.Window, total: int) -> Mapping[str, Any]:
    """The answer of a list."""
    return {
        "Data": {
            "PageData": entries,
            "PageNum": window.number,
            "PageSize": window.size,
            "Pages": window.pages(total),
            "Size": len(entries),
            "Total": total,
        }
    }
