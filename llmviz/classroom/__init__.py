"""A class: the notebooks as pages in the browsers of everybody in the room, run by this one computer.

    llmviz class

Voilà runs the notebooks and its front end shows them; this package is what a class needs around it.

`session_pool` a kernel for each open page, some kept ready, and a limit
`server`      which addresses there are, and who may ask them
`fairness`    how often one address may ask
`network`     where others find this computer, and a try with a phone
`lessons`     three questions before and after each lesson, and how often each answer was given
`worksheets`  what a teacher prints for each lesson: the steps, and a worksheet; no part of the server

What a visitor can do: open the notebooks, read their code, and use every picture, slider, button and text box on them,
in a kernel that nobody else shares. What a visitor cannot do: run code (of a kernel's messages, only those of widgets
go through), learn of or reach another visitor's kernel (its number is 122 random bits, and there is no list), see the
teacher's files (no notebook's text box opens one in a class, and no address serves one but the libraries' scripts),
start a terminal, or see the teacher's page. What is typed is shown as text; it stays in that visitor's kernel and is
gone with it. A visitor can keep the own kernel busy: it has one thread and a lower priority than the server, so others
get slower by their share, no more; it ends when it takes too much memory. A visitor is a browser's cookie and has one
page, so a program that asks without cookies can still fill the room. The network sees what is typed: this is HTTP, for
a network that you trust.
"""

from __future__ import annotations

import webbrowser
from pathlib import Path


class CannotServe(Exception):
    """The message says why, and what to do."""


def serve(
    notebooks: list[Path],
    port: int,
    limit: int | None = None,
    password: str = "",
    project: bool = False,
    local: bool = False,
    browser: bool = True,
    each: int = 1,
) -> None:
    """Serve a class until Ctrl-C.

    limit: how many pages may be open at once; None for as many as there is memory for. local: only for browsers on
    this computer. browser: open the teacher's page. each: how many pages one visitor may have open. Raises CannotServe.
    """
    from llmviz.classroom.server import Class, Classroom
    from llmviz.classroom.session_pool import pages_for
    from llmviz.machine import free_memory

    limit = limit or pages_for(free_memory())
    the_class = Class(tuple(notebooks), port, limit, password, project, local, each)

    def started(teacher: str) -> None:
        print(f"The class is at {the_class.addresses[0]} for up to {limit} open pages.")
        print(f"Your own page, with a QR code: {teacher}")
        print("Ctrl-C ends it.", flush=True)
        if browser:
            webbrowser.open(teacher)

    try:
        server = Classroom(the_class, started)
    except ValueError as error:
        raise CannotServe(str(error)) from None
    server.initialize([])
    try:
        server.start()
    except OSError as error:
        raise _no_such_port(port, error) from None


def check(port: int) -> None:
    """Try whether phones reach this computer, until one has. Raises CannotServe."""
    from llmviz.classroom import network

    try:
        network.check(port)
    except OSError as error:
        raise _no_such_port(port, error) from None


def _no_such_port(port: int, error: OSError) -> CannotServe:
    return CannotServe(f"port {port} cannot be used ({error.strerror}). Give another with --port.")
