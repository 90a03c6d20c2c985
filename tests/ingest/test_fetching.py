from __future__ import annotations

import gzip
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from ingest import fetching
from ingest.addresses import WebAddress
from ingest.config import SourceSettings
from ingest.errors import FetchFailed, FetchRefused
from ingest.fetching import Fetcher, FetchRules
from ingest.networks import Address
from ingest.retrying import Patience, get_ok, retried
from tests.servers import site as sites
from tests.servers.site import LOOPBACK, Page, Site, redirect

_seen: list[object] = []
_watching = threading.Event()


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching.is_set():
        _seen.append(args[1])


sys.addaudithook(_note)


@contextmanager
def watched() -> Iterator[list[object]]:
    """Give all addresses that this process connects to meanwhile."""
    _seen.clear()
    _watching.set()
    try:
        yield _seen
    finally:
        _watching.clear()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        site.pages["/"] = Page("<h1>Help</h1>")
        yield site


def rules(*open_sites: Site, **more: Any) -> FetchRules:
    ports = frozenset({80, 443, *(site.port for site in open_sites)})
    return FetchRules(allow_private=LOOPBACK, ports=ports, **more)


TARGETS = [
    *("127.0.0.1", "127.0.0.53", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "192.0.0.192", "224.0.0.1", "255.255.255.255", "198.18.0.1"),
    *("100.100.100.200", "168.63.129.16", "240.0.0.1"),
]
_WIDE = str.maketrans("0123456789", "0123456789")
_CIRCLED = str.maketrans("123456789", "①②③④⑤⑥⑦⑧⑨")


def forms(target: str) -> list[str]:
    """Return the many ways to write an IPv4 address as a host."""
    packed = IPv4Address(target).packed
    a, b, c, d = packed
    number = int.from_bytes(packed, "big")
    high, low = packed[:2].hex(), packed[2:].hex()
    hidden = bytes(byte ^ 0xFF for byte in packed)
    return [
        *(target, f"{target}.", str(number), hex(number), f"0{number:o}", f"{number}."),
        *(f"{a}.{(b << 16) + (c << 8) + d}", f"{a}.{b}.{(c << 8) + d}", f"{hex(a)}.{b}.{c}.{d}"),
        *(f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:03d}.{b:03d}.{c:03d}.{d:03d}"),
        *(".".join(map(hex, packed)), ".".join(f"0x{byte:08x}" for byte in packed)),
        *(target.translate(_WIDE), target.replace(".", "。"), target.replace(".", ".")),
        *(target.replace(".", "。"), target.translate(_CIRCLED), f"{target}%00", f"%3{target}"),
        *(f"[::ffff:{target}]", f"[::ffff:{high}:{low}]", f"[::{target}]", f"[64:ff9b::{target}]"),
        *(f"[64:ff9b:1::{target}]", f"[2002:{high}:{low}::1]", f"[::ffff:0:{target}]"),
        f"[2001:0:102:304::{hidden[:2].hex()}:{hidden[2:].hex()}]",
        *(f"user@{target}", f"example.com@{target}", f"{target}\\@example.com", f"\t{target}"),
        *(f"{target}#@example.com", f"{target}?@example.com", f"example.com\\@{target}"),
    ]


FORMS = sorted({form for target in TARGETS for form in forms(target)})
V6 = "::1 :: 0:0:0:0:0:0:0:1 fe80::1 fe80::1%25eth0 fec0::1 fd00:ec2::254 fc00::1 2001:db8::1"


def test_the_table_of_forms_is_long() -> None:
    assert len(FORMS) > 400


@pytest.mark.parametrize("host", [*FORMS, *(f"[{address}]" for address in V6.split())])
def test_no_form_of_an_address_reaches_what_is_not_public(host: str) -> None:
    with Fetcher(FetchRules(seconds=2)) as fetcher, watched() as connections:
        for scheme in ("http", "https"):
            with pytest.raises(FetchRefused):
                fetcher.get(f"{scheme}://{host}/")
    assert connections == []


@pytest.mark.parametrize("target", [*TARGETS, *(each for each in V6.split() if "%" not in each)])
def test_no_name_reaches_what_is_not_public(target: str) -> None:
    answers = [ip_address("93.184.216.34"), ip_address(target)]
    with (
        Fetcher(resolver=lambda _: answers) as fetcher,
        watched() as connections,
        pytest.raises(FetchRefused, match="no public address"),
    ):
        fetcher.get("http://help.example.com/")
    assert connections == []


