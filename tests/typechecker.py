"""The run-time type checker of the tests: beartype, taking an int where a float is asked for (PEP 484)."""

from typing import Any

from beartype import BeartypeConf, beartype

CONF = BeartypeConf(is_pep484_tower=True)


def check(function):
    """Check what jaxtyping asks for: the parameters before each call, and after it what is returned.

    It asks for the parameters then once more, which takes as long again.
    """
    returned = function.__annotations__.get("return", Any)
    if returned is not Any:
        function.__annotations__ = {"return": returned}
    return beartype(conf=CONF)(function)
