// The kernel's place: answers the controls with what was computed beforehand, and with nothing else.

"use strict";

/* oxlint-disable no-underscore-dangle -- ipywidgets names things so */

const HOW = 'It needs a kernel: <a href="#kernel">how to get one</a>.';

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** A value from its JSON, with bytes in place of {"$bytes": …}. */
const parsed = (json) =>
  JSON.parse(json, (_, value) =>
    typeof value?.$bytes === "string"
      ? new DataView(Uint8Array.from(atob(value.$bytes), (letter) => letter.charCodeAt(0)).buffer)
      : value,
  );

// ---- the widgets' own scripts, which expect a page of the classic notebook ----

function loadScripts(sources) {
  const modules = {};
  const run = (source, define) => {
    const stage = { WidgetManager: null, version: "6.5.0", notebook: { container: { on() {} } } };
    const events = { on() {} };
    const area = { OutputArea: { prototype: { register_mime_type() {} } } };
    const require = (names, then) => names.includes("notebook/js/outputarea") && then(stage, events, area);
    require.config = () => {};
    window.requirejs = require;
    new Function("define", "requirejs", "Jupyter", source)(define, require, stage);
    delete window.requirejs;
  };
  run(sources.ipywidgets, (_, factory) => (modules.jupyter = factory({ uri: "page.js" })));
  modules.jupyter.load_ipython_extension(); // its style sheets
  run(sources.anywidget, (_, factory) => (modules.anywidget = factory(modules.jupyter)));
  if (sources.plotly) new Function(sources.plotly).call(window);
  return modules;
}

/** What widgets need of a page: models by id, and views of them. */
class Manager {
  constructor(modules, states, values, send) {
    Object.assign(this, { modules, states, values, send, models: new Map() });
  }
  value(number) {
    return parsed(this.values[number]);
  }
  known(id) {
    return this.models.has(id) || id in this.states;
  }
  get_model(id) {
    if (!this.models.has(id)) this.models.set(id, this.make(id, this.states[id]));
    return this.models.get(id);
  }
  has_model(id) {
    return this.known(id);
  }
  async make(id, state) {
    if (!state) throw new Error(`there is no widget ${id}`);
    const raw = Object.fromEntries(Object.entries(state).map(([name, number]) => [name, this.value(number)]));
    const Model = this.kind(raw._model_module, raw._model_name);
    const comm = {
      comm_id: id,
      on_msg() {},
      on_close() {},
      close() {},
      send: (data, callbacks) => {
        this.send(id, data);
        setTimeout(() => callbacks?.iopub?.status?.({ content: { execution_state: "idle" } }));
        return "";
      },
    };
    const model = new Model(await Model._deserialize_state(raw, this), { model_id: id, comm, widget_manager: this });
    model.name = raw._model_name;
    model.module = raw._model_module;
    return model;
  }
  kind(module, name) {
    return (module === "anywidget" ? this.modules.anywidget : this.modules.jupyter)[name];
  }
  create_view(model, options = {}) {
    const View = this.kind(model.get("_view_module"), model.get("_view_name"));
    const made = (model.state_change = model.state_change.then(async () => {
      const view = new View({ model, options });
      view.listenTo(model, "destroy", view.remove);
      await view.render();
      this.dress?.(model, view);
      return view;
    }));
    const key = `${Math.random()}`;
    if (model.views) model.views[key] = made;
    made.then((view) => view.once("remove", () => model.views && delete model.views[key]));
    return made;
  }
  callbacks() {
    return {};
  }
  resolveUrl(url) {
    return Promise.resolve(url);
  }
  inline_sanitize(html) {
    const node = document.createElement("span");
    node.textContent = html;
    return node.innerHTML;
  }
  async set(id, numbers) {
    const model = await this.get_model(id);
    const raw = Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, this.value(number)]));
    model.set_state(await model.constructor._deserialize_state(raw, this));
  }
}

// ---- spaces: pictures whose controls act on each other, as a graph of states ----

const same = (a, b, anyOrder) => {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    if (!anyOrder) return a.every((one, i) => same(one, b[i]));
    return a.every((one) => b.some((other) => same(one, other)));
  }
  if (a && b && typeof a === "object" && typeof b === "object") {
    return Object.keys({ ...a, ...b }).every((key) => same(a[key], b[key]));
  }
  return a === b;
};

