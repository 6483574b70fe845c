"""A conversation as one text, written by the template in the model's file: a small program in the language Jinja.

What a message says must never become a control token. So where a message has the text of one, `hide` puts a private
character in its place before the template runs, and the caller gives that stretch its own text back.
"""

import datetime
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

PRIVATE = 0xF0000  # from here on, Unicode has characters for private use only


class Refused(Exception):
    """What a template raises by itself, for example where the roles do not alternate."""


def hide(
    messages: Sequence[Mapping[str, str]], names: Iterable[str]
) -> tuple[list[dict[str, str]], dict[int, str]]:
    """Return the messages without some names, and the table for `str.translate` that puts these in again."""
    characters: dict[str, str] = {}
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, longest_first), f"[{chr(PRIVATE)}-\U0010ffff]"]))

    def character_for(name: re.Match[str]) -> str:
        return characters.setdefault(name[0], chr(PRIVATE + len(characters)))

    hidden = [
        {key: pattern.sub(character_for, message[key]) for key in ("role", "content")} for message in messages
    ]
    return hidden, {ord(character): name for name, character in characters.items()}


def written(template: str, messages: Sequence[Mapping[str, str]], **names: object) -> str:
    """Return what the template writes. ValueError if it refuses the messages or is broken."""
    try:
        return _compiled(template).render(messages=messages, **names)
    except Refused as problem:
        raise ValueError(
            f"this model's chat template refuses the conversation: {str(problem).rstrip('.')}. Change the messages, "
            "or their order"
        ) from problem
    except Exception as problem:  # it is a program of others, which can fail in any way
        raise ValueError(
            f"this model's chat template fails ({type(problem).__name__}: {problem}). Download the model again, or "
            "write the prompt without a template"
        ) from problem


@lru_cache(8)
def _compiled(template: str):
    """Compile a template, with what `transformers` offers to templates, in a sandbox where it can change nothing."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise Refused(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **how: json.dumps(value, ensure_ascii=False, **how)
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    # Templates mark in this way which text training should count. Here, the mark does nothing.
    for mark, nothing in (("generation", "if true"), ("endgeneration", "endif")):
        template = re.sub(rf"(\{{%-?\s*){mark}(\s*-?%\}})", rf"\1{nothing}\2", template)
    return environment.from_string(template)
