"""Parameters of the estimators: the settings of a trainer, averages, and the client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from distributed import Client, TimeoutError, get_client

from ..checks import COUNT
from ..settings import SETTINGS, Settings, check_setting
from ..settings.checks import or_auto
from ..sklearn_protocol import SklearnProtocol
from .waiting import PATIENCE

_PARAMETERS = (*SETTINGS, "sync_every", "client")


@dataclass(repr=False, eq=False)
class Parameters(SklearnProtocol, Settings):
    """Parameters, each checked when it is set."""

    sync_every: int | Literal["auto"] = field(default="auto", kw_only=True)
    client: Client | None = field(default=None, kw_only=True)

    def __setattr__(self, name: str, value: Any) -> None:
        _check(name, value)
        super().__setattr__(name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor, by name."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def _check_parameter(self, name: str, value: Any) -> None:
        _check(name, value)
        if name in SETTINGS:
            check_setting(name, value)

    def _connected(self) -> Client:
        """The client of the fit, with workers.

        Raises
        ------
        ValueError, RuntimeError
            Without a client, or for one that cannot be used.
        """
        try:
            client = self.client or get_client()
        except ValueError:
            raise ValueError(
                "client must be a distributed.Client, unless there is a current one, as Client() "
                "makes it; got None"
            ) from None
        if client.asynchronous:
            raise ValueError("client must not be asynchronous; got one that is")
        if client.status != "running":
            raise RuntimeError(f"client must be connected; this one is {client.status}")
        if not client.nthreads():
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError:
                raise RuntimeError(
                    f"the cluster has had no worker for {PATIENCE:g} seconds"
                ) from None
        return client


def _check(name: str, value: Any) -> None:
    """Check a parameter that is no setting of Trainer."""
    if name == "sync_every":
        or_auto(COUNT)["check"](name, value)
    elif name == "client" and not isinstance(value, Client | None):
        raise TypeError(f"client must be a distributed.Client or None; got {value!r}")
