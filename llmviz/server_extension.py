"""For the Jupyter server, not for notebooks: a kernel's messages go to the page at once.

By default the server's socket waits with a small message until the page has acknowledged the one before (Nagle's
algorithm), and the page acknowledges some 40 ms later while both sides send. A dragged slider sends all the time: half
of what it moves came that much later. The command `llmviz` switches this on for the server that it starts.
"""

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.handlers import default_handlers
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from jupyter_server.utils import url_path_join


class PromptKernelWebsocketHandler(KernelWebsocketHandler):
    """The server's own handler of a kernel's websocket, whose messages wait for nothing."""

    async def open(self, kernel_id: str) -> None:
        self.set_nodelay(True)
        await super().open(kernel_id)


def _jupyter_server_extension_points() -> list[dict]:
    return [{"module": "llmviz.server_extension"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    # What is added later is asked first, so the server's own handler at the same address gets no more requests.
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(server.base_url, pattern), PromptKernelWebsocketHandler)
            for pattern, handler in default_handlers
            if handler is KernelWebsocketHandler
        ],
    )
