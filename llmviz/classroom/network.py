"""The addresses of this computer in its networks, and a check whether phones can reach them, which often fails."""

from __future__ import annotations

import socket
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from llmviz.page.write import document

# An address in each kind of private network.
PRIVATE = ("192.168.254.254", "10.254.254.254", "172.16.254.254")
PATIENCE = 30.0  # seconds without a phone before the check gives advice
REACHED = (
    "<main><h1>This phone reaches the computer.</h1><p>In this network, it will in the lesson too.</p></main>"
)


def addresses(port: int, local: bool = False) -> list[str]:
    """Return this computer's addresses, beginning with the one that is most likely to work.

    Without a network, and for `local`, that is only the address that this computer itself can use.
    """
    ips = [] if local else [ip for ip in map(_own_ip, PRIVATE) if ip]
    return [f"http://{ip}:{port}" for ip in dict.fromkeys(ips)] or [f"http://127.0.0.1:{port}"]


def _own_ip(network: str) -> str:
    """Return this computer's address in a network, "" without one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((network, 9))
        except OSError:
            return ""
        ip = probe.getsockname()[0]
        return "" if ip.startswith("127.") else ip


def qr_code(text: str) -> str:
    """Return a QR code as SVG, dark on white, which fills its container."""
    import segno

    return segno.make(text, error="m").svg_inline(scale=10, omitsize=True, light="white")


class _Answer(BaseHTTPRequestHandler):
    timeout = 5  # seconds until a silent connection is closed

    def do_GET(self) -> None:
        page = document("llmviz", REACHED, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
        self.server.visitor = self.client_address[0]  # type: ignore[attr-defined]  # of ours

    def log_message(self, *args: object) -> None:
        pass


class _Server(HTTPServer):
    visitor = ""  # the address that asked last
    timeout = PATIENCE


def check(port: int, say: Callable[[str], object] = print) -> None:
    """Show the addresses and a QR code, and wait until a phone opens the page. port: 0 for a free one.

    Raises OSError if the port cannot be used.
    """
    import segno

    with _Server(("", port), _Answer) as server:
        urls = addresses(server.server_port)
        own = {"127.0.0.1", *(urllib.parse.urlsplit(url).hostname for url in urls)}
        if own == {"127.0.0.1"}:
            say(
                "This computer is in no network that phones could share. Connect it first, or open a hotspot."
            )
        say(f"Listening at {' and '.join(urls)}")
        segno.make(urls[0], error="m").terminal(compact=True)
        say("Scan this with a phone that is in the same network. Waiting for it. Ctrl-C ends this.")
        while True:
            server.visitor = ""
            server.handle_request()
            if server.visitor in own:
                say("That was this computer itself. Try with a phone.")
            elif server.visitor:
                say(f"Reached: a device at {server.visitor} has opened the page.")
                return
            else:
                say(
                    "No phone has come yet. Is it in the same network, with mobile data off? A firewall or "
                    "the network itself may block it: docs/teaching.md says what to try."
                )
