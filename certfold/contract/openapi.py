"""The public HTTP API in one OpenAPI 3.1 document, merged from those of the five services."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from certfold.contract.system import Service
from shared.api import LARGEST_BODY_BYTES, PREFIX

Json = dict[str, Any]

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
FRAMEWORKS = frozenset({"HTTPValidationError", "ValidationError"})  # told as problems instead
NO_WORD = re.compile(r"\W")
PARKED = re.compile(rf"{PREFIX}/services/([a-z_]+)(/.+)")
PROBLEM_JSON = "application/problem+json"
PROBLEM: Json = {
    "type": "object",
    "title": "Problem",
    "description": "Why not, RFC 9457: every objection at once.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "objections": {"type": "array", "items": {"$ref": "#/components/schemas/Objection"}},
    },
    "required": ["type", "title", "status", "detail", "objections"],
}
ALWAYS = {
    "401": "no token, or one that is unknown or was revoked",
    "422": "not well-formed; `objections` tell every reason",
    "503": "a service or its store is away; try again, as `Retry-After` says",
}
WITH_BODY = {"413": f"the body holds more than {LARGEST_BODY_BYTES >> 10} KiB"}
ABOUT = """Many prepaid certificate instances become one; it is applied for, verified and issued.

Commands take an `Idempotency-Key`: sent again with the same body, they count once. They answer
202 and where to look, or with `Prefer: wait=<seconds>` (at most 30) the outcome.

Certfold is a broker with an embedded CA for private and test use. It is not a publicly trusted CA.
"""


class ContradictionError(Exception):
    """Two services mean different things by one name."""


def document(services: Sequence[Service]) -> Json:
    """Merge what the services answer; paths are those of the console."""
    paths: Json = {}
    schemas: Json = {"Problem": PROBLEM}
    for service in services:
        described = service.api.openapi()
        for path, item in described["paths"].items():
            _add(paths, *_path(path, item, [one.name for one in services]))
        for name, schema in described["components"]["schemas"].items():
            if name not in FRAMEWORKS:
                _add(schemas, name, schema)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Certfold",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {name: schemas[name] for name in sorted(schemas)},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "a login of .data/endpoints.json, or of `certfold token create`",
                }
            },
        },
    }


def _add(known: Json, name: str, meant: Any) -> None:
    if known.setdefault(name, meant) != meant:
        raise ContradictionError(f"two services mean different things by {name}")


def _path(path: str, item: Json, services: list[str]) -> tuple[str, Json]:
    """Show one path as the console has it: what each service has for itself becomes one."""
    public = PARKED.sub(rf"{PREFIX}/services/{{service}}\2", path)
    shown = {method: _operation(path, method, one) for method, one in item.items()}
    if public != path:
        parameter = {
            "name": "service",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "enum": services},
        }
        shown = {
            method: {**one, "parameters": [parameter, *one.get("parameters", ())]}
            for method, one in shown.items()
        }
    return public, shown


def _operation(path: str, method: str, operation: Json) -> Json:
    suffix = NO_WORD.sub("_", f"{path}_{method}")
    told = {**ALWAYS, **(WITH_BODY if "requestBody" in operation else {})}
    responses = operation["responses"] | {
        status: {"description": text} for status, text in told.items()
    }
    if accepted := responses.get("202"):
        known = {"description": "the outcome, where the command asked to wait for it"}
        responses = {"200": accepted | known, **responses}
    return {
        **operation,
        "operationId": operation["operationId"].removesuffix(suffix),
        "responses": dict(_responses(responses)),
    }


def _responses(responses: Json) -> Iterator[tuple[str, Json]]:
    """Yield answers by their status; each that says no is a problem document."""
    for status in sorted(responses):
        answer = dict(responses[status])
        if status >= "400":
            answer["content"] = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        yield status, answer
