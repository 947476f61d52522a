"""What holds for every test: no network, no silent skip, the same examples every time."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.tools import ABSENT

pytest_plugins = ("tests.browser",)

NETWORK = (socket.AF_INET, socket.AF_INET6)
_guarded = False


class NetworkUsed(AssertionError):
    """Something under test reached for the network."""


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: no internet socket and no name look-up while the tests run; local (unix) sockets are free."""
    if not _guarded:
        return
    if event == "socket.__new__" and arguments[1] in NETWORK:
        raise NetworkUsed("a test opened an internet socket; nothing in `impact` may do that")
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        raise NetworkUsed(f"a test looked up the address of {arguments[0]!r}; nothing in `impact` may do that")


# An audit hook sees every socket of this process but cannot be taken away again: hence the switch.
sys.addaudithook(_refuse_network)

settings.register_profile(
    "fixed", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile("fixed")


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    global _guarded
    _guarded = True
    yield
    _guarded = False


def _skip_is_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    required = "IMPACT_REQUIRE_TOOLS" if str(reason).endswith(ABSENT) else "IMPACT_REQUIRE_SHARED"
    if os.environ.get(required) == "1":
        report.outcome = "failed"
        report.longrepr = f"{required}=1 and this was not tested: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _skip_is_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _skip_is_failure(report)
    return report
