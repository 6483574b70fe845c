// A page without Python: looks up in a table what each control brings about, and shows it. controls.js comes before.

"use strict";

const { FULL, Model, canonical, parsed, pending, say, sayOnce, showAll, unpack } = globalThis.pageControls;
const NOT_HELD = "This page has no result for that choice. The full version does.";
const OTHERS = 'The other choices need <a href="#full">the full version</a>';
const CHOICES = /^(SelectionSlider|Dropdown|ToggleButtons)Model$/;
const BOXES = /^Bounded(Int|Float)TextModel$/;
const NO_CONTROL = /^(HTML|Label|FloatProgress|H?V?Box|Any)Model$/;
const NO_JSON = /^\{"\$python"/; // how a value begins that an address cannot hold
const QUANTITIES = /^(guess|settings|step|tip)$/; // traits of pictures for which the nearest number will do

/** The leaf of a state, and of the number of what was sent; undefined where the page doesn't hold it. */
function find(rules, state, sent) {
  for (const [fields, leaves] of rules ?? []) {
    const leaf = leaves[fields.map((field) => (field === "in" ? sent : state[field])).join(",")];
    if (leaf !== undefined) return leaf;
  }
  return undefined;
}

/** Does what the rules say depend on one of these fields? */
const read = (rules, changed) => rules.some(([fields]) => fields.some((field) => changed.has(field)));

/** The numbers that a quantity consists of; null where it is none. */
function numbersIn(value) {
  const entries = value && typeof value === "object" ? Object.entries(value).toSorted() : [["", value]];
  return entries.every(([, part]) => typeof part === "number") ? entries.map(([, part]) => part) : null;
}

let byKeys = false; // was the last thing that the hand did a key?
for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, () => (byKeys = kind === "keydown"), true);

class Page {
  queue = []; // what pictures send while they are drawn
  shown = []; // the model of each element
  models = new Map();
  events = new Map(); // the rules by "<id> <trait>"
  drawers = new Map(); // by widget, the rules of what it shows
  readers = new Map(); // by field, the widgets that it may change
  full = new Set();
  timers = new Map();

  constructor(table) {
    Object.assign(this, { table, values: table.values, state: { ...table.state } });
    for (const view of table.views) {
      for (const id of view.full ?? []) this.full.add(id);
      for (const [key, rules] of Object.entries(view.events ?? {})) this.events.set(key, { rules });
      for (const [id, rules] of Object.entries(view.widgets ?? {})) {
        this.drawers.set(id, [...(this.drawers.get(id) ?? []), rules]);
        for (const [fields] of rules)
          for (const field of fields) this.readers.set(field, (this.readers.get(field) ?? new Set()).add(id));
      }
    }
    if (!this.read() && location.hash.startsWith("#state=")) say(NOT_HELD);
    for (const id of this.drawers.keys()) this.model(id).take(this.drawn(id));
  }
  model(id) {
    if (!this.models.has(id)) this.models.set(id, new Model(this, id, this.table.widgets[id]));
    return this.models.get(id);
  }
  // ---- what follows from what ----

