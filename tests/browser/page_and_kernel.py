"""In sampled states, a page without a kernel shows what a kernel shows, and nothing on it is dead."""

import base64
import contextlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
from jupyter_client.blocking import BlockingKernelClient

from llmviz import page

# The kernel's views, of which `page` is the table, are brought into a page's state; nothing goes on by itself there.
KERNEL = """
import asyncio, json
from llmviz.views.kit.state_fields import replace as _replace
from llmviz.views.kit.view import View as _View, frozen as _frozen

for _of_view in page.tables:
    type(_of_view.view).by_itself = _View.by_itself

async def _show(numbers, states):
    tables = [page.tables[number] for number in numbers]
    done = [
        {*of_view.begun} & {name for name, is_hidden in zip(of_view.widgets, hidden) if is_hidden}
        for of_view, (*_, hidden) in zip(tables, states)
    ]  # A page hides the button of a job that is done there.
    for of_view, (values, guess, _) in zip(tables, states):
        view = of_view.view
        view.layout.display = ""  # What is behind an open card would not follow.
        values = {name: _frozen(value) for name, value in values.items()}
        if guess is not None:
            values["answered"] = _replace(view.scene(view.state).answer, guess=guess[0])
        elif "answered" in vars(view.state):
            values["answered"] = None
        view.become(view.State(**{**vars(view.state), **values}))
    for of_view, jobs in zip(tables, done):
        for job in jobs:
            if of_view.view._measured(job, of_view.view.state).status != "done":
                of_view.view.parts[job].click()
    while any(of_view.view.busy for of_view in tables):
        await asyncio.sleep(0.05)
    shown = [
        {
            name: widget.get_state() | {"hidden": widget.layout.display == "none" or name in jobs}
            for name, widget in of_view.widgets.items()
        }
        for of_view, jobs in zip(tables, done)
    ]
    print(table.encoded(shown))
"""
# What each part and control of each view shows now, and the state in which it does.
PAGE = """
window.plain = (value) => {
    if (value instanceof DataView) {
        const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        return { $bytes: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
    }
    if (Array.isArray(value)) return value.map(plain);
    if (value && typeof value === "object")
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
    return value;
};
window.seen = (numbers) => {
    const shown = numbers.map((number) => Object.keys(replay.table.views[number].widgets).map((id) => {
        const model = replay.model(id);
        // None that the picture has set for itself.
        const traits = Object.keys(replay.drawn(id)).filter((trait) => trait in model.numbers);
        return Object.fromEntries(traits.map((trait) => [trait, plain(model.get(trait))]));
    }));
    return { state: replay.state, shown };
};
window.canBeSent = () => [...replay.events].flatMap(([key, event]) => {
    const [id, trait] = key.split(" ");
    const model = replay.model(id);
    if (replay.full.has(id) || model.get("hidden") || model.get("disabled")) return [];
    const values = trait === "click" ? [null] : [...replay.sent(event).keys()].map((text) => JSON.parse(text));
    return [[id, trait, values]];
});
// The first of these values that the page holds; says whether it leads anywhere.
window.sendOne = (id, trait, values) => {
    const model = replay.model(id);
    const held = values.find((value) => replay.held(id, trait, value));
    return held !== undefined && !model.get("hidden") && !model.get("disabled") && send(id, trait, held);
};
"""
# The states in which, together, a view shows all that the page holds of it, with each run that it can follow.
ALL = """
window.lookedAt = new Map(); // by view, its states
window.chain = (number) => {
    const sources = replay.table.views[number].follows.map((field) => parseInt(field));
    return [...new Set([...sources.flatMap(chain), number])];
};
window.rowOf = (rules, state, sent) => {
    for (const [fields, leaves] of rules) {
        const key = fields.map((field) => (field === "in" ? sent : state[field])).join(",");
        if (leaves[key] !== undefined) return `${fields}:${key}`;
    }
};
window.takesInput = (id) => {
    const [drawn, { values }] = [replay.drawn(id), replay.table];
    const has = (trait) => trait in drawn && JSON.parse(values[drawn[trait]]);
    return !has("hidden") && !has("disabled") && !replay.full.has(id);
};
window.allStates = (number) => {
    const { table } = replay, view = table.views[number], ids = Object.keys(view.widgets);
    const events = ids.flatMap((id) => [...replay.events].filter(([key]) => key.startsWith(`${id} `)));
    const begins = view.follows.flatMap((field) => {
        const states = lookedAt.get(parseInt(field)).map((state) => [state[field], state]);
        return [...new Map(states.toReversed()).values()]; // one for each run
    });
    const [states, rows, found] = [[table.state, ...begins], new Set(), []];
    const isNew = (row) => !rows.has(row) && Boolean(rows.add(row));
    for (const state of states) { // It grows meanwhile.
        replay.state = state;
        const drawn = ids.map((id) => `${id} ${replay.drawers.get(id).map((rules) => rowOf(rules, state))}`);
        if (drawn.filter(isNew).length) found.push(state);
        const writes = isNew(`by itself ${rowOf(view.by_itself, state)}`) ? [find(view.by_itself, state)?.[0]] : [];
        for (const [key, event] of events)
            if (takesInput(key.split(" ")[0]))
                for (const sent of replay.sent(event).values())
                    if (isNew(`${key} ${rowOf(event.rules, state, sent)}`)) writes.push(find(event.rules, state, sent));
        const outcomes = writes.map((write) => replay.after(table.writes[write]));
        for (const outcome of outcomes) if (outcome?.changed.size) states.push(outcome.state);
    }
    replay.state = table.state;
    lookedAt.set(number, states);
    return found;
};
window.become = (state) => {
    replay.become({ state, changed: new Set(Object.keys(state)), touched: new Set(replay.drawers.keys()) });
    for (const timer of replay.timers.values()) clearTimeout(timer);
};
"""
# What a widget would send of itself; false where the page refuses it.
SEND = """
window.send = (id, trait, value) => {
    const model = replay.model(id);
    const before = model.get(trait);
    if (trait !== "click") model.put({ [trait]: value });
    return replay.happen(model, trait, value, before);
};
"""
# What was said before.
FORGET = 'for (const el of document.querySelectorAll(".told")) el.replaceChildren();'
TIME = re.compile(r"\d[\d.,]* ?(ms|s|seconds)\b")


