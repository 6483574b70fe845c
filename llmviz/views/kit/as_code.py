"""The line of code that makes a view in its present state, and the button that copies it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import traitlets
from IPython import get_ipython

from llmviz.views.kit.drawn import Drawn
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import take_from_page

if TYPE_CHECKING:
    from llmviz.views.kit.view import View

LITERALS = int | float | str | bytes | tuple | list | dict | set | frozenset | None


class CopyButton(Closable, Drawn):
    """A small button that puts `line` on the clipboard, and says so; paper and pages without a kernel leave it out."""

    _static = "copy_button"

    line = traitlets.Unicode().tag(sync=True)

    def set_state(self, sync_data: dict) -> None:
        """Take nothing from the page."""
        take_from_page(self, super().set_state, (), sync_data)


def notebook_names() -> dict[str, Any]:
    """Return the notebook's variables; none outside a notebook."""
    shell = get_ipython()
    names = shell.user_ns if shell else {}
    return {name: value for name, value in names.items() if not name.startswith("_")}


def line_of(view: View, names: Mapping[str, Any]) -> str:
    """Return the code that makes a view in its present state, with only what differs from the defaults.

    names: the notebook's variables. Any other value appears under the name of its parameter.
    """
    return f"{_class_name(type(view), names)}({', '.join(_arguments(view, names))})"


def _arguments(view: View, names: Mapping[str, Any]) -> Iterator[str]:
    state = vars(view.state)
    for parameter, value in view._made_with:
        if parameter.name not in state and value is not parameter.default:
            expression = _expression(value, names, "prompt" if value is view.source else parameter.name)
            needs_name = parameter.default is not parameter.empty or parameter.kind is parameter.KEYWORD_ONLY
            yield f"{parameter.name}={expression}" if needs_name else expression
    own = {parameter.name: parameter.default for parameter, _ in view._made_with}
    defaults = vars(view.State()) | view._set_by_constructor | own
    for name, value in state.items():
        if value != defaults[name] and _is_literal(value):
            yield f"{name}={value!r}"


def _expression(value: object, names: Mapping[str, Any], otherwise: str) -> str:
    if _is_literal(value):
        return repr(value)
    return next((name for name, named in names.items() if named is value), otherwise)


def _is_literal(value: object) -> bool:
    if not isinstance(value, LITERALS):  # the text form of a view or a run is long
        return False
    try:
        return ast.literal_eval(repr(value)) == value
    except (SyntaxError, ValueError):
        return False


def _class_name(kind: type, names: Mapping[str, Any]) -> str:
    """Return the name of a class as the notebook can write it: on its own, or in a module; else with its package."""
    if names.get(kind.__name__) is kind:
        return kind.__name__
    for name, module in names.items():
        if isinstance(module, ModuleType) and vars(module).get(kind.__name__) is kind:
            return f"{name}.{kind.__name__}"
    package = kind.__module__.rpartition(".")[0].removeprefix("llmviz.")
    return f"{package}.{kind.__name__}".lstrip(".")


def made_with(kind: type, arguments: tuple, options: dict) -> list[tuple[inspect.Parameter, Any]]:
    """Return the named parameters of a view's constructor, each with the value that it got."""
    signature = inspect.signature(kind.__init__)
    bound = signature.bind(None, *arguments, **options)
    bound.apply_defaults()
    _itself, *parameters = signature.parameters.values()
    named = [own for own in parameters if own.kind not in (own.VAR_POSITIONAL, own.VAR_KEYWORD)]
    return [(own, bound.arguments[own.name]) for own in named]
