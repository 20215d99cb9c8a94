"""What several folders of tests share: marks by folder, and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Folders all of whose tests need what the mark says (pyproject.toml).
MARKS = {"browser": "toolbox", "loader": "toolbox", "system": "system"}


# What one worker of pytest-xdist runs, in its order: a folder of one costly set-up, otherwise a file.
# A role's test is alone.
ONE_SETUP = {"browser", "system"}
ALONE = {"molecule"}


class ByPlace(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests by where they are.

    Not xdist's own groups: they are said by a suffix of a test's id, which pytest 9.2 does not take.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        folder = path.split("/")[1]
        if folder in ONE_SETUP:
            return folder
        return nodeid if folder in ALONE else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlace:
    return ByPlace(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        mark = MARKS.get(item.path.relative_to(here).parts[0])
        if mark is not None:
            item.add_marker(mark)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from tests.browser import checks

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=checks.CHROMIUM, args=list(checks.ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()
