"""`supportbot serve`: HTTP, widget and Slack in one process, which ends when its work is done."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn

from knowledge.errors import SettingsError
from supportbot.bootstrap import Services, build_services
from supportbot.config import BotSettings
from supportbot.pricing import keep_fresh
from supportbot.slack.app import SlackDoor, create_slack
from supportbot.syncing import Syncs, syncing
from supportbot.web.app import create_app

log = logging.getLogger(__name__)

BACKLOG = 2048
MAX_HEADER_BYTES = 32 * 1024
KEEP_ALIVE_SECONDS = 10
DRAIN_MARGIN_SECONDS = 3.0


class Server(uvicorn.Server):
    """Uvicorn that leaves the signals to us, so that Slack's answers are finished too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(settings: BotSettings, host: str, port: int) -> int:
    """Run until SIGTERM or SIGINT, finish the answers under way, and return the exit code.

    Sources with a schedule are watched meanwhile.

    Raises:
        SettingsError: the address cannot be used, or is not a loopback address although no widget
            key is configured.
    """
    _refuse_open_door(settings, host)
    if settings.slack_gap:
        raise SettingsError(f"Slack is configured by half: {settings.slack_gap}")
    with _bind(host, port) as listener:
        async with build_services(settings) as services, syncing(settings) as syncs:
            warming = asyncio.create_task(services.warm())
            pricing = asyncio.create_task(keep_fresh(settings, services.prices))
            slack = create_slack(services) if settings.uses_slack else None
            server = Server(_config(services, slack, syncs))
            code = await _run(server, listener, slack, settings.deadline_seconds)
            await warming
            pricing.cancel()
            return code


async def _run(
    server: Server, listener: socket.socket, slack: SlackDoor | None, deadline_seconds: float
) -> int:
    """Serve until a signal; then HTTP and Slack finish their answers side by side."""
    stopping = _stop_event()
    if slack is not None:
        await slack.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    server.should_exit = True
    if slack is not None:
        await slack.stop(deadline_seconds + DRAIN_MARGIN_SECONDS)
    await serving
    return 0 if stopping.is_set() else 1


def _config(services: Services, slack: SlackDoor | None, syncs: Syncs) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(services, slack=slack.asgi if slack else None, syncs=syncs),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(services.settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in services.settings.trusted_proxies],
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(services.settings.deadline_seconds + DRAIN_MARGIN_SECONDS),
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        http="h11",
        ws="none",
    )


def _refuse_open_door(settings: BotSettings, host: str) -> None:
    if settings.widgets or _is_loopback(host):
        return
    raise SettingsError(
        f"--host {host}: without a widget key the server listens on this machine only; "
        "add [[widgets]] with a key and its origins to supportbot.toml, or use --host 127.0.0.1"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"--host {host} --port {port}: cannot listen there ({error.strerror or error}); "
            "stop the program that uses the port, or choose another"
        ) from None
    bound_host, bound_port = listener.getsockname()[:2]
    print(f"supportbot: listening on http://{bound_host}:{bound_port}", file=sys.stderr)
    return listener


def _stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        log.info("stopping: answers under way are finished first")
        stopping.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    return stopping