def states_of(table: dict, numbers: list[int], state: dict, shown: list) -> list:
    """Return for these views their fields' values, the guess in a list if a card is answered, and what is hidden."""
    states = []
    for of_view, number in zip(shown, numbers, strict=True):
        fields = {
            field.partition(".")[2]: table["values"][value]
            for field, value in state.items()
            if field.startswith(f"{number}.")
        }
        answered = fields.pop("answered", "null").startswith('{"$python"')
        values = {name: json.loads(text) for name, text in fields.items()}
        hidden = [bool(traits["hidden"]) for traits in of_view]
        states.append((values, [of_view[0]["guess"]] if answered else None, hidden))
    return states


def same(ours: object, theirs: object) -> bool:
    """Equal, but for times, ids, and for how floats are rounded: a kernel may have a part of a run from another one."""
    match ours, theirs:
        case float() | int(), float() | int():
            return bool(np.isclose(ours, theirs, rtol=1e-4, atol=1e-6))
        case str(), str() if ours.startswith("IPY_MODEL_"):
            return theirs.startswith("IPY_MODEL_")
        case str(), str():
            return TIME.sub("", ours) == TIME.sub("", theirs)
        case list(), list():
            return len(ours) == len(theirs) and all(map(same, ours, theirs))
        case {"$bytes": one}, {"$bytes": other} if one != other:
            arrays = [np.frombuffer(base64.b64decode(text), np.float32) for text in (one, other)]
            return len(arrays[0]) == len(arrays[1]) and np.allclose(
                *arrays, rtol=1e-3, atol=1e-5, equal_nan=True
            )
        case dict(), dict():
            return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return ours == theirs


def differences(on_page: list[list[dict]], in_kernel: list[dict]) -> list[str]:
    """Return where a page shows something else than a kernel."""
    found = []
    for number, (ours, theirs) in enumerate(zip(on_page, in_kernel, strict=True)):
        for shown, (name, held) in zip(ours, theirs.items(), strict=True):
            if name == "reveal" or (shown.get("hidden") and held["hidden"]):
                continue
            for trait, value in shown.items():
                if not same(value, held[trait]):
                    found.append(f"{number} {name} {trait}: {str(value)[:200]} | {str(held[trait])[:200]}")
    return found


def settle(one) -> None:
    """Everything is drawn, and the controls are as they should be."""
    one.evaluate("replay.settled()")


def show_all(place, *, guess: bool = False) -> int:
    """Ask every card for its answer, or guess, those behind others as well; return how many there were."""
    page, name = getattr(place, "page", place), "Lock in my guess" if guess else "Show me"
    forms = place.locator("form", has=page.get_by_role("button", name="Show me", disabled=False))
    for n in range(100):
        settle(page)
        if not forms.count():
            return n
        form = forms.first
        if guess:
            make_a_guess(form)
        button = form.get_by_role("button", name=name).element_handle()
        button.click()
        button.wait_for_element_state("hidden")  # A card far from the screen is painted a moment later.
    raise AssertionError("it never ends")


