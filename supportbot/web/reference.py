"""The description of the HTTP API as a page, made from its OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any


def describe(schema: Mapping[str, Any]) -> str:
    """Return the body of the page: each operation, then each shape."""
    parts = [
        f"<h1>{escape(schema['info']['title'])}: HTTP API</h1>",
        f"<p>{_prose(schema['info']['description'])}</p>",
        '<p>The same for programs: <a href="/openapi.json">/openapi.json</a>.</p>',
    ]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(f"{method.upper()} {path}", operation))
    parts.append("<h2>Shapes</h2>")
    for name, shape in schema["components"]["schemas"].items():
        if not name.startswith(("HTTPValidation", "ValidationError")):
            parts.append(_shape(name, shape))
    return "".join(parts)


def _operation(name: str, operation: Mapping[str, Any]) -> str:
    summary = escape(operation.get("summary", ""))
    about = _prose(operation.get("description", ""))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    takes = f"<p>Takes {_type(body['schema'])} as JSON.</p>" if body else ""
    gives = "".join(
        f"<li><b>{escape(status)}</b> {escape(response['description'])} {_gives(response)}</li>"
        for status, response in operation.get("responses", {}).items()
    )
    return f"<h2><code>{escape(name)}</code></h2><p>{summary}. {about}</p>{takes}<ul>{gives}</ul>"


def _gives(response: Mapping[str, Any]) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    return _type(schema) if schema else ""


def _shape(name: str, shape: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_type(about)}</td>"
        f"<td>{_prose(about.get('description', ''))}</td></tr>"
        for field, about in shape.get("properties", {}).items()
    )
    table = f"<table><tbody>{rows}</tbody></table>" if rows else f"<p>{_type(shape)}</p>"
    about = _prose(shape.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{about}</p>{table}'


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(json.dumps(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return escape(str(schema.get("type", "")))
