"""Serve the notebooks as pages to the browsers of everybody in a room, all run by this computer.

    llmviz class

Voilà runs the notebooks and its front end shows them; this package is what a class needs around it.

`session_pool` a kernel for each open page, some kept ready, and a limit
`server`      which addresses there are, and who may use them
`fairness`    how often one address may send a request
`network`     where others find this computer, and a try with a phone
`lessons`     three questions before and after each lesson, and how often each answer was given
`worksheets`  what a teacher prints for each lesson: the steps, and a worksheet; no part of the server

A visitor can open the notebooks, read their code, and use every picture, slider, button and text box, in a kernel that
no other visitor shares. A visitor cannot:

* run code: only the messages of widgets reach a kernel
* find another visitor's kernel: its id has 122 random bits, and there is no list
* see the teacher's files: in a class, no text box opens one, and the server sends only the libraries' scripts
* start a terminal, or see the teacher's page

What visitors type is shown as text, stays in their own kernel, and is gone with it. They can keep that kernel busy,
but it has one thread and a lower priority than the server, and it ends when it takes too much memory. A visitor is a
cookie, and has one page, so a program that keeps no cookies can still fill the room. Everything goes over HTTP, so the
network sees what visitors type: use one that you trust.
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

    limit: how many pages may be open at once; None for as many as fit into memory. local: only for browsers on this
    computer. browser: open the teacher's page. each: how many pages one visitor may have open. Raises CannotServe.
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
    """Wait until a phone has reached this computer. Raises CannotServe."""
    from llmviz.classroom import network

    try:
        network.check(port)
    except OSError as error:
        raise _no_such_port(port, error) from None


def _no_such_port(port: int, error: OSError) -> CannotServe:
    return CannotServe(f"Port {port} cannot be used ({error.strerror}). Give another with --port.")