def make_a_guess(form) -> None:
    """Choose the last option of a card, or type the highest number of its line, or 7."""
    if (options := form.get_by_role("radio")).count():
        options.last.check()
    else:
        line = form.get_by_role("slider")
        form.get_by_role("spinbutton").fill(line.get_attribute("max") if line.count() else "7")


@contextlib.contextmanager
def new_kernel(notebook: Path) -> Iterator[BlockingKernelClient]:
    """Yield the client of a kernel in which a notebook has run as for a page, and `page` is its table."""
    with page.kernel_for(notebook) as client:
        page.build_in(client, nbformat.read(notebook, 4), notebook.name, 0, lambda _share: None)
        yield client


def compare(one, built: page.Built, client: BlockingKernelClient, n: int, seed: int = 1) -> int:
    """Hold an open page to the kernel of `page` in `n` states; return how many different ones there were."""
    rng, states = random.Random(seed), set()
    one.evaluate(f"() => {{ {PAGE} }}")
    page.ask(client, KERNEL)
    views = [*range(len(built.table["views"]))]
    for _ in range(n):
        states.add(json.dumps(compare_now(one, built, client, views)))
        go_on(one, rng)
    return len(states)


def compare_now(one, built: page.Built, client: BlockingKernelClient, views: list[int]) -> dict:
    """Hold what these views show on a page to what they show in the kernel; return the page's state."""
    seen, printed = one.evaluate("(views) => seen(views)", views), []
    wanted = json.dumps(states_of(built.table, views, seen["state"], seen["shown"]))
    page.ask(client, f"await _show({views}, json.loads({wanted!r}))", printed.append)
    found = differences(seen["shown"], json.loads("".join(printed)))
    assert found == [], (seen["state"], found)
    return seen["state"]


def compare_all(one, built: page.Built, client: BlockingKernelClient) -> int:
    """Hold all that each view can show on a page to the kernel of `page`; return how many states that took."""
    one.evaluate(f"() => {{ {PAGE} {ALL} }}")
    page.ask(client, KERNEL)
    n = 0
    for number in range(len(built.table["views"])):
        views = one.evaluate("(number) => chain(number)", number)
        for state in one.evaluate("(number) => allStates(number)", number):
            one.evaluate("(state) => become(state)", state)
            compare_now(one, built, client, views)
            n += 1
    return n


def go_on(one, rng: random.Random, most: int = 4) -> None:
    """Let some things happen on a page, each in another place."""
    offers = one.evaluate("canBeSent()")
    rng.shuffle(offers)
    for widget, trait, values in offers:
        rng.shuffle(values)
        if one.evaluate("(offer) => sendOne(...offer)", [widget, trait, values]):
            settle(one)
            most -= 1
        if not most:
            return


def play(one) -> int:
    """Open folds, answer cards, and move every control that can be moved, from the top to the end, as a reader does.

    No control that is not pale may be refused; those on the sampler's cards are never pale. Return how many were moved.
    """
    n = 0
    for fold in one.locator("details.fold > summary").all():
        fold.click()
    settle(one)
    for cell in one.locator("[data-widget]").all():
        n += show_all(cell, guess=True)
        controls = cell.locator("input:enabled, select:enabled, button.jupyter-button:enabled")
        for control in controls.element_handles():  # A locator may mean another one after a move.
            if control.is_visible() and control.is_enabled():
                one.evaluate(FORGET)
                # Asked before: what is moved may be gone afterwards.
                place = control.evaluate("el => el.closest('figure, .jupyter-widgets').innerText")
                is_never_pale = control.evaluate("el => el.closest('.lv-sampler_cards') !== null")
                move(control)
                settle(one)
                n += 1
                told = one.locator(".told").all_inner_texts()
                assert is_never_pale or told in ([], [""]), (told, place)
                assert one.locator(".lv-stale").count() == 0, place
    return n


def move(control) -> None:
    """Move a control as a hand would."""
    match control.evaluate("(el) => el.tagName === 'INPUT' ? el.type : el.tagName"):
        case "range":
            control.press("ArrowRight")
            control.press("ArrowLeft")
        case "SELECT":
            values = control.eval_on_selector_all("option:enabled", "all => all.map((one) => one.value)")
            control.select_option(values[-1])
        case "number":
            control.fill(control.get_attribute("max"))  # of the values that the page holds
            control.press("Enter")
        case "checkbox" | "BUTTON":
            control.click()


def fits_a_phone(one) -> None:
    """Nothing is wider than the screen."""
    one.set_viewport_size({"width": 390, "height": 900})
    settle(one)
    assert one.evaluate("document.documentElement.scrollWidth") <= 390
