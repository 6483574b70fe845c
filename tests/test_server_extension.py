"""What a Jupyter server does that `llmviz` has started: it sends a kernel's messages at once."""

import asyncio
import json
from pathlib import Path

from jupyter_server.extension.utils import validate_extension
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.handlers import default_handlers
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from jupyter_server.utils import url_path_join
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from llmviz import server_extension

ROOT = Path(__file__).parent.parent


class Connection:
    context = None


def handler_at(server: ServerApp, path: str):
    """What the server would do with a request for `path`."""
    line = RequestStartLine("GET", url_path_join(server.base_url, path), "HTTP/1.1")
    headers = HTTPHeaders({"Host": "localhost"})
    return server.web_app.find_handler(
        HTTPServerRequest(start_line=line, headers=headers, connection=Connection())
    )


def test_the_setting_names_an_extension_that_a_server_can_load():
    settings = json.loads((ROOT / "llmviz/jupyter/jupyter_server_config.d/llmviz.json").read_text("utf-8"))
    assert settings == {"ServerApp": {"jpserver_extensions": {server_extension.__name__: True}}}
    assert validate_extension(server_extension.__name__)


def test_only_a_kernels_websocket_gets_another_handler():
    name = "12345678-1234-1234-1234-123456789abc"
    kernel = f"/api/kernels/{name}"
    paths = ["/api/kernels", kernel, f"{kernel}/interrupt", f"{kernel}/channels"]
    server = ServerApp(base_url="/user/somebody/")
    server.web_app = Application(
        [(url_path_join(server.base_url, at), handler) for at, handler in default_handlers]
    )
    before = [handler_at(server, path).handler_class for path in paths]
    assert before[-1] is KernelWebsocketHandler
    server_extension._load_jupyter_server_extension(server)
    after = [handler_at(server, path) for path in paths]
    assert [rule.handler_class for rule in after[:-1]] == before[:-1]
    assert after[-1].handler_class is server_extension.PromptKernelWebsocketHandler
    assert after[-1].path_kwargs == {"kernel_id": name.encode()}


def test_nothing_waits_from_the_first_message_on(monkeypatch):
    done = []

    async def open_(self, kernel_id):
        done.append(("open", kernel_id))

    monkeypatch.setattr(KernelWebsocketHandler, "set_nodelay", lambda self, value: done.append(value))
    monkeypatch.setattr(KernelWebsocketHandler, "open", open_)
    handler = object.__new__(server_extension.PromptKernelWebsocketHandler)
    asyncio.run(handler.open("a kernel"))
    assert done == [True, ("open", "a kernel")]
