"""Who may look at the browser view, and who may press its buttons.

On this computer alone, whoever can open the page may control: they could as well call the ROS
services. Pages of other web sites cannot: a browser tells where a page came from, and a connection
from elsewhere is refused. Beyond this computer nobody controls without the token.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from urllib.parse import urlsplit

from rejshand_ros.errors import ConfigError

TOKEN_VARIABLE = "REJSHAND_VIEW_TOKEN"
"""Environment variable with the token; a ROS parameter could be read by everybody on the graph."""
_SHORTEST_TOKEN = 12
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PAUSE_S = 1.0
"""After a wrong token, no other is looked at for this long."""


def is_loopback(host: str) -> bool:
    """Whether a host name means this computer alone."""
    return host in _LOOPBACK


class Access:
    """The rules of one server."""

    def __init__(self, host: str, token: str = "") -> None:
        """Decide by the address that the server binds to.

        Args:
            host: That address.
            token: What opens the controls beyond this computer; empty: one is made up.

        Raises:
            ConfigError: The token is too short to protect anything.
        """
        self.local = is_loopback(host)
        if token and len(token) < _SHORTEST_TOKEN:
            raise ConfigError(
                f"{TOKEN_VARIABLE} has {len(token)} characters; valid: {_SHORTEST_TOKEN} or more"
            )
        self.token = "" if self.local else token or secrets.token_urlsafe(12)
        self._lock = threading.Lock()
        self._next_attempt_s = 0.0

    def may_look(self, host: str | None, origin: str | None) -> bool:
        """Whether a connection is taken.

        Args:
            host: Its Host header: the name under which the browser asked for the page.
            origin: Its Origin header: the page that opens the connection; None where no browser
                does.
        """
        name = urlsplit(f"//{host or ''}").hostname or ""
        # Another site's name may be made to point here (DNS rebinding).
        if self.local and not is_loopback(name):
            return False
        return origin is None or urlsplit(origin).netloc == host

    def opens(self, token: str) -> bool:
        """Whether a token opens the controls; slow to answer again after a wrong one."""
        if self.local:
            return True
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._next_attempt_s:
                return False
            right = hmac.compare_digest(token.strip().encode(), self.token.encode())
            if not right:
                self._next_attempt_s = now_s + _PAUSE_S
            return right