def test_a_connection_goes_to_the_address_that_was_checked() -> None:
    with Site("127.0.0.2") as checked, Site("127.0.0.1") as other:
        checked.pages["/"] = Page("right")
        hosts = [f"h{number}.example.com" for number in range(20)]
        calls: list[str] = []

        def rebinding(host: str) -> list[Address]:
            calls.append(host)
            return [ip_address("127.0.0.2" if calls.count(host) == 1 else "127.0.0.1")]

        only = FetchRules(
            allow_private=(ip_network("127.0.0.2/32"),), ports=frozenset({checked.port})
        )
        with Fetcher(only, resolver=rebinding) as fetcher, watched() as connections:
            for host in hosts:
                assert fetcher.get(f"http://{host}:{checked.port}/").body == b"right"
        assert calls == hosts
        assert connections == [("127.0.0.2", checked.port)] * 20
        assert other.requests == []
        assert checked.requests[3].headers["host"] == f"h3.example.com:{checked.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        *("http://169.254.169.254/latest", "http://[::ffff:7f00:9]/", "http://2130706433/", "//0/"),
        *("file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.com/", "data:text/html,x"),
        *("http://127.0.0.1:6379/", "http://127.0.0.1:22/", "http://a:b@example.com/", "unix:/run"),
    ],
)
def test_a_redirect_leads_nowhere_that_may_not_be_fetched(
    site: Site, status: int, target: str
) -> None:
    site.pages["/"] = redirect(target, status)
    own = FetchRules(
        allow_private=(ip_network("127.0.0.1/32"),), ports=frozenset({80, 443, site.port})
    )
    with (
        Fetcher(own, resolver=_fixed) as fetcher,
        watched() as connections,
        pytest.raises(FetchRefused),
    ):
        fetcher.get(site.url)
    assert connections == [("127.0.0.1", site.port)]


def _fixed(host: str) -> list[Address]:
    return [IPv6Address(host) if ":" in host else IPv4Address(host)]


def test_a_redirect_is_followed_five_times_and_no_more(site: Site) -> None:
    site.pages |= {f"/{n}": redirect(f"/{n + 1}") for n in range(9)} | {"/5": Page("there")}
    with Fetcher(rules(site)) as fetcher:
        response = fetcher.get(site.url + "0")
        assert (response.body, response.url, response.hops) == (b"there", site.url + "5", 5)
        site.pages["/5"] = redirect("/6")
        with pytest.raises(FetchFailed, match="more than 5 times"):
            fetcher.get(site.url + "0")
        site.pages["/"] = redirect("/")
        with pytest.raises(FetchFailed, match="more than 5 times"):
            fetcher.get(site.url)


def test_logins_and_cookies_stay_with_their_own_site(site: Site) -> None:
    with Site() as other:
        other.pages["/"] = Page("there")
        site.pages |= {"/": redirect("/own"), "/own": redirect(other.url)}
        secret = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "k", "Accept": "*/*"}
        with Fetcher(rules(site, other)) as fetcher:
            assert fetcher.get(site.url, secret).body == b"there"
        assert site.requests[1].headers["authorization"] == "Bearer x"
        assert other.requests[0].headers.keys() & {"authorization", "cookie", "x-api-key"} == set()
        assert other.requests[0].headers["accept"] == "*/*"


def test_only_the_hosts_of_the_allow_list_are_fetched(site: Site) -> None:
    settings = SourceSettings.model_validate(
        {"url": site.url, "allow_private": ["127.0.0.1/32"], "allow_hosts": ["Docs.example.com"]}
    )
    own = FetchRules.of(settings, site.url)
    assert own.allow_hosts == {"127.0.0.1", "www.127.0.0.1", "docs.example.com"}
    site.pages["/away"] = redirect("http://evil.example.com/")
    with Fetcher(own) as fetcher, watched() as connections:
        assert fetcher.get(site.url).status == 200
        with pytest.raises(FetchRefused, match="allow_hosts"):
            fetcher.get(site.url + "away")
    assert {host for host, _ in connections} == {"127.0.0.1"}  # type: ignore[misc]


@pytest.mark.parametrize("port", [22, 25, 6379, 8080])
def test_only_the_usual_ports_and_the_source_s_own_are_fetched(port: int) -> None:
    with watched() as connections:
        with Fetcher(rules()) as fetcher, pytest.raises(FetchRefused, match=f"port {port}"):
            fetcher.get(f"http://127.0.0.1:{port}/")
        settings = SourceSettings.model_validate({"url": f"http://127.0.0.1:{port}/"})
        own = FetchRules.of(settings, settings.place)
        if port != 8080:
            with Fetcher(own) as fetcher, pytest.raises(FetchRefused, match=f"port {port}"):
                fetcher.get(settings.place)
        else:
            assert port in own.ports
    assert connections == []


