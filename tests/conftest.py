"""Fixtures that every test may ask for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

import pytest

PROJECT = Path(__file__).resolve().parent.parent

Expect: TypeAlias = Callable[[str, str], NoReturn]


def skip_or_fail(name: str, reason: str) -> NoReturn:
    """Skip the test because `name` is not here; fail where LALELU_EXPECT (names apart by spaces) has it."""
    if name in os.environ.get("LALELU_EXPECT", "").split():
        pytest.fail(f"{name} is expected here (LALELU_EXPECT), but {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}")


@pytest.fixture(scope="session")
def expect() -> Expect:
    """`expect(name, reason)`: what a test calls when an adapter or recording that it needs is missing."""
    return skip_or_fail


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the checkout's root."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of recordings beside the checkout; they are never copied into the project."""
    path = PROJECT.parent / "shared"
    if not path.is_dir():
        skip_or_fail("shared", f"there is no folder {path.name}/ beside the project")
    return path