class Space {
  constructor(manager, told, outlets) {
    Object.assign(this, { manager, told, outlets, at: 0 });
    this.controls = told.controls.map(([id, trait, kind, values], index) => ({
      id,
      trait,
      kind,
      index,
      values: manager.value(values),
      get start() {
        return manager.value(manager.states[id][trait]); // committing to a guess may change it
      },
    }));
  }

  /** All ways to the state of now: each says which controls were moved to which of their values. */
  get ways() {
    const pairs = (key) => (key ? key.split(";").map((one) => one.split("=").map(Number)) : []);
    const found = Object.keys(this.told.reach).filter((key) => this.told.reach[key] === this.at);
    return found.map(pairs).toSorted((a, b) => a.length - b.length); // none behind a button, or after an event
  }
  key(moved) {
    return [...moved].toSorted((a, b) => a[0] - b[0]).map(([c, v]) => `${c}=${v}`).join(";"); // prettier-ignore
  }
  reach(moved) {
    return this.told.reach[this.key(moved)];
  }

  /** The same, if the control stands there: another one, moved after it, may have moved it, too. */
  reachWith(control, value, moved) {
    const state = this.reach(moved);
    const stands = state !== undefined && same(this.value(control, state), value, control.kind === "set");
    return stands ? state : undefined;
  }

  /** Where a control's new value leads; undefined where that was not computed. */
  lead(control, value, others) {
    const moved = new Map(others);
    moved.delete(control.index);
    if (same(value, control.start, control.kind === "set")) return this.reachWith(control, value, moved);
    this.nearby = false;
    const exact = control.values.findIndex((one) => same(one, value, control.kind === "set"));
    if (exact >= 0) {
      const found = this.reachWith(control, value, moved.set(control.index, exact));
      if (found !== undefined || control.kind !== "line") return found;
      moved.delete(control.index);
    }
    return control.kind === "line" ? this.near(control, value, moved) : undefined;
  }

  /** On a line: the nearest value that was computed, and one in the direction of the move if there is one. */
  near(control, value, moved) {
    const now = this.value(control);
    const axis = axisOf(now, value);
    if (axis === null) return undefined;
    const [from, to] = [part(now, axis), part(value, axis)];
    let best;
    control.values.concat([control.start]).forEach((one, v) => {
      if (axisOf(value, one) !== axis && axisOf(value, one) !== null) return;
      const place = part(one, axis);
      if ((place - from) * (to - from) <= 0) return; // not the way the hand went
      const there = v < control.values.length ? new Map(moved).set(control.index, v) : moved;
      const state = this.reachWith(control, one, there);
      if (state !== undefined && (!best || Math.abs(place - to) < best.far))
        best = { far: Math.abs(place - to), state };
    });
    this.nearby = best !== undefined;
    return best?.state;
  }

  /** What a state has made of a trait, if it is not as at the start. */
  moves(widget, name, state = this.at) {
    return this.told.states[state].changed.find(([id, trait]) => id === widget && trait === name);
  }

  /** Where a control stands. */
  value(control, state = this.at) {
    const found = this.moves(control.id, control.trait, state);
    return found ? this.manager.value(found[2]) : control.start;
  }

