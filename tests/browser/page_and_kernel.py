"""What a page shows without a kernel is what a kernel shows: each control moved in both, and all widgets compared.

The kernel runs the notebook anew, as a reader's does, with nothing forked and nothing rehearsed: values are set as a
front-end sets them, and the event loop does the rest.
"""

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jupyter_client.manager import start_new_kernel

from llmviz import page

# Widgets are found by where they stand: the number of the output, then the number of each child in its box.
KERNEL = """
import asyncio, base64, json, ipywidgets as _w
from llmviz.views.rehearsal import prepare as _prepare, settle as _settle

def _jsonable(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(type(value))

def _walk(roots):
    found, todo = {}, [(str(i), one) for i, one in enumerate(roots)]
    while todo:
        path, one = todo.pop()
        found[path] = one
        todo += [(f"{path}/{i}", child) for i, child in enumerate(getattr(one, "children", ()))]
        if getattr(one, "layout", None) is not None:
            found[path + "/layout"] = one.layout
    return found

def _roots(ids):
    return [_w.widgets.widget._instances[one] for one in ids]

async def _go(ids, moves):
    for path, trait, value in moves:
        one = _walk(_roots(ids))[path]
        if trait == "click":
            one._handle_custom_msg({"event": "click"}, [])
        else:
            one.set_state({trait: value})
        await asyncio.sleep(0)
        await _settle(600)

def _seen(ids):
    return json.dumps({path: one.get_state() for path, one in _walk(_roots(ids)).items()}, default=_jsonable)
"""
PAGE = """
window.walk = async () => {
    const found = {};
    const visit = async (path, model) => {
        found[path] = model;
        for (const [i, child] of (model.get("children") ?? []).entries()) await visit(`${path}/${i}`, await child);
        if (model.get("layout")?.model_id) found[`${path}/layout`] = model.get("layout");
    };
    for (const [i, place] of [...document.querySelectorAll("[data-widget]")].entries())
        await visit(`${i}`, await replay.manager.get_model(place.dataset.widget));
    return found;
};
const plain = (value) => {
    if (value instanceof DataView) {
        const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        return { $bytes: btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join("")) };
    }
    if (Array.isArray(value)) return value.map(plain);
    if (value && value.model_id) return `IPY_MODEL_${value.model_id}`;
    if (value && typeof value === "object")
        return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
    return value;
};
window.seen = async () => {
    const found = {};
    for (const [path, model] of Object.entries(await walk()))
        found[path] = Object.fromEntries(Object.entries(model.attributes).map(([key, one]) => [key, plain(one)]));
    return found;
};
window.go = async (moves) => {
    for (const [path, trait, value] of moves) {
        const model = (await walk())[path];
        if (trait === "click") model.send({ event: "click" });
        else {
            model.set(trait, value);
            model.save_changes();
        }
        do { // a model sends one message, and the next when that is answered
            await new Promise((done) => setTimeout(done, 5));
            await replay.settled();
        } while (model._pending_msgs > 0 || model.pending_msgs > 0);
    }
};
"""
PATH_NOW = """async (id) => Object.entries(await walk()).find(([, model]) => model.model_id === id)[0]"""
# Pictures that begin to play when their text changes; a kernel has nobody who plays.
STILL = """async () => {
    for (const model of Object.values(await walk())) if (model.get("autoplay")) model.set("autoplay", false);
}"""
AT_START = "[...replay.spaces.values()].every(({ space }) => space.at === 0)"
# Every picture that can be seen has been drawn as one of these.
DRAWN = """(summaries) => [...document.querySelectorAll("figure.llmviz[aria-label]")]
    .filter((one) => one.checkVisibility() && one.ariaLabel)
    .every((one) => summaries.includes(one.ariaLabel))"""


