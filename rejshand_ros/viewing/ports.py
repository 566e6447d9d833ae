"""TCP ports of the browser view."""

from __future__ import annotations

import socket

from rejshand_ros.errors import ConfigError


def check_free(host: str, port: int) -> None:
    """See that a port can be bound: viser would silently take another one.

    Raises:
        ConfigError: It is taken, or the address is not one of this computer's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"the browser view cannot use {host}:{port}: {reason}") from error


def free_port(host: str, wanted: int, tries: int = 20) -> int:
    """The wanted port, or the next one that is free.

    Raises:
        ConfigError: None of them is.
    """
    for port in range(wanted, wanted + tries):
        try:
            check_free(host, port)
        except ConfigError:
            if port == wanted + tries - 1:
                raise
            continue
        return port
    raise ConfigError(f"tries is {tries}; at least 1 is needed")