def test_proxies_of_the_environment_are_not_used(site: Site, tmp_path: Path) -> None:
    with Site() as proxy:
        program = (
            "from tests.ingest.test_fetching import *\n"
            f"own = FetchRules(allow_private=LOOPBACK, ports=frozenset({{{site.port}}}))\n"
            f"print(Fetcher(own).get({site.url!r}).status)"
        )
        names = ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env=dict.fromkeys(names, proxy.url) | {"PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.stdout.strip() == "200", ran.stderr
        assert proxy.requests == []


@pytest.mark.parametrize(
    "script", [sites.drip, sites.drip_headers, sites.silence], ids=lambda script: script.__name__
)
def test_the_time_for_the_whole_request_is_limited(
    site: Site, script: Callable[[sites.Handler], None]
) -> None:
    site.pages["/"] = script
    began = time.monotonic()
    with Fetcher(rules(site, seconds=0.5)) as fetcher, pytest.raises(FetchFailed) as caught:
        fetcher.get(site.url)
    assert caught.value.is_transient
    assert time.monotonic() - began < 2


def test_a_name_server_that_hangs_is_not_waited_for() -> None:
    def hanging(host: str) -> list[Address]:
        time.sleep(2)
        return []

    began = time.monotonic()
    with (
        Fetcher(FetchRules(seconds=0.3), resolver=hanging) as fetcher,
        pytest.raises(FetchFailed) as caught,
    ):
        fetcher.get("http://help.example.com/")
    assert caught.value.is_transient
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("script", "reason", "is_transient"),
    [
        (sites.endless, "larger than 20 MB", False),
        (sites.lie_of_size, "larger than 20 MB", False),
        (sites.bomb, "100 times", False),
        (sites.cut, "no whole answer", True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_body_without_measure_is_refused(
    site: Site, script: Callable[[sites.Handler], None], reason: str, is_transient: bool
) -> None:
    site.pages["/"] = script
    with Fetcher(rules(site)) as fetcher, pytest.raises(FetchFailed, match=reason) as caught:
        fetcher.get(site.url)
    assert caught.value.is_transient == is_transient


def test_what_is_packed_is_unpacked_and_must_be_whole(site: Site) -> None:
    text = "".join(f"line {number}\n" for number in range(200_000)).encode()
    packed = gzip.compress(text[:1000]) + gzip.compress(text[1000:])
    told = {"Content-Encoding": "gzip"}
    site.pages |= {
        "/whole": Page(packed, headers=told),
        "/cut": Page(packed[:-9], headers=told),
        "/broken": Page(b"no gzip", headers=told),
        "/other": Page(b"\x8b\x02", headers={"Content-Encoding": "br"}),
    }
    with Fetcher(rules(site)) as fetcher:
        assert fetcher.get(site.url + "whole").body == text
        for path, reason in {"cut": "middle", "broken": "no gzip", "other": "not asked"}.items():
            with pytest.raises(FetchFailed, match=reason):
                fetcher.get(site.url + path)
    small = rules(site, max_bytes=1_000_000)
    with Fetcher(small) as fetcher, pytest.raises(FetchFailed, match="larger than"):
        fetcher.get(site.url + "whole")


def test_a_site_that_is_down_is_a_passing_failure() -> None:
    with Site() as site:
        own = rules(site)
    with Fetcher(own) as fetcher, pytest.raises(FetchFailed) as caught:
        fetcher.get(site.url)
    assert caught.value.is_transient


def test_any_status_is_an_answer_and_connections_are_kept(site: Site) -> None:
    with Fetcher(rules(site)) as fetcher, watched() as connections:
        first = fetcher.get(site.url)
        again = fetcher.get(site.url, {"If-None-Match": first.headers["etag"]})
        assert [first.status, again.status, fetcher.get(site.url + "no").status] == [200, 304, 404]
    assert len(connections) == 1


def test_a_json_value_is_posted(site: Site) -> None:
    site.pages["/search"] = Page('{"results": []}', kind="application/json")
    with Fetcher(rules(site)) as fetcher:
        answer = fetcher.post(site.url + "search", {"query": "é"}, {"Authorization": "Bearer x"})
    assert answer.body == b'{"results": []}'
    sent = site.requests[0]
    assert (sent.method, sent.body) == ("POST", '{"query": "é"}'.encode())
    assert sent.headers["content-type"] == "application/json"


def test_a_certificate_must_be_of_the_host_that_was_asked(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=help.example.com"),
            *("-addext", "subjectAltName=DNS:help.example.com"),
        ],
        check=True,
        capture_output=True,
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    trust = ssl.create_default_context(cafile=certificate)
    with Site(tls=server) as site:
        site.pages |= {"/": Page("safe"), "/down": redirect("http://help.example.com/")}
        home = lambda _: [ip_address("127.0.0.1")]  # noqa: E731
        with Fetcher(rules(site), resolver=home, tls=trust) as fetcher:
            assert fetcher.get(f"https://help.example.com:{site.port}/").body == b"safe"
            with pytest.raises(FetchFailed, match="certificate"):
                fetcher.get(f"https://other.example.com:{site.port}/")
            with pytest.raises(FetchRefused, match="https to http"):
                fetcher.get(f"https://help.example.com:{site.port}/down")
        distrusting = Fetcher(rules(site), resolver=home)
        with distrusting, pytest.raises(FetchFailed, match="certificate") as caught:
            distrusting.get(f"https://help.example.com:{site.port}/")
        assert not caught.value.is_transient


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("HTTP://Help.Example.COM:80", "http://help.example.com/"),
        ("https://example.com/a/../b/./c#part", "https://example.com/b/c"),
        ("https://example.com/%7eann/%c3%a9?q=%2f", "https://example.com/~ann/%C3%A9?q=%2F"),
        ("https://example.com/é?q=ü", "https://example.com/%C3%A9?q=%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://example.com./x", "https://example.com/x"),
        ("http://[2606:4700:0:0::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("https://example.com/100%", "https://example.com/100%25"),
    ],
)
def test_an_address_has_one_plain_form(text: str, plain: str) -> None:
    assert WebAddress.of(text).url == plain
    assert WebAddress.of(plain).url == plain


class Times:
    """A clock that moves only by sleeping, and records it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    def patience(self, seconds: float = 60) -> Patience:
        return Patience(seconds, self, lambda: sum(self.slept))


def busy(times: int, status: int = 503, **headers: str) -> Callable[[sites.Handler], None]:
    left = [times]

    def answer(handler: sites.Handler) -> None:
        left[0] -= 1
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.show(Page("busy", status=status, headers=named) if left[0] >= 0 else Page("done"))

    return answer


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_system_is_asked_again_with_longer_pauses(site: Site, status: int) -> None:
    site.pages["/"] = busy(3, status)
    times = Times()
    with Fetcher(rules(site)) as fetcher:
        assert get_ok(fetcher, site.url, patience=times.patience()).body == b"done"
    assert times.slept == [1, 2, 4]


def test_it_is_asked_again_when_it_wishes(site: Site) -> None:
    site.pages["/"] = busy(2, 429, Retry_After="7")
    times = Times()
    with Fetcher(rules(site)) as fetcher:
        assert get_ok(fetcher, site.url, patience=times.patience()).status == 200
    assert times.slept == [7, 7]


def test_a_wish_beyond_all_patience_ends_in_a_passing_failure(site: Site) -> None:
    site.pages["/"] = busy(9, 429, Retry_After="3600")
    times = Times()
    with Fetcher(rules(site)) as fetcher, pytest.raises(FetchFailed) as caught:
        get_ok(fetcher, site.url, patience=times.patience())
    failure = caught.value
    assert (failure.status, failure.retry_after, failure.is_transient) == (429, 3600, True)
    assert times.slept == []


def test_patience_ends(site: Site) -> None:
    site.pages["/"] = busy(99)
    times = Times()
    with Fetcher(rules(site)) as fetcher, pytest.raises(FetchFailed, match="503"):
        get_ok(fetcher, site.url, patience=times.patience())
    assert sum(times.slept) <= 60


def test_what_is_wrong_is_not_asked_again(site: Site) -> None:
    times = Times()
    with Fetcher(rules(site)) as fetcher:
        with pytest.raises(FetchFailed) as caught:
            get_ok(fetcher, site.url + "no", patience=times.patience())
        assert (caught.value.status, caught.value.is_transient) == (404, False)
        assert retried(lambda: fetcher.get(site.url + "no"), times.patience()).status == 404
        with pytest.raises(FetchRefused):
            get_ok(fetcher, "ftp://example.com", patience=times.patience())
    assert times.slept == []


def test_a_lost_connection_is_asked_again() -> None:
    with Site() as site:
        own = rules(site)
    times = Times()
    with Fetcher(own) as fetcher, pytest.raises(FetchFailed):
        get_ok(fetcher, site.url, patience=times.patience(5))
    assert times.slept == [1, 2]


def test_a_host_at_which_nobody_answers_is_not_asked_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Site() as site:
        own = rules(site)
    times = Times()
    with Fetcher(own) as fetcher, pytest.raises(FetchFailed):
        get_ok(fetcher, site.url, patience=times.patience(120))
    assert times.slept == [1, 2, 4, 8]
    assert [record.getMessage().rpartition("; ")[2] for record in caplog.records] == [
        "it is asked again in 4 s",
        "it is asked again in 8 s",
    ]


def test_the_system_s_resolver_gives_addresses() -> None:
    assert ip_address("127.0.0.1") in fetching.resolve("127.0.0.1")


def test_a_gzip_file_of_a_hundred_thousand_empty_members_is_read_at_once() -> None:
    packed = gzip.compress(b"") * 100_000 + gzip.compress(b"x")
    began = time.process_time()
    assert fetching.unpacked([packed], 1000) == b"x"
    assert time.process_time() - began < 2
