"""Where the page for setting up is served, and who may see it. Pure data."""

from ipaddress import ip_address
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from lalelu.config.section import Section, contradicted

_RULE: Final = "16 to 128 letters, digits, or ._~-"
_MOST_PORT: Final = 65_535


def _an_address(text: str) -> str:
    """Check HOST:PORT, the host a number or localhost. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        known = host == "localhost" or ip_address(host) is not None
    except ValueError:
        known = False
    if not (colon and known and port.isascii() and port.isdigit() and int(port) <= _MOST_PORT):
        raise ValueError("it takes HOST:PORT, as in 127.0.0.1:8765; a host is an IP address or localhost")
    return text


class PageSection(Section):
    """The page for setting up, seen in a browser."""

    # where it is served; port 0 = any that is free; null = no page
    at: Annotated[str, AfterValidator(_an_address)] | None = "127.0.0.1:8765"
    # what every browser must show; needed where others of the network can reach the page
    token: Annotated[str, Field(pattern="^[A-Za-z0-9._~-]{16,128}$", description=_RULE)] | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """The host, a number, and the port."""
        if self.at is None:
            return None
        host, _, port = self.at.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        return "127.0.0.1" if host == "localhost" else host, int(port)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.address is not None and self.token is None and not ip_address(self.address[0]).is_loopback:
            rule = f"{self.at} can be reached by others; give the page a token of 16 characters or more"
            raise contradicted([(("token",), rule)])
        return self
