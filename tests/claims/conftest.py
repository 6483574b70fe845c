"""Shapes are checked by the tests of what is used here."""

import pytest


@pytest.fixture(autouse=True)
def _unchecked(unchecked):
    pass