  /** `ahead` tells whether the hand has moved on since. */
  move(control, value, ahead = () => false) {
    const { ways } = this;
    const asks = ([c]) => this.controls[c].kind === "probe";
    const lead = (others) => this.lead(control, value, others);
    const first = (several) => {
      for (const one of several) {
        const found = lead(one);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    let state = first(ways) ?? first(ways.map((way) => way.filter((one) => !asks(one))));
    if (state !== undefined) return this.go(state, false, { control, ahead });
    if (control.kind !== "probe" || this.at === 0) state = lead([]);
    if (state !== undefined) return this.go(state, true, { control, ahead });
    return this.refuse(control.id, control.trait);
  }

  press(id) {
    const { press } = this.told;
    const here = press[this.at]?.[id];
    if (here !== undefined) return this.go(here, false);
    if (press[0]?.[id] !== undefined) return this.go(press[0][id], true);
    return this.refuse(id);
  }

  /** Everything as it is in a state; what the reader had moved besides is put back, and seen to be. */
  async go(state, putBack, mover) {
    const lost = this.at !== 0 && this.ways.length === 0 && putBack;
    const [before, after] = [this.told.states[this.at], this.told.states[state]];
    this.at = state;
    const changes = new Map();
    const put = (id, trait, number) => changes.set(id, { ...changes.get(id), [trait]: number });
    for (const [id, trait] of before.changed) put(id, trait, this.manager.states[id][trait]);
    for (const { id, trait } of this.controls) put(id, trait, this.manager.states[id][trait]);
    for (const [id, trait, number] of after.changed) put(id, trait, number);
    if (mover?.ahead()) delete changes.get(mover.control.id)[mover.control.trait]; // the hand is further already
    Object.assign(
      this.manager.states,
      Object.fromEntries(Object.entries(after.new).filter(([id]) => !this.manager.known(id))),
    );
    for (const [id, numbers] of changes) await this.manager.set(id, numbers);
    this.say("");
    if (!putBack) return;
    const moved = ({ id, trait }, { changed }) => changed.some((one) => one[0] === id && one[1] === trait);
    const back = this.controls.filter((one) => moved(one, before) && !moved(one, after) && one !== mover?.control);
    for (const { id } of back) flash(await this.manager.get_model(id));
    if (back.length || lost)
      this.say(`What you had moved before is back at its start: both together were not computed. ${HOW}`);
  }

  async refuse(id, trait) {
    if (trait) {
      const found = this.moves(id, trait);
      await this.manager.set(id, { [trait]: found ? found[2] : this.manager.states[id][trait] });
      flash(await this.manager.get_model(id));
    }
    this.say(`This was not computed for the page. ${HOW}`);
  }

  say(html) {
    for (const outlet of this.outlets) if (outlet.innerHTML !== html) outlet.innerHTML = html;
  }
}

/** Where two values of a line differ: a key, or "" for numbers; null where they don't, or in several. */
function axisOf(a, b) {
  if (typeof a === "number") return a === b ? null : "";
  const keys = Object.keys(a).filter((key) => !same(a[key], b[key]));
  return keys.length === 1 ? keys[0] : null;
}
const part = (value, axis) => (axis === "" ? value : value[axis]);

async function flash(model) {
  for (const made of Object.values(model.views ?? {})) {
    const { el } = await made;
    el.classList.add("put-back");
    setTimeout(() => el.classList.remove("put-back"), 1500);
  }
}

// ---- the page ----

async function start() {
  themes();
  const told = await unpack(document.getElementById("packed").textContent);
  const modules = loadScripts(told.scripts);
  const byControl = new Map();
  const byButton = new Map();
  const latest = new Map(); // the newest message about each trait
  let queue = Promise.resolve();

  const handle = async (id, data) => {
    if (data.method === "custom") {
      if (data.content?.event === "click") await byButton.get(id)?.press(id);
      return;
    }
    if (data.method !== "update") return;
    if (told.cards[id]) {
      await answer(id, data.state);
      return;
    }
    for (const [trait, value] of Object.entries(data.state)) {
      const found = byControl.get(`${id} ${trait}`);
      const ahead = () => latest.get(`${id} ${trait}`) !== data;
      if (found && !ahead()) await found.space.move(found.control, value, ahead);
    }
  };
  const manager = new Manager(modules, told.widgets, told.values, (id, data) => {
    const copy = structuredClone(data);
    for (const trait of Object.keys(copy.state ?? {})) latest.set(`${id} ${trait}`, copy);
    queue = queue.then(() => handle(id, copy)).catch((error) => console.error(error));
  });

  /** A card: what it says and shows lies here, and comes when the reader has committed. */
  const answer = async (id, state) => {
    if (!("committed" in state)) return;
    const card = told.cards[id];
    const guess = (await manager.get_model(id)).get("guess");
    const known = Object.keys(card.told).find((one) => same(JSON.parse(one), guess));
    for (const [widget, trait, number] of state.committed ? card.shown : card.hidden) {
      if (widget === id && trait === "guess") continue;
      told.widgets[widget][trait] = number;
      if (spaces.some((one) => one.moves(widget, trait))) continue; // it is elsewhere now
      const its = state.committed && widget === id && trait === "verdict" && known !== undefined;
      await manager.set(widget, { [trait]: its ? card.told[known] : number });
    }
  };

  // At the start no card is committed; what was done last is taken back first.
  for (const card of Object.values(told.cards).toReversed())
    for (const [widget, trait, number] of card.hidden) told.widgets[widget][trait] = number;
  const spaces = [];
  for (const space of told.spaces) {
    const outlets = [];
    for (const root of space.roots) {
      for (const place of document.querySelectorAll(`[data-widget="${root}"]`)) {
        const outlet = Object.assign(document.createElement("div"), { className: "told" });
        outlet.setAttribute("role", "status");
        place.after(outlet);
        outlets.push(outlet);
      }
    }
    const one = new Space(manager, space, outlets);
    spaces.push(one);
    const free = new Set(space.free.map((place) => place.join(" ")));
    for (const control of one.controls.filter(({ id, trait }) => !free.has(`${id} ${trait}`)))
      byControl.set(`${control.id} ${control.trait}`, { space: one, control });
    for (const id of space.buttons) byButton.set(id, one);
  }
  const pressed = new Set(
    told.spaces.flatMap((one) => Object.values(one.press).flatMap((edges) => Object.keys(edges))),
  );
  manager.dress = (model, view) => {
    const typed = ["TextModel", "TextareaModel"].includes(model.name);
    const hidden = model.get("disabled") || model.get("layout")?.get("display") === "none";
    const button = model.name === "ButtonModel" && !hidden && !pressed.has(model.model_id);
    const card = told.cards[model.model_id]?.told === null;
    if (!typed && !button && !card) return;
    const disable = () => {
      for (const one of [view.el, ...view.el.querySelectorAll("input, textarea, button")]) one.disabled = true;
    };
    disable();
    if (card) new MutationObserver(disable).observe(view.el, { childList: true, subtree: true }); // it draws later
    view.el.title = "This needs a kernel; the note at the top says how to get one.";
    if (typed && model.get("layout")?.get("display") === "none") return;
    const note = Object.assign(document.createElement("a"), { className: "needs-kernel", href: "#kernel" });
    note.textContent = typed ? "another text needs a kernel" : "needs a kernel";
    requestAnimationFrame(() => {
      const said = [...(view.el.closest("[data-widget]")?.querySelectorAll(".needs-kernel") ?? [])];
      if (!typed || !said.some((one) => one.textContent === note.textContent)) view.el.after(note); // once in a table
    });
  };
  // anywidget gives each model two seconds before it takes messages from a kernel. A slow phone needs more, and there is
  // no kernel: nobody waits for that promise.
  window.addEventListener("unhandledrejection", (event) => {
    if (event.reason?.message === "[anywidget] Failed to initialize model.") event.preventDefault();
  });
  window.replay = { manager, told, spaces: byControl, settled: () => queue };

  const show = async (place) => {
    if (place.dataset.plotly) {
      const figure = JSON.parse(place.dataset.plotly);
      await window.Plotly.newPlot(place, figure.data, figure.layout, { ...figure.config, responsive: true });
      return;
    }
    const view = await manager.create_view(await manager.get_model(place.dataset.widget));
    modules.jupyter.JupyterLuminoWidget.attach(view.luminoWidget, place);
  };
  for (const place of document.querySelectorAll("[data-widget], [data-plotly]")) {
    const fold = place.parentElement.closest("details:not([open])"); // a picture needs a width to be drawn
    if (!fold) await show(place);
    else {
      const open = () => place.checkVisibility() && (removeEventListener("toggle", open, true), show(place));
      addEventListener("toggle", open, true);
    }
    await new Promise((done) => setTimeout(done)); // the page is read meanwhile
  }
  document.body.dataset.ready = "";
}

/** Light or dark as the reader's system is, and as the reader wants; light on paper. */
function themes() {
  const button = Object.assign(document.createElement("button"), { className: "switch-theme", type: "button" });
  const isLight = () => document.body.dataset.jpThemeLight === "true";
  const set = (light) => {
    document.documentElement.dataset.theme = light ? "light" : "dark";
    document.body.dataset.jpThemeLight = light;
    button.textContent = light ? "dark" : "light";
  };
  button.addEventListener("click", () => set(!isLight()));
  set(isLight());
  document.body.prepend(button);
  let before = true;
  addEventListener("beforeprint", () => {
    before = isLight();
    set(true);
  });
  addEventListener("afterprint", () => set(before));
}

start();
