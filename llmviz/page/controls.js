// The elements of a page's widgets: native HTML for controls, which send what they are set to, and our own pictures.

"use strict";

/* oxlint-disable no-underscore-dangle -- ipywidgets names things so */

{
  // The block keeps its names from other scripts.

  // ---- what a widget holds ----

  const FULL = 'This needs <a href="#full">the full version</a>';

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  /** A value from its JSON, with bytes in place of {"$bytes": …}. */
  const parsed = (json) =>
    JSON.parse(json || "null", (_, value) =>
      typeof value?.$bytes === "string"
        ? new DataView(Uint8Array.from(atob(value.$bytes), (letter) => letter.charCodeAt(0)).buffer)
        : value,
    );

  let bytesSeen = 0;
  /** The same text for the same value, whoever wrote it: keys in order, floats rounded to 9 places. */
  const canonical = (value) =>
    JSON.stringify(value, (_, inner) => {
      if (typeof inner === "number") return Number(inner.toFixed(9));
      if (inner instanceof DataView) return ++bytesSeen; // never compared by its content
      if (!inner || typeof inner !== "object" || Array.isArray(inner)) return inner;
      return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    });

  /** A widget: what anywidget's modules expect of a model, with values that are parsed when they are needed. */
  class Model {
    constructor(page, id, { kind, state }) {
      Object.assign(this, { page, id, kind, numbers: { ...state }, values: {}, unsaved: new Map(), limits: {} });
      this.values.explains = false; // Only a kernel can say where each number is from.
      this.listeners = new Map();
      this.widget_manager = { get_model: async (other) => page.model(other) };
    }
    get(name) {
      if (!(name in this.values) && name in this.numbers)
        this.values[name] = parsed(this.page.values[this.numbers[name]]);
      return this.values[name];
    }
    set(name, value) {
      if (canonical(value) === canonical(this.get(name))) return;
      if (!this.unsaved.has(name)) this.unsaved.set(name, this.get(name));
      this.values[name] = value;
      delete this.numbers[name];
      this.tell([name]);
    }
    save_changes() {
      const sent = [...this.unsaved];
      this.unsaved.clear();
      for (const [name, before] of sent) this.page.happen(this, name, this.get(name), before);
    }
    /** Does the page hold what would come of a value? */
    can(trait, value) {
      return this.page.held(this.id, trait, value);
    }
    send(content) {
      if (content?.event === "click") this.page.happen(this, "click");
    }
    on(names, listener) {
      for (const name of names.split(" ")) this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
    }
    off(names, listener) {
      const rest = (name) => (this.listeners.get(name) ?? []).filter((other) => other !== listener);
      for (const name of names.split(" ")) this.listeners.set(name, rest(name));
    }
    emit(name, ...what) {
      for (const listener of this.listeners.get(name) ?? []) listener(...what);
    }
    tell(names) {
      for (const name of names) this.emit(`change:${name}`, this, this.get(name));
      if (names.length) this.emit("change", this);
    }
    /** Take what the page says, by the numbers of the values; returns what has changed by it. */
    take(numbers) {
      const differs = ([name, number]) => {
        if (this.numbers[name] === number) return false;
        const before = name in this.numbers ? undefined : canonical(this.values[name]);
        delete this.values[name];
        this.numbers[name] = number;
        return before === undefined || before !== canonical(this.get(name));
      };
      return Object.entries(numbers)
        .filter(differs)
        .map(([name]) => name);
    }
    /** Set values here only. */
    put(traits) {
      for (const [name, value] of Object.entries(traits)) {
        this.set(name, value);
        this.unsaved.delete(name);
      }
    }
    /** The widget that a trait refers to, such as `style`. */
    other(trait) {
      return this.get(trait) && this.page.model(this.get(trait).replace("IPY_MODEL_", ""));
    }
    layout() {
      const layout = this.other("layout");
      const traits = Object.keys(layout?.numbers ?? {}).filter((name) => !name.startsWith("_"));
      return traits.map((name) => [name, layout.get(name)]);
    }
  }

  // ---- elements ----

  let made = 0; // how many elements have an id of ours

  function h(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  const textOf = (markup) => h("i", { innerHTML: markup }).textContent;

  /** Give an element a child for each text, made again only where the texts are others. */
  function fillWith(parent, texts, make) {
    const key = JSON.stringify(texts);
    if (parent.key !== key) parent.replaceChildren(...texts.map(make));
    parent.key = key;
  }

  /** Set what a widget sends, as its picture would: the page answers, or puts it back. */
  function send(model, trait, value) {
    model.set(trait, value);
    model.save_changes();
  }

  // ---- numbers ----

  /** How far along its line a range input is, for the colour that fills it. */
  const along = ({ min, max, value }) => `${(100 * (value - min)) / (max - min || 1)}%`;

  function slider(model) {
    const chooses = model.kind === "SelectionSliderModel";
    const trait = chooses ? "index" : "value";
    const input = h("input", { type: "range" });
    const output = h("output", { className: "widget-readout" });
    const places = model.kind.startsWith("Int") ? 0 : 2; // as ipywidgets writes a number beside a slider
    const text = (value) => (chooses ? model.get("_options_labels")[value] : value.toFixed(places).replace("-", "−"));
    const read = () => {
      output.textContent = text(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
      input.style.setProperty("--to", along(input));
    };
    input.addEventListener("input", () => {
      read();
      send(model, trait, Number(input.value));
    });
    return {
      look: "widget-slider widget-hslider",
      parts: [input, output],
      named: input,
      show(off) {
        const last = chooses ? model.get("_options_labels").length - 1 : model.get("max");
        Object.assign(input, { min: chooses ? 0 : model.get("min"), max: last, step: chooses ? 1 : model.get("step") });
        input.value = model.get(trait);
        input.disabled = off;
        read();
      },
    };
  }

  function numberBox(model) {
    const input = h("input", { type: "number" });
    input.addEventListener("change", () => {
      const value = Math.min(Math.max(Number(input.value), model.get("min")), model.get("max"));
      const whole = model.kind.includes("Int") ? Math.round(value) : value;
      send(model, "value", input.value === "" ? model.get("value") : whole);
      input.value = model.get("value"); // also where nothing has changed
    });
    return {
      look: "widget-text",
      parts: [input],
      named: input,
      show(off) {
        const held = model.limits.values;
        const [min, max] = held?.length ? [Math.min(...held), Math.max(...held)] : ["", ""];
        Object.assign(input, { min, max, step: model.get("step") ?? "any", disabled: off });
        if (input.value === "" || Number(input.value) !== model.get("value")) input.value = model.get("value");
      },
    };
  }

  function progress(model) {
    const bar = h("progress", { ariaLabel: "done so far" });
    return {
      look: "widget-hprogress",
      parts: [bar],
      named: bar,
      show() {
        bar.max = model.get("max") - model.get("min");
        bar.value = model.get("value") - model.get("min");
      },
    };
  }

  // ---- one of several ----

  function checkbox(model) {
    const [input, name] = [h("input", { type: "checkbox" }), h("span")];
    input.addEventListener("change", () => send(model, "value", input.checked));
    return {
      look: "widget-checkbox",
      parts: [h("label", {}, input, name)],
      show(off) {
        name.textContent = model.get("description");
        Object.assign(input, { checked: model.get("value"), disabled: off });
      },
    };
  }

  function dropdown(model) {
    const select = h("select");
    select.addEventListener("change", () => send(model, "index", select.selectedIndex));
    return {
      look: "widget-dropdown",
      parts: [select],
      named: select,
      show(off) {
        fillWith(select, model.get("_options_labels"), (label) => new Option(label));
        Array.from(select.options).forEach((option, i) => (option.disabled = !model.limits.holds(i)));
        select.selectedIndex = model.get("index") ?? -1;
        select.disabled = off;
      },
    };
  }

  function toggles(model) {
    const row = h("div", { className: "widget-toggle-row" });
    return {
      look: "widget-toggle-buttons",
      parts: [row],
      group: true,
      show(off) {
        const { reason, holds } = model.limits;
        fillWith(row, model.get("_options_labels"), (textContent, i) => {
          const choice = h("button", { type: "button", textContent });
          choice.addEventListener("click", () => send(model, "index", i));
          return choice;
        });
        [...row.children].forEach((choice, i) => {
          const [chosen, held] = [i === model.get("index"), holds(i)];
          choice.className = `jupyter-button widget-toggle-button${chosen ? " mod-active" : ""}`;
          choice.setAttribute("aria-pressed", chosen);
          choice.disabled = off || !held;
          choice.title = held ? "" : textOf(reason);
        });
      },
    };
  }

  // ---- text ----

  /** A text box: a menu of the texts that the page holds, or the only one, to be read. */
  function textBox(model) {
    const typed = model.kind === "TextareaModel" ? h("textarea") : h("input", { type: "text" });
    const select = h("select", { className: "texts" });
    typed.readOnly = true;
    select.addEventListener("change", () => send(model, "value", select.value));
    const short = (words) => (words.length > 90 ? `${words.slice(0, 89)}…` : words || "(no text)");
    return {
      look: model.kind === "TextareaModel" ? "widget-textarea" : "widget-text",
      parts: [typed],
      named: typed,
      show(off) {
        const [value, { holds, values: menu }] = [model.get("value"), model.limits];
        const used = menu ? select : typed;
        if (!used.isConnected) (used === typed ? select : typed).replaceWith(used);
        Object.assign(used, { id: typed.id || select.id, ariaLabel: typed.ariaLabel });
        if (!menu) {
          Object.assign(typed, { value, placeholder: model.get("placeholder") ?? "", disabled: model.get("disabled") });
          if (model.get("rows")) typed.rows = model.get("rows");
          return;
        }
        const offered = menu.includes(value) ? menu : [value, ...menu];
        fillWith(select, offered, (words) => new Option(short(words), words));
        for (const option of select.options) option.disabled = !holds(option.value);
        select.value = value;
        select.disabled = off;
      },
    };
  }

  function html(model) {
    const said = h("div", { className: "widget-html-content" });
    const label = model.kind === "LabelModel";
    return {
      look: label ? "widget-label" : "widget-html",
      parts: [said],
      show() {
        const now = model.get("value");
        if (label) said.textContent = now;
        else if (said.shown !== now) said.innerHTML = said.shown = now; // our own views wrote it
      },
    };
  }

  // ---- buttons and boxes ----

  function button(model) {
    const pressed = h("button", { type: "button" });
    pressed.addEventListener("click", () => model.send({ event: "click" }));
    return {
      look: "widget-of-button",
      parts: [pressed],
      show(off) {
        const className = `jupyter-button widget-button mod-${model.get("button_style") || "plain"}`;
        Object.assign(pressed, { className, textContent: model.get("description"), disabled: off });
      },
    };
  }

  function box(model, page) {
    const flow = { HBoxModel: "widget-hbox", VBoxModel: "widget-vbox" }[model.kind] ?? "";
    const el = h("div", { className: `jupyter-widgets widget-container widget-box ${flow}` });
    const shown = new Map(); // by id: what is there stays, as a picture would have to be drawn again
    const show = () => {
      const ids = model.get("children").map((child) => child.replace("IPY_MODEL_", ""));
      for (const [id, child] of shown) if (!ids.includes(id) && shown.delete(id)) drop(child);
      for (const id of ids) if (!shown.has(id)) shown.set(id, view(page.model(id), page));
      const children = ids.map((id) => shown.get(id));
      if (children.some((child, i) => child !== el.children[i]) || children.length !== el.children.length)
        el.replaceChildren(...children);
    };
    return { el, show, drop: () => shown.forEach(drop) };
  }

  // What the views make, by the kinds of ipywidgets.
  const KINDS = [
    [slider, "IntSlider FloatSlider SelectionSlider"],
    [numberBox, "BoundedIntText BoundedFloatText"],
    [progress, "FloatProgress"],
    [dropdown, "Dropdown"],
    [textBox, "Text Textarea"],
    [html, "HTML Label"],
    [button, "Button"],
    [checkbox, "Checkbox"],
    [toggles, "ToggleButtons"],
    [box, "Box VBox HBox"],
    [picture, "Any"],
  ];
  const makers = Object.fromEntries(
    KINDS.flatMap(([make, names]) => names.split(" ").map((name) => [`${name}Model`, make])),
  );

  /** Make an element pale if there is a reason, and say it below. */
  function makePale(el, why, reason = "") {
    el.classList.toggle("pale", Boolean(reason));
    if (why.innerHTML !== reason) why.innerHTML = reason;
    reason ? el.append(why) : why.remove();
  }

  /** A control in its line: its name, what it is made of, and below it why it is pale, where it is. */
  function inLine(model, make) {
    const { look, parts, named, group, show } = make(model);
    const id = `control-${++made}`;
    const name = h(group ? "span" : "label", { className: "widget-label" });
    const why = h("small", { className: "why", id: `${id}-why` });
    const el = h("div", { className: `jupyter-widgets widget-inline-hbox ${look}` }, ...parts);
    if (named) Object.assign(named, { id });
    if (named) name.htmlFor = id;
    if (group) {
      name.id = `${id}-name`;
      el.setAttribute("role", "group");
      el.setAttribute("aria-labelledby", name.id);
    }
    const ownName = ["widget-checkbox", "widget-of-button"].includes(look); // written in it
    return {
      el,
      show() {
        const reason = model.get("disabled") ? "" : model.limits.reason;
        const description = (!ownName && model.get("description")) || "";
        name.textContent = description;
        if (description && !name.isConnected) el.prepend(name);
        if (!description) name.remove();
        if (named && !description)
          named.ariaLabel = model.get("tooltip") || model.get("placeholder") || named.ariaLabel;
        const accent = model.other("style")?.get("handle_color");
        if (accent) el.style.setProperty("--accent", accent);
        show(Boolean(model.get("disabled") || reason));
        makePale(el, why, reason);
        el.title = reason ? why.textContent : (model.get("tooltip") ?? "");
        for (const part of el.querySelectorAll("input, select, textarea, button"))
          reason ? part.setAttribute("aria-describedby", why.id) : part.removeAttribute("aria-describedby");
      },
    };
  }

  // ---- pictures, and the page ----

  const modules = new Map(); // by their text
  const pending = new Set(); // pictures that are on their way

  function moduleOf(text) {
    const address = () => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    if (!modules.has(text)) modules.set(text, import(address()));
    return modules.get(text);
  }

  /** A picture of ours, in a fieldset, which disables what it draws where that needs the full version. */
  function picture(model) {
    const host = h("fieldset", { className: "picture", role: "presentation" });
    const why = h("small", { className: "why" });
    const el = h("div", {}, host);
    const gone = new AbortController();
    const draw = async () => {
      const { default: widget } = await moduleOf(model.get("_esm"));
      const end = await widget.render({ model, el: host, signal: gone.signal });
      gone.signal.aborted ? end?.() : gone.signal.addEventListener("abort", () => end?.());
    };
    const work = draw().catch((error) => console.error(error));
    pending.add(work);
    work.then(() => pending.delete(work));
    const show = () => {
      host.disabled = Boolean(model.limits.reason);
      makePale(el, why, model.limits.reason);
    };
    return { el, show, drop: () => gone.abort() };
  }

  /** Give an element what a widget's layout says, and its classes. `hidden` counts in place of the layout's display. */
  function dress(el, model) {
    for (const name of model.get("_dom_classes") ?? []) el.classList.add(name);
    const hidden = model.get("hidden");
    for (const [trait, value] of model.layout())
      if (trait !== "display" || hidden === undefined) el.style.setProperty(trait.replaceAll("_", "-"), value ?? "");
    if (hidden !== undefined) el.style.display = hidden ? "none" : "";
    el.classList.toggle("gone", el.style.display === "none");
  }

  const dropped = new WeakMap(); // what ends with an element
  const drop = (el) => dropped.get(el)?.();

  /** The element of a widget. It follows its model until it is dropped. */
  function view(model, page) {
    const make = makers[model.kind];
    if (!make) return h("p", { innerHTML: FULL }); // a kind of widget that none of our views makes
    page.limit(model);
    const shown = make === box || make === picture ? make(model, page) : inLine(model, make);
    const show = () => {
      shown.show();
      dress(shown.el, model);
    };
    show();
    for (const name of ["change", "limits"]) model.on(name, show);
    page.views.set(shown.el, model);
    dropped.set(shown.el, () => {
      for (const name of ["change", "limits"]) model.off(name, show);
      page.views.delete(shown.el);
      shown.drop?.();
    });
    return shown.el;
  }

  /** Light or dark as the reader's system is, and as the reader wants; light on paper. */
  function themes() {
    const change = h("button", { className: "switch-theme", type: "button" });
    const isLight = () => document.body.dataset.jpThemeLight === "true";
    const set = (light) => {
      document.documentElement.dataset.theme = light ? "light" : "dark";
      document.body.dataset.jpThemeLight = light;
      change.textContent = light ? "dark" : "light";
    };
    change.addEventListener("click", () => set(!isLight()));
    set(isLight());
    document.body.prepend(change);
    let before = true;
    addEventListener("beforeprint", () => {
      before = isLight();
      set(true);
    });
    addEventListener("afterprint", () => set(before));
  }

  /** Leave out, in each place, the reasons that stand there before. */
  function sayOnce() {
    for (const place of document.querySelectorAll("[data-widget]")) {
      const said = new Set();
      for (const note of place.querySelectorAll(".why")) {
        const what = `${note.textContent} ${note.closest(".widget-text, .widget-textarea") !== null}`;
        note.hidden = said.has(what);
        if (!note.closest(".gone, .pale.widget-text + .widget-of-button")) said.add(what);
      }
    }
  }

  const status = h("div", { className: "told", role: "status" });
  let fading; // the timer of what is said
  /** Say something at the edge of the screen for a while, or until something else happens. */
  function say(sentence) {
    clearTimeout(fading);
    if (sentence) fading = setTimeout(say, 8000, "");
    const home = document.fullscreenElement ?? document.body;
    if (status.parentNode !== home) home.append(status);
    if (status.textContent !== sentence) status.textContent = sentence;
  }

  async function fill(place, page) {
    if (place.dataset.widget) {
      place.replaceChildren(view(page.model(place.dataset.widget), page));
      page.soon();
      return;
    }
    const { data, layout, config } = JSON.parse(place.dataset.plotly);
    await window.Plotly.newPlot(place, data, layout, { ...config, responsive: true });
  }

  /** Show each widget and figure in its place, those in a fold when it opens: a picture needs a width to be drawn. */
  async function showAll(page) {
    themes();
    for (const place of document.querySelectorAll("[data-widget], [data-plotly]")) {
      const isFolded = place.parentElement.closest("details:not([open])");
      const open = () => place.checkVisibility() && (removeEventListener("toggle", open, true), fill(place, page));
      if (isFolded) addEventListener("toggle", open, true);
      else await fill(place, page);
      await new Promise((done) => setTimeout(done)); // the page is read meanwhile
    }
  }

  globalThis.pageControls = { FULL, Model, canonical, parsed, pending, say, sayOnce, showAll, unpack };
}