  isHeld(id, state) {
    return this.drawers.get(id).every((rules) => find(rules, state) !== undefined);
  }
  /** What a widget shows now. */
  drawn(id) {
    const rules = this.drawers.get(id) ?? [];
    return Object.assign({}, ...rules.map((rule) => this.table.drawn[find(rule, this.state)]));
  }
  /** Which values an event may send, by their canonical texts. */
  sent(event) {
    const numbers = () =>
      event.rules.flatMap(([fields, leaves]) => {
        const at = fields.indexOf("in");
        return at < 0 ? [] : Object.keys(leaves).map((key) => Number(key.split(",")[at]));
      });
    event.sent ??= new Map([...new Set(numbers())].map((number) => [canonical(parsed(this.values[number])), number]));
    return event.sent;
  }
  /** What comes of some writes, with the followers that follow; undefined where the page doesn't hold it. */
  after(writes) {
    if (!writes) return undefined;
    const [state, changed] = [{ ...this.state }, new Set()];
    const write = (fields) => {
      Object.assign(state, fields);
      for (const field in fields) if (state[field] !== this.state[field]) changed.add(field);
    };
    write(writes);
    for (const [number, view] of this.table.views.entries()) {
      if (view.follows.some((run) => changed.has(run))) write(this.fitted(view, state));
      if (!read(view.handed, changed)) continue;
      const run = find(view.handed, state);
      if (run === undefined) return undefined;
      write({ [`${number}:run`]: run });
    }
    return this.reached(state, changed);
  }
  /** A state for a view that follows a new run: its fields that last stay as they are, where the page holds that. */
  fitted(view, state) {
    const begin = this.table.writes[find(view.fits, state)];
    const kept = { ...state, ...begin };
    for (const field of view.lasting) kept[field] = state[field];
    return Object.keys(view.widgets).every((id) => this.isHeld(id, kept)) ? kept : { ...state, ...begin };
  }
  reached(state, fields) {
    const changed = new Set(fields);
    const touched = new Set([...changed].flatMap((field) => [...(this.readers.get(field) ?? [])]));
    const goesOn = (view) => !read(view.by_itself, changed) || find(view.by_itself, state);
    const isHeld = [...touched].every((id) => this.isHeld(id, state)) && this.table.views.every(goesOn);
    return isHeld ? { state, changed, touched } : undefined;
  }
  exactly(event, value) {
    return this.after(this.table.writes[find(event.rules, this.state, this.sent(event).get(canonical(value)))]);
  }
  /** What leads to the nearest number that the page holds. steps: only one on the way from `now`, as a key goes. */
  nearest(event, value, now, steps) {
    const [wanted, from] = [numbersIn(value), numbersIn(now)];
    const sum = (numbers, of) => numbers.reduce((total, x, i) => total + of(x, i), 0);
    const weight = (i) => (wanted[i] === from?.[i] ? 1e6 : 1); // what was not moved stays, if it can
    const far = (numbers) => sum(numbers, (x, i) => Math.abs(x - wanted[i]) * weight(i));
    const isAhead = (numbers) => sum(numbers, (x, i) => (x - from[i]) * (wanted[i] - from[i])) > 0;
    const near = [...this.sent(event).keys()]
      .map((text) => [text, numbersIn(JSON.parse(text))])
      .filter(([, numbers]) => wanted && numbers?.length === wanted.length && !(steps && from && !isAhead(numbers)))
      .toSorted(([, a], [, b]) => far(a) - far(b));
    for (const [taken] of near) {
      const outcome = this.exactly(event, JSON.parse(taken));
      if (outcome) return { ...outcome, taken };
    }
    return undefined;
  }

  // ---- what happens ----

