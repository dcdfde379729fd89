"""Settings of all tests."""

import os

from hypothesis import settings

# Continuous integration draws the same examples every time; at a desk they are new ones.
settings.register_profile("repeatable", derandomize=True)
if "FARMSIM_NEEDS_BROWSER" in os.environ:
    settings.load_profile("repeatable")
