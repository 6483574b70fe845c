"""An extension of the Jupyter server that sends a kernel's messages to the page at once.

By default the server's socket holds a small message until the page has acknowledged the one before (Nagle's algorithm).
While both sides send, the page acknowledges about 40 ms later. A dragged slider sends all the time, and half of its
changes came that much later. The command `llmviz` switches this extension on in the server that it starts.
"""

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.handlers import default_handlers
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from jupyter_server.utils import url_path_join


class PromptKernelWebsocketHandler(KernelWebsocketHandler):
    """The server's handler of a kernel's websocket, but its messages do not wait."""

    async def open(self, kernel_id: str) -> None:
        self.set_nodelay(True)
        await super().open(kernel_id)


def _jupyter_server_extension_points() -> list[dict]:
    return [{"module": "llmviz.server_extension"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    # Handlers that are added later come first, so the server's own at this address gets no requests.
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(server.base_url, pattern), PromptKernelWebsocketHandler)
            for pattern, handler in default_handlers
            if handler is KernelWebsocketHandler
        ],
    )