class Kernel:
    """A kernel in which a notebook has run, and what a page has done beforehand is done."""

    def __init__(self, notebook: Path):
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(notebook.parent))
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        self.ids = []
        for cell in cells:
            if cell["cell_type"] == "code":
                self.ids += self._run("".join(cell["source"]))[1]
        self._run(KERNEL)
        self._run("await _settle()\n_prepare()")

    def _run(self, source: str) -> tuple[str, list[str]]:
        """What it prints, and the widgets that it shows."""
        printed, shown = [], []

        def take(message: dict) -> None:
            content = message["content"]
            assert message["msg_type"] != "error", content["evalue"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])
            view = content.get("data", {})
            if isinstance(view, dict) and page.VIEW in view:
                shown.append(view[page.VIEW]["model_id"])

        self.client.execute_interactive(source, output_hook=take, timeout=1500, allow_stdin=False)
        return "".join(printed), shown

    def go(self, moves: list) -> None:
        self._run(f"await _go({self.ids!r}, json.loads({json.dumps(moves)!r}))")

    def seen(self) -> dict:
        return json.loads(self._run(f"print(_seen({self.ids!r}))")[0])

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def paths_of(told: dict, shown: list[str]) -> dict[str, str]:
    """Where each widget of a page stands."""
    found, todo = {}, [(str(i), one) for i, one in enumerate(shown)]
    while todo:
        path, one = todo.pop()
        found.setdefault(one, path)
        children = told["widgets"][one].get("children")
        for i, child in enumerate(json.loads(told["values"][children]) if children is not None else ()):
            todo.append((f"{path}/{i}", child.removeprefix("IPY_MODEL_")))
    return found


