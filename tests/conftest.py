"""What several folders of tests share: marks by folder, and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Folders all of whose tests need what the mark says (pyproject.toml).
MARKS = {"browser": "toolbox", "loader": "toolbox", "system": "system"}


# What one worker of pytest-xdist runs, in its order: a folder of one costly set-up, otherwise a file.
# A role's test is alone.
ONE_SETUP = {"browser", "system"}
ALONE = {"molecule"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here)
        folder = path.parts[0]
        if folder in MARKS:
            item.add_marker(MARKS[folder])
        if folder not in ALONE:
            item.add_marker(pytest.mark.xdist_group(folder if folder in ONE_SETUP else str(path)))


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
