"""Help desks, wikis and trackers on loopback: their paging, cursors, logins, limits and errors."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

TOKEN = "tok-3f9c1-secret"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None


@dataclass(frozen=True)
class Answered:
    """What is answered: JSON, or bytes that are none."""

    value: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


UNKNOWN = Answered({"error": "RecordNotFound"}, 404)


class SystemServer:
    """A system at `url` that keeps what it was asked; `faults` are answered first."""

    login = f"Bearer {TOKEN}"

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Answered | None] = deque()  # None: answer as usual
        self.is_down = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, asked: Asked) -> Answered:
        """Answer as the system does."""
        raise NotImplementedError

    def paths(self, part: str = "") -> list[str]:
        """Return the paths that were asked for, those that hold a part."""
        return [asked.path for asked in self.asked if part in asked.path]

    def _respond(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        if self.is_down:
            return Answered({"error": "down"}, 500)
        if self.faults:
            fault = self.faults.popleft()
            if fault is not None:
                return fault
        given = asked.headers.get("authorization", "")
        if given != self.login and not (self.is_public and not given):
            return Answered({"error": "Couldn't authenticate you"}, 401)
        return self.answer(asked)

    is_public = False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        respond = self._respond

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one piece

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                answered = respond(Asked(self.command, parts.path, query, headers, body))
                value = answered.value
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(answered.status)
                self.send_header("Content-Length", str(len(data)))
                for name, text in answered.headers.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler


def busy(seconds: int | None = 1, status: int = 429) -> Answered:
    """Return the answer of a system that wishes to be asked later."""
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Answered({"error": "rate_limited"}, status, headers)


def half(value: str = '{"articles": [{"id": 1, "ti') -> Answered:
    """Return a page that breaks off in the middle."""
    return Answered(value.encode())


def _epoch(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


class ZendeskServer(SystemServer):
    """A help centre: articles by id, each with its translations by locale."""

    login = "Basic " + base64.b64encode(f"agent@example.com/token:{TOKEN}".encode()).decode()
    page_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.articles: dict[int, dict[str, Any]] = {}

    def put(self, id_: int, title: str, body: str, **changes: Any) -> None:
        """Write an article; further languages come as `translations`."""
        before = self.articles.get(id_, {})
        article = {
            "id": id_,
            "locale": "en-us",
            "source_locale": "en-us",
            "draft": False,
            "outdated": False,
            "user_segment_id": None,
            "label_names": [],
            "updated_at": "2025-01-01T00:00:00Z",
            **before,
            "title": title,
            "body": body,
            **changes,
        }
        article["html_url"] = f"{self.url}/hc/{article['locale']}/articles/{id_}-{title}"
        self.articles[id_] = article

    def answer(self, asked: Asked) -> Answered:
        api = "/api/v2/help_center"
        rest = asked.path.removeprefix(api).strip("/").removesuffix(".json").split("/")
        match rest:
            case ["articles"]:
                return self._list(asked, list(self.articles.values()))
            case [locale, "articles"] if locale != "incremental":
                return self._list(asked, [a for a in self.articles.values() if self._in(a, locale)])
            case ["incremental", "articles"]:
                return self._export(asked)
            case [locale, "articles", id_] if int(id_) in self.articles:
                return self._one(int(id_), locale)
        return UNKNOWN

    def _in(self, article: dict[str, Any], locale: str) -> bool:
        return locale == article["locale"]

    def _list(self, asked: Asked, articles: list[dict[str, Any]]) -> Answered:
        if "per_page" in asked.query:
            return Answered({"count": len(articles), "articles": self._told(asked, articles[:1])})
        start = int(asked.query.get("page[after]", 0))
        end = start + self.page_size
        query = {**asked.query, "page[after]": end}
        return Answered(
            {
                "articles": self._told(asked, articles[start:end]),
                "meta": {"has_more": end < len(articles), "after_cursor": str(end)},
                "links": {"next": f"{self.url}{asked.path}?{urlencode(query)}"},
            }
        )

    def _export(self, asked: Asked) -> Answered:
        since = int(asked.query["start_time"])
        changed = [a for a in self.articles.values() if _epoch(a["updated_at"]) >= since]
        return Answered({"articles": self._told(asked, changed[:1_000]), "next_page": None})

    def _one(self, id_: int, locale: str) -> Answered:
        article = self.articles[id_]
        for translation in article.get("translations", []):
            if translation["locale"] == locale:
                return Answered({"article": {**article, **translation, "id": id_}})
        return Answered({"article": article}) if locale == article["locale"] else UNKNOWN

    def _told(self, asked: Asked, articles: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if asked.query.get("include") != "translations":
            return [{k: v for k, v in a.items() if k != "translations"} for a in articles]
        own = ("locale", "title", "body", "html_url", "draft", "outdated", "updated_at")
        return [
            {**a, "translations": [{k: a[k] for k in own}, *a.get("translations", [])]}
            for a in articles
        ]

    def translate(self, id_: int, locale: str, title: str, body: str, **changes: Any) -> None:
        """Add a translation."""
        self.articles[id_].setdefault("translations", []).append(
            {
                "locale": locale,
                "title": title,
                "body": body,
                "draft": False,
                "outdated": False,
                "updated_at": "2025-01-01T00:00:00Z",
                "html_url": f"{self.url}/hc/{locale}/articles/{id_}-{title}",
                **changes,
            }
        )


class IntercomServer(SystemServer):
    """A workspace: its articles, the latest change first, and its collections."""

    page_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.articles: dict[int, dict[str, Any]] = {}
        self.collections = {7: "Billing"}
        self.miscounted = 0

    def put(self, id_: int, title: str, body: str, **changes: Any) -> None:
        """Write an article."""
        self.articles[id_] = {
            "type": "article",
            "id": str(id_),
            "state": "published",
            "default_locale": "en",
            "updated_at": 1_700_000_000,
            "parent_ids": [7],
            "url": f"{self.url}/acme/en/articles/{id_}-{title.lower()}",
            **self.articles.get(id_, {}),
            "title": title,
            "body": body,
            **changes,
        }

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("intercom-version") is None:
            return Answered({"errors": [{"code": "intercom_version_invalid"}]}, 400)
        match asked.path.strip("/").split("/"):
            case ["articles"]:
                articles = sorted(self.articles.values(), key=lambda a: -a["updated_at"])
                return self._list(asked, articles)
            case ["articles", id_] if int(id_) in self.articles:
                return Answered(self.articles[int(id_)])
            case ["help_center", "collections"]:
                rows = [{"id": str(id_), "name": name} for id_, name in self.collections.items()]
                return self._list(asked, rows)
        return UNKNOWN

    def _list(self, asked: Asked, rows: list[dict[str, Any]]) -> Answered:
        number = int(asked.query.get("page", 1))
        pages = max(1, -(-len(rows) // self.page_size))
        start = (number - 1) * self.page_size
        following = f"{self.url}{asked.path}?{urlencode({**asked.query, 'page': number + 1})}"
        return Answered(
            {
                "type": "list",
                "data": rows[start : start + self.page_size],
                "total_count": len(rows) + self.miscounted,
                "pages": {
                    "type": "pages",
                    "page": number,
                    "total_pages": pages,
                    "next": following if number < pages else None,
                },
            }
        )


class FeedServer(SystemServer):
    """A feed of items, on pages."""

    page_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, dict[str, Any]] = {}

    def put(self, id_: str, title: str, body: str, **changes: Any) -> None:
        """Write an item."""
        before = self.items.get(id_, {})
        changes = {"content_html": body, **changes}
        self.items[id_] = {**before, "id": id_, "title": title, **changes}

    def answer(self, asked: Asked) -> Answered:
        if asked.path != "/feed.json":
            return UNKNOWN
        items = list(self.items.values())
        start = int(asked.query.get("from", 0))
        end = start + self.page_size
        feed: dict[str, Any] = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "Help",
            "language": "en",
            "items": items[start:end],
        }
        if end < len(items):
            feed["next_url"] = f"{self.url}/feed.json?from={end}"
        return Answered(feed)


def _uuid(id_: str) -> str:
    return f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}"


def text(content: str, href: str | None = None, **marks: bool) -> dict[str, Any]:
    """Return a run of rich text."""
    return {"type": "text", "plain_text": content, "href": href, "annotations": marks}


def block(kind: str, content: str = "", *children: dict[str, Any], **told: Any) -> dict[str, Any]:
    """Return a block with those in it under `children`."""
    return {
        "object": "block",
        "type": kind,
        "has_children": bool(children),
        kind: {"rich_text": [text(content)] if content else [], **told},
        "children": children,
    }


class NotionServer(SystemServer):
    """A workspace: what is shared with the integration, and the blocks of its pages."""

    page_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, Any]] = {}
        self.blocks: dict[str, list[dict[str, Any]]] = {}  # by what holds them
        self.block_parents: dict[str, dict[str, Any]] = {}
        self._last_block = 0

    def put(self, id_: str, title: str, *blocks: dict[str, Any], **changes: Any) -> None:
        """Write a page; its id is 32 hex digits."""
        self.found[id_] = {
            "object": "page",
            "id": _uuid(id_),
            "last_edited_time": "2025-01-01T00:00:00.000Z",
            "parent": {"type": "workspace", "workspace": True},
            "url": f"https://www.notion.so/{title}-{id_}",
            "public_url": None,
            "archived": False,
            "in_trash": False,
            "properties": {"Name": {"id": "title", "type": "title", "title": [text(title)]}},
            **changes,
        }
        self.found[id_]["properties"].setdefault("Name", {"type": "title", "title": [text(title)]})
        self._hold(id_, blocks)

    def put_database(self, id_: str, **changes: Any) -> None:
        """Write a database, whose properties have another form than those of a page."""
        self.found[id_] = {
            "object": "database",
            "id": _uuid(id_),
            "last_edited_time": "2025-01-01T00:00:00.000Z",
            "parent": {"type": "workspace", "workspace": True},
            "properties": {"Name": {"type": "title", "title": {}}, "Tags": {"multi_select": {}}},
            **changes,
        }

    def _hold(self, id_: str, blocks: tuple[dict[str, Any], ...]) -> None:
        self.blocks[id_] = []
        for each in blocks:
            self._last_block += 1
            own = f"b{self._last_block:031x}"
            self.blocks[id_].append({**each, "id": _uuid(own), "children": None})
            self._hold(own, each["children"])

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("notion-version") is None:
            return Answered({"code": "missing_version"}, 400)
        match asked.path.replace("-", "").strip("/").split("/"):
            case ["v1", "search"] if asked.method == "POST":
                rows = sorted(self.found.values(), key=lambda page: str(page["last_edited_time"]))
                return self._list(rows, asked.body.get("start_cursor"))
            case ["v1", "pages", id_] if id_ in self.found:
                return Answered(self.found[id_])
            case ["v1", "blocks", id_, "children"] if id_ in self.blocks:
                return self._list(self.blocks[id_], asked.query.get("start_cursor"))
            case ["v1", "blocks", id_] if id_ in self.block_parents:
                return Answered({"id": _uuid(id_), "parent": self.block_parents[id_]})
        return Answered({"object": "error", "code": "object_not_found"}, 404)

    def _list(self, rows: list[dict[str, Any]], cursor: str | None) -> Answered:
        start = int(cursor or 0)
        end = start + self.page_size
        has_more = end < len(rows)
        found = {"results": rows[start:end], "has_more": has_more}
        return Answered({**found, "next_cursor": str(end) if has_more else None})


class ConfluenceServer(SystemServer):
    """A site with one space: pages, folders, and who may read them."""

    login = "Basic " + base64.b64encode(f"bot@example.com:{TOKEN}".encode()).decode()
    page_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.readers: dict[str, list[str]] = {}  # of a page or folder, where they are few
        self.labels: dict[str, list[str]] = {}
        self.unsearched: set[str] = set()  # what the search's index has not got yet

    def put(self, id_: str, title: str, body: str, **changes: Any) -> None:
        """Write a page."""
        before = self.pages.get(id_)
        number = before["version"]["number"] + 1 if before else 1
        self.pages[id_] = {
            "id": id_,
            "status": "current",
            "spaceId": "98",
            "parentId": None,
            "parentType": None,
            **(before or {}),
            "title": title,
            "version": {"number": number, "createdAt": f"2025-01-{number:02}T00:00:00.000Z"},
            "body": {"storage": {"representation": "storage", "value": body}},
            "_links": {"webui": f"/spaces/HELP/pages/{id_}/{title.replace(' ', '+')}"},
            **changes,
        }

    def answer(self, asked: Asked) -> Answered:
        match asked.path.strip("/").split("/"):
            case ["wiki", "api", "v2", "spaces"]:
                is_own = asked.query["keys"] == "HELP"
                return Answered({"results": [{"id": "98", "key": "HELP"}] if is_own else []})
            case ["wiki", "api", "v2", "pages"]:
                return self._list(asked)
            case ["wiki", "api", "v2", "pages", id_] if id_ in self.pages:
                return Answered(self.pages[id_])
            case ["wiki", "api", "v2", "folders", id_] if id_ in self.folders:
                return Answered(self.folders[id_])
            case ["wiki", "rest", "api", "content", "search"]:
                return self._search(asked)
            case ["wiki", "rest", "api", "content", id_, "restriction", "byOperation", "read"]:
                known = id_ in self.pages or id_ in self.folders
                return Answered(self._read(id_)) if known else UNKNOWN
        return UNKNOWN

    def _list(self, asked: Asked) -> Answered:
        rows = [{**page, "body": {}} for page in self.pages.values()]
        start = int(asked.query.get("cursor", 0))
        end = start + self.page_size
        following = f"/wiki/api/v2/pages?{urlencode({**asked.query, 'cursor': end})}"
        links = {"next": following} if end < len(rows) else {}
        return Answered({"results": rows[start:end], "_links": {**links, "base": self.url}})

    def _search(self, asked: Asked) -> Answered:
        rows = [
            {
                "id": id_,
                "type": "page",
                "restrictions": {"read": self._read(id_)},
                "metadata": {
                    "labels": {"results": [{"name": n} for n in self.labels.get(id_, [])]}
                },
            }
            for id_ in self.pages
            if id_ not in self.unsearched
        ]
        start = int(asked.query.get("cursor", 0))
        end = start + self.page_size
        following = f"/rest/api/content/search?{urlencode({**asked.query, 'cursor': end})}"
        links = {"next": following} if end < len(rows) else {}
        return Answered({"results": rows[start:end], "_links": {**links, "context": "/wiki"}})

    def _read(self, id_: str) -> dict[str, Any]:
        users = [{"type": "known", "accountId": name} for name in self.readers.get(id_, [])]
        subjects = {"user": {"results": users}, "group": {"results": []}}
        return {"operation": "read", "restrictions": subjects}


class GitHubServer(SystemServer):
    """An Enterprise Server with one repository: its issues and its discussions."""

    page_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: list[dict[str, Any]] = []
        self.discussions: dict[int, dict[str, Any]] = {}
        self.is_private = False
        self.graph_errors: list[dict[str, str]] = []

    def put(self, number: int, title: str, body: str, **changes: Any) -> None:
        """Write an issue."""
        self.issues[number] = {
            "number": number,
            "state": "open",
            "author_association": "NONE",
            "updated_at": "2025-01-01T00:00:00Z",
            "labels": [],
            "html_url": f"{self.url}/acme/app/issues/{number}",
            **self.issues.get(number, {}),
            "title": title,
            "body": body,
            **changes,
        }

    def comment(
        self, number: int, body: str, by: str, moment: str = "2025-01-01T00:00:00Z"
    ) -> None:
        """Comment on an issue."""
        kind = "pull" if "pull_request" in self.issues[number] else "issues"
        self.comments.append(
            {
                "issue_url": f"{self.url}/api/v3/repos/acme/app/issues/{number}",
                "html_url": f"{self.url}/acme/app/{kind}/{number}#issuecomment-1",
                "author_association": by,
                "body": body,
                "updated_at": moment,
            }
        )

    def discuss(self, number: int, title: str, body: str, **changes: Any) -> None:
        """Write a discussion."""
        self.discussions[number] = {
            "number": number,
            "url": f"{self.url}/acme/app/discussions/{number}",
            "updatedAt": "2025-01-01T00:00:00Z",
            "authorAssociation": "NONE",
            "category": {"name": "Q&A"},
            "labels": {"nodes": []},
            "answer": None,
            "comments": {"nodes": []},
            **self.discussions.get(number, {}),
            "title": title,
            "body": body,
            **changes,
        }

    def answer(self, asked: Asked) -> Answered:
        if asked.path == "/api/graphql":
            return self._graph(asked) if asked.headers.get("authorization") else Answered({}, 401)
        match asked.path.strip("/").split("/")[2:]:
            case ["repos", "acme", "app"]:
                return Answered({"private": self.is_private})
            case ["repos", "acme", "app", "issues"]:
                return self._list(asked, [self._told(n) for n in self.issues])
            case ["repos", "acme", "app", "issues", "comments"]:
                return self._list(asked, self.comments)
            case ["repos", "acme", "app", "issues", number] if int(number) in self.issues:
                return Answered(self._told(int(number)))
            case ["repos", "acme", "app", "issues", number, "comments"]:
                return self._list(asked, self._comments(int(number)))
        return Answered({"message": "Not Found"}, 404)

    def _comments(self, number: int) -> list[dict[str, Any]]:
        return [c for c in self.comments if c["issue_url"].endswith(f"/{number}")]

    def _told(self, number: int) -> dict[str, Any]:
        return {**self.issues[number], "comments": len(self._comments(number))}

    def _list(self, asked: Asked, rows: list[dict[str, Any]]) -> Answered:
        since = asked.query.get("since")
        if since:
            rows = [row for row in rows if _epoch(row["updated_at"]) >= _epoch(since)]
        number = int(asked.query.get("page", 1))
        end = number * self.page_size
        url = f"{self.url}{asked.path}?"
        links = [f'<{url}{urlencode({**asked.query, "page": 1})}>; rel="first"']
        if end < len(rows):
            links.insert(0, f'<{url}{urlencode({**asked.query, "page": number + 1})}>; rel="next"')
        return Answered(rows[end - self.page_size : end], headers={"Link": ", ".join(links)})

    def _graph(self, asked: Asked) -> Answered:
        if self.graph_errors:
            return Answered({"data": None, "errors": self.graph_errors})
        variables = asked.body["variables"]
        told: dict[str, Any] = {"isPrivate": self.is_private}
        if "discussion(number" in asked.body["query"]:
            told["discussion"] = self.discussions.get(variables["number"])
        elif "discussions(" in asked.body["query"]:
            told["discussions"] = self._discussions(variables)
        else:
            real = [issue for issue in self.issues.values() if "pull_request" not in issue]
            told["issues"] = {"totalCount": len(real)}
        return Answered({"data": {"repository": told}})

    def _discussions(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        rows = list(self.discussions.values())
        if variables["order"]["field"] == "UPDATED_AT":
            rows.sort(key=lambda row: str(row["updatedAt"]), reverse=True)
        start = int(variables["after"] or 0)
        end = start + self.page_size
        return {
            "totalCount": len(rows),
            "pageInfo": {"hasNextPage": end < len(rows), "endCursor": str(end)},
            "nodes": rows[start:end],
        }


def post(body: str, by: str = "NONE", **changes: Any) -> dict[str, Any]:
    """Return a comment of a discussion."""
    return {"body": body, "authorAssociation": by, "isMinimized": False, **changes}
