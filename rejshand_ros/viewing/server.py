"""The web server of the browser view: viser's, with doors that open only to whom they should."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import viser

from rejshand_ros.errors import MissingDependencyError
from rejshand_ros.viewing.access import Access
from rejshand_ros.viewing.ports import check_free


class ViewServer(viser.ViserServer):
    """viser's server, which takes connections by the rules of an `Access`."""

    def __init__(self, host: str, port: int, access: Access, title: str) -> None:
        """Bind and serve.

        Args:
            host: Address to bind to.
            port: TCP port.
            access: Who may look.
            title: Of the page's panel.

        Raises:
            ConfigError: The port is taken, or the address is not one of this computer's.
            MissingDependencyError: This viser has no hook for the check.
        """
        check_free(host, port)
        logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
        super().__init__(host=host, port=port, label=title, verbose=False)
        try:
            # viser has no public way to refuse a connection before anything is sent to it.
            inner: Any = self._websock_server
            connections = inner._live_connections
            hook: Callable[[Any], None] = inner.on_client_connect
        except AttributeError as error:
            raise MissingDependencyError(
                f"viser {viser.__version__} cannot refuse connections; viser 1.1 is known to"
            ) from error

        async def gate(client: Any) -> None:
            headers = connections[client.client_id].request.headers
            if not access.may_look(headers.get("Host"), headers.get("Origin")):
                await connections[client.client_id].close(1008, "opened by another site")

        hook(gate)
        # A page left open from before may have come in while the server started.
        inner.disconnect_all_clients()

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse: viser would publish the page on the internet for whoever asks it to."""
        return None