def moves_of(told: dict, paths: dict[str, str], most: int) -> list[tuple[list, list]]:
    """What to try, and how to put it back: some values of each control and of each two together."""
    tried = []
    for space in told["spaces"]:
        controls = [
            (paths[one], trait, json.loads(told["values"][values]), start_of(told, one, trait))
            for one, trait, kind, values in space["controls"]
        ]
        groups: dict[tuple, list] = {}
        for key in filter(None, space["reach"]):
            pairs = [tuple(map(int, pair.split("="))) for pair in key.split(";")]
            groups.setdefault(tuple(c for c, _ in pairs), []).append(pairs)
        for group, keys in groups.items():
            if {*group} & {*space["alone"]}:  # a kernel cannot be put back
                continue
            n = most if len(group) == 1 else 1
            for pairs in keys[:: -(-len(keys) // n)]:
                there = [[controls[c][0], controls[c][1], controls[c][2][v]] for c, v in pairs]
                back = [[controls[c][0], controls[c][1], controls[c][3]] for c, _ in pairs[::-1]]
                tried.append((there, back))
    return tried


def start_of(told: dict, widget: str, trait: str):
    return json.loads(told["values"][told["widgets"][widget][trait]])


# What a front-end adds, what tells of the clock, what names a widget by its id, and what `STILL` has changed.
LEFT_OUT = re.compile(
    r"^_|^(comm|layout|style|children|source|target|tabbable|msg_throttle|button_style|icon|followers|autoplay)$"
)
TIME = re.compile(r"\d[\d.,]* ?(ms|s|seconds)\b")


def same(ours: object, theirs: object) -> bool:
    """Equal, but for times, and for how floats are rounded: a kernel may have a part of a run from another one."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return bool(np.isclose(ours, theirs, rtol=1e-4, atol=1e-6))
    if isinstance(ours, str) and isinstance(theirs, str):
        return TIME.sub("", ours) == TIME.sub("", theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict) and "$bytes" in {*ours} & {*theirs}:
        arrays = [np.frombuffer(base64.b64decode(one["$bytes"]), np.float32) for one in (ours, theirs)]
        return len(arrays[0]) == len(arrays[1]) and np.allclose(*arrays, rtol=1e-3, atol=1e-5, equal_nan=True)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return ours == theirs


def differences(on_page: dict, in_kernel: dict) -> str:
    found = [f"only one has {path}" for path in on_page.keys() ^ in_kernel.keys()]
    for path in on_page.keys() & in_kernel.keys():
        for name in on_page[path].keys() & in_kernel[path].keys():
            ours, theirs = on_page[path][name], in_kernel[path][name]
            refers = "IPY_MODEL_" in json.dumps(theirs)
            if not LEFT_OUT.search(name) and not refers and not same(ours, theirs):
                found.append(f"{path} {name}: {str(ours)[:200]} | {str(theirs)[:200]}")
    return "\n".join(found)


def settle(one) -> None:
    """All moves are answered, and drawn."""
    one.evaluate("replay.settled().then(() => new Promise(requestAnimationFrame))")


def show_all(one) -> None:
    for button in one.get_by_role("button", name="Show me", disabled=False).all()[::-1]:
        button.click()
    settle(one)


def presses_of(told: dict, turn: int, most: int = 4) -> list[str]:
    """One way through each space that has so many buttons: that button again and again, then another one."""
    ways = []
    for space in told["spaces"]:
        after = {int(at): edges for at, edges in space["press"].items()}
        buttons, at, way = [*after.get(0, {})], 0, []
        if turn >= len(buttons):
            continue
        key = buttons[turn]
        while len(way) < most and key in after.get(at, {}):
            way.append(key)
            if after[at][key] == at:  # nothing more comes of it
                break
            at = after[at][key]
        others = [one for one in after.get(at, {}) if one != key]
        ways += [*way, *others[turn : turn + 1]]
    return ways


@contextlib.contextmanager
def both(one, built: page.Rehearsed, notebook: Path) -> Iterator[tuple[dict, Callable]]:
    """An open page and a kernel, all cards committed: where each widget stands, and what moves both and compares."""
    one.reload()
    one.wait_for_function("'ready' in document.body.dataset")
    one.evaluate(f"() => {{ {PAGE} }}")
    kernel = Kernel(notebook)

    def go(moves: list, at: object = None) -> dict:
        one.evaluate("(moves) => go(moves)", moves)
        kernel.go(moves)
        in_kernel = kernel.seen()
        assert not (found := differences(one.evaluate("seen()"), in_kernel)), f"{at or moves}: {found}"
        return in_kernel

    try:
        shown = one.evaluate(
            "[...document.querySelectorAll('[data-widget]')].map((one) => one.dataset.widget)"
        )
        assert len(shown) == len(kernel.ids)
        paths = paths_of(built.messages, shown)
        cards = [card for card, outcome in built.messages["cards"].items() if outcome["told"] is not None]
        go([[paths[card], "committed", True] for card in cards], "all committed")  # those in folds, too
        one.evaluate(STILL)
        yield paths, go
    finally:
        kernel.close()


def compare(one, built: page.Rehearsed, notebook: Path, most: int) -> int:
    """Hold an open page to a kernel; returns how many moves were compared. most: values of each control."""
    with both(one, built, notebook) as (paths, go):
        tried = moves_of(built.messages, paths, most)
        for there, back in tried:
            in_kernel = go(there)
            settle(one)
            summaries = [state["summary"] for state in in_kernel.values() if "summary" in state]
            one.wait_for_function(DRAWN, arg=summaries)  # what is off the screen is drawn a little later
            go(back, f"back from {there}")
            assert one.evaluate(AT_START), back
    return len(tried)


def compare_buttons(one, built: page.Rehearsed, notebook: Path) -> int:
    """The same for buttons, which lead nowhere back: each begins in a kernel of its own; returns how many presses."""
    n = 0
    for turn in range(max(len(space["press"].get("0", {})) for space in built.messages["spaces"])):
        with both(one, built, notebook) as (_, go):
            for button in presses_of(built.messages, turn):
                path = one.evaluate(PATH_NOW, button)  # a row that was taken away has moved those behind it
                go([[path, "click", None]])
                n += 1
    return n
