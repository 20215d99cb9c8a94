"""The dashboard in a browser."""

import pytest

# Its checks are asserts of a plain module: without this a failure would not say what was found.
pytest.register_assert_rewrite("tests.browser.checks")
