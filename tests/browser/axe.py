"""axe-core, the accessibility checker, taken out of the Python package that carries it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from functools import cache
from typing import Any

from playwright.sync_api import Page

from tests import toolbox

LOCK = toolbox.REPOSITORY / "requirements" / "axe.lock"
CACHE = toolbox.REPOSITORY / "build" / "cache" / "axe"


@cache
def script() -> str:
    """Return axe-core's script, fetched once with pip as it is configured, its hash checked.

    Raises AssertionError with pip's words when it cannot be had.
    """
    kept = CACHE / "axe.min.js"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--require-hashes", "--dest", str(CACHE), "--requirement", str(LOCK)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        (wheel,) = CACHE.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            kept.write_bytes(archive.read("axe_playwright_python/axe.min.js"))
    return kept.read_text(encoding="utf-8")


def serious(page: Page) -> list[str]:
    """Return what axe finds serious or worse in what is seen: rule, and the first three elements."""
    page.evaluate(f"() => {{ if (!window.axe) {{ {script()} }} }}")
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: " + "; ".join(str(node["html"])[:160] for node in one["nodes"][:3])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