  /** Take what a widget has sent, where the page holds it; says whether it does. before: what the widget held. */
  happen(model, trait, value, before) {
    if (this.showing) return void this.queue.push([model, trait, value, before]);
    const event = this.events.get(`${model.id} ${trait}`);
    if (!event) return false; // a picture's own affair
    const drawn = this.drawn(model.id)[trait];
    const now = drawn === undefined ? before : parsed(this.values[drawn]);
    const [isSlider, isBox, isGuess] = [/Slider/.test(model.kind), BOXES.test(model.kind), trait === "guess"];
    const isQuantity = isSlider || isBox || QUANTITIES.test(trait);
    const near = () => (isQuantity ? this.nearest(event, value, now, byKeys && !isBox && !isGuess) : undefined);
    const outcome = this.exactly(event, value) ?? near();
    const isTaken = outcome && (isBox || isGuess || outcome.taken !== canonical(now)); // else dragged, not far yet
    const guess = trait === "committed" ? model.get("guess") : null;
    if (outcome) this.become(outcome, isGuess && outcome.taken ? model : null); // who types 12 types 1 first
    const isAtItsEnd = !outcome && isSlider && !model.limits.reason; // it holds others, but none that way
    if ((!outcome && !isAtItsEnd) || (!isTaken && model.limits.reason)) say(NOT_HELD);
    else say(isBox && outcome.taken ? `This page doesn't hold ${value}, so it shows ${outcome.taken}.` : "");
    const number = this.drawn(model.id)[trait];
    if (number !== undefined && !(isGuess && outcome?.taken)) model.tell(model.take({ [trait]: number }));
    else if (!outcome && trait !== "click") model.put({ [trait]: before });
    const took = model.get("guess") ?? guess;
    if (guess !== null && took !== guess) say(`This page doesn't hold the guess ${guess}, so it took ${took}.`);
    return Boolean(isTaken);
  }
  /** Show another state. typing: the card in which somebody types a guess, which stays. */
  become({ state, changed, touched }, typing = null) {
    Object.assign(this, { state, showing: true });
    const news = [...touched].map((id) => {
      const [model, drawn] = [this.model(id), this.drawn(id)];
      if (model === typing) delete drawn.guess;
      return [model, model.take(drawn)];
    });
    for (const [model, names] of news) model.tell(names);
    this.showing = false;
    for (const view of this.table.views) if (read(view.by_itself, changed)) this.wait(view);
    if (changed.size) this.soon();
    for (const message of this.queue.splice(0)) this.happen(...message);
  }
  /** Let what happens next by itself happen, if anything does. */
  wait(view) {
    clearTimeout(this.timers.get(view));
    const [number, seconds] = find(view.by_itself, this.state) ?? [];
    const next = () => {
      const outcome = this.after(this.table.writes[number]);
      if (outcome?.changed.size) this.become(outcome);
    };
    if (seconds !== undefined) this.timers.set(view, setTimeout(next, 1000 * seconds));
  }
  /** A moment after a change, when the hand rests: which controls are pale, and the address. */
  soon() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.catchUp(), 40);
  }
  catchUp() {
    clearTimeout(this.later);
    this.later = undefined;
    for (const model of new Set(this.shown)) this.limit(model);
    sayOnce();
    this.write();
  }

  // ---- what can be sent ----

  /** Say to a control which of its values the page holds, and why it is pale where it holds no other. */
  limit(model) {
    model.limits = this.limits(model);
    model.emit("limits");
  }
  limits(model) {
    const others = CHOICES.test(model.kind) ? OTHERS : FULL;
    const trait = ["click", "index", "value"].find((name) => this.events.has(`${model.id} ${name}`));
    if (this.full.has(model.id) || this.hasNoAnswer(model)) return { reason: FULL, holds: () => false };
    if (NO_CONTROL.test(model.kind)) return {};
    if (!trait) return { reason: others, holds: () => false };
    const event = this.events.get(`${model.id} ${trait}`);
    const values = [...this.sent(event).keys()].map((text) => JSON.parse(text));
    if (/^Text(area)?Model$/.test(model.kind) && values.length < 2) return { reason: FULL };
    const now = canonical(model.get(trait) ?? null);
    const holds = (value) => canonical(value) === now || Boolean(this.exactly(event, value));
    const isAlive = trait === "click" ? holds() : values.some((value) => canonical(value) !== now && holds(value));
    return { reason: isAlive ? "" : others, holds, values };
  }
  /** A card that is open and stays so: its experiment took too long for the page, or needs one that did. */
  hasNoAnswer(model) {
    const isOpen = model.get("committed") === false && (model.get("guess") ?? null) === null;
    const event = isOpen && this.events.get(`${model.id} committed`);
    return Boolean(event) && !this.exactly(event, true)?.changed.size;
  }

  // ---- the address ----

  write() {
    const differs = Object.entries(this.state).filter(
      ([f, n]) => n !== this.table.state[f] && !NO_JSON.test(this.values[n]),
    );
    const texts = Object.fromEntries(differs.map(([field, number]) => [field, this.values[number]]));
    const hash = differs.length ? `#state=${encodeURIComponent(JSON.stringify(texts))}` : "";
    if (!hash && !location.hash.startsWith("#state=")) return;
    try {
      history.replaceState(null, "", hash || location.pathname + location.search);
    } catch {} // a page within another one may have no address of its own
  }
  /** Take the state of the address, where there is one that the page holds. */
  read() {
    try {
      const texts = JSON.parse(decodeURIComponent(location.hash.replace(/^#state=/, "")));
      const numbers = new Map(this.values.map((text, number) => [text, number]));
      const writes = Object.entries(texts).map(([field, text]) => [field, numbers.get(text)]);
      const state = { ...this.table.state, ...Object.fromEntries(writes) };
      const outcome = this.reached(state, Object.keys(texts));
      if (outcome) this.state = state;
      return Boolean(outcome);
    } catch {
      return false; // cut off on its way, or none
    }
  }

  held(id, trait, value) {
    const event = this.events.get(`${id} ${trait}`);
    return Boolean(event && this.exactly(event, value));
  }
  /** All that was begun is shown. */
  async settled() {
    while (pending.size) await Promise.all(pending);
    if (this.later) this.catchUp();
    await new Promise(requestAnimationFrame);
  }
}

async function start() {
  const page = new Page(await unpack(document.getElementById("packed").textContent));
  window.replay = page;
  await showAll(page);
  for (const view of page.table.views) page.wait(view);
  await page.settled();
  document.body.dataset.ready = "";
}

start();
