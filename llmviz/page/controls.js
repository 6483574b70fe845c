// The elements of a page's widgets: native HTML for controls, which send what they are set to, and our own pictures.

"use strict";

/* oxlint-disable no-underscore-dangle -- ipywidgets names things so */

{
  // The block keeps its names from other scripts.

  // ---- what a widget holds ----

  const FULL = 'This needs <a href="#full">the full version</a>';

  const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  function unpack(text) {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  /** A value from its JSON, with bytes in place of {"$bytes": …}. */
  const parsed = (json) =>
    JSON.parse(json || "null", (_, value) =>
      typeof value?.$bytes === "string" ? new DataView(bytesOf(value.$bytes).buffer) : value,
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
  class Model extends EventTarget {
    unsaved = new Map();
    limits = {};
    constructor(page, id, { kind, state }) {
      super();
      Object.assign(this, { page, id, kind, numbers: { ...state } });
      this.values = { explains: false }; // Only a kernel can say where each number is from.
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
      for (const name of names.split(" ")) this.addEventListener(name, listener);
    }
    emit(name) {
      this.dispatchEvent(new Event(name));
    }
    tell(names) {
      for (const name of names) this.emit(`change:${name}`);
      if (names.length) this.emit("change");
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
    /** The widgets that a trait refers to, such as `style` and `children`. */
    others(trait) {
      const references = [this.get(trait) ?? []].flat();
      return references.map((reference) => this.page.model(reference.replace("IPY_MODEL_", "")));
    }
  }

  // ---- what a widget is made of ----

  // Each of these returns an element's `parts`, the `name` before them, where it isn't the widget's description, and
  // `show()`, which brings the parts up to date. What is in a table's `LEFT_OUT` is the same in all states.

  const h = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  /** Set what a widget sends, as its picture would: the page answers, or puts it back. */
  function send(model, trait, value) {
    model.set(trait, value);
    model.save_changes();
  }

  function slider(model) {
    const labels = () => model.get("_options_labels"); // of a choice
    const trait = labels() ? "index" : "value";
    const places = model.kind.startsWith("Int") ? 0 : 2; // as ipywidgets writes a number beside a slider
    const input = h("input", { type: "range", oninput: () => send(model, trait, Number(input.value)) });
    const output = h("output", { className: "widget-readout" });
    const show = () => {
      const limits = ["min", "max", "step"].map((limit) => model.get(limit));
      const [min, max, step] = labels() ? [0, labels().length - 1, 1] : limits;
      const value = model.get(trait);
      Object.assign(input, { min, max, step, value });
      output.textContent = labels()?.[value] ?? value.toFixed(places).replace("-", "−");
      input.ariaValueText = output.textContent;
      input.style.setProperty("--to", `${(100 * (value - min)) / (max - min || 1)}%`); // so far it is filled
    };
    return { parts: [input, output], show };
  }

  function numberBox(model) {
    const held = model.limits.values ?? [];
    const limits = held.length && { min: Math.min(...held), max: Math.max(...held) };
    const show = () => (input.value = model.get("value"));
    const take = () => {
      if (input.value !== "") send(model, "value", Number(input.value)); // the page takes the nearest that it holds
      show(); // also where nothing has changed
    };
    const input = h("input", { type: "number", step: model.get("step") ?? "any", ...limits, onchange: take });
    return { parts: [input], show };
  }

  function checkbox(model) {
    const input = h("input", { type: "checkbox", onchange: () => send(model, "value", input.checked) });
    const label = h("label", {}, input, model.get("description"));
    return { parts: [label], name: "", show: () => (input.checked = model.get("value")) };
  }

  /** A menu of what can be sent as a trait: `offers()` has the label and the value of each. */
  function menu(model, trait, offers) {
    let [key, values] = ["", []];
    const select = h("select", { onchange: () => send(model, trait, values[select.selectedIndex]) });
    const show = () => {
      const offered = offers();
      // One that is open stays so, unless it offers others.
      if (key !== JSON.stringify(offered)) select.replaceChildren(...offered.map((offer) => new Option(...offer)));
      key = JSON.stringify(offered);
      values = offered.map(([, value]) => value);
      values.forEach((value, i) => (select.options[i].disabled = !model.limits.holds(value)));
      select.selectedIndex = values.indexOf(model.get(trait));
    };
    return { parts: [select], show };
  }

  const dropdown = (model) => menu(model, "index", () => model.get("_options_labels").map((label, i) => [label, i]));

  function toggles(model) {
    const choices = model.get("_options_labels").map((textContent, i) => {
      const className = "jupyter-button widget-toggle-button";
      return h("button", { type: "button", className, textContent, onclick: () => send(model, "index", i) });
    });
    const show = () =>
      choices.forEach((choice, i) => {
        choice.ariaPressed = choice.classList.toggle("mod-active", i === model.get("index"));
        choice.disabled = !model.limits.holds(i);
      });
    return { parts: [h("div", { className: "widget-toggle-row" }, ...choices)], show };
  }

  /** A text box: a menu of the texts that the page holds, or the only one, to be read. */
  function textBox(model) {
    const short = (words) => (words.length > 90 ? `${words.slice(0, 89)}…` : words || "(no text)");
    const texts = () => [...new Set([...model.limits.values, model.get("value")])];
    if (model.limits.values) return menu(model, "value", () => texts().map((words) => [short(words), words]));
    const typed = h(model.kind === "TextareaModel" ? "textarea" : "input", { readOnly: true });
    Object.assign(typed, { placeholder: model.get("placeholder"), rows: model.get("rows") ?? 2 });
    return { parts: [typed], show: () => (typed.value = model.get("value")) };
  }

  function html(model) {
    const said = h("div", { className: "widget-html-content" });
    const markup = model.kind === "LabelModel" ? "textContent" : "innerHTML"; // our own views wrote it
    const show = () => {
      if (said.shown !== model.get("value")) said[markup] = said.shown = model.get("value");
    };
    return { parts: [said], show };
  }

  function button(model) {
    const className = `jupyter-button widget-button mod-${model.get("button_style") || "plain"}`;
    const pressed = h("button", { type: "button", className, onclick: () => model.send({ event: "click" }) });
    return { parts: [pressed], name: "", show: () => (pressed.textContent = model.get("description")) };
  }

  const box = (model, page) => ({ parts: model.others("children").map((child) => view(child, page)) });

  const modules = new Map(); // by their text
  const pending = new Set(); // pictures that are on their way

  /** A picture of ours. */
  function picture(model) {
    const [host, text] = [h("div", {}), model.get("_esm")];
    const address = () => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    if (!modules.has(text)) modules.set(text, import(address()));
    const draw = async () => (await modules.get(text)).default.render({ model, el: host });
    const work = draw().catch((error) => console.error(error));
    pending.add(work);
    work.then(() => pending.delete(work));
    return { parts: [host], name: "" };
  }

  // What the views make, by the kinds of ipywidgets, and the classes of its element. No page shows a bar of progress.
  const LINE = "jupyter-widgets widget-inline-hbox";
  const BOX = "jupyter-widgets widget-box";
  const KINDS = [
    [slider, `${LINE} widget-slider`, "IntSlider FloatSlider SelectionSlider"],
    [numberBox, `${LINE} widget-text`, "BoundedIntText BoundedFloatText"],
    [checkbox, `${LINE} widget-checkbox`, "Checkbox"],
    [dropdown, `${LINE} widget-dropdown`, "Dropdown"],
    [toggles, `${LINE} widget-toggle-buttons`, "ToggleButtons"],
    [textBox, `${LINE} widget-text`, "Text"],
    [textBox, `${LINE} widget-textarea`, "Textarea"],
    [html, `${LINE} widget-html`, "HTML"],
    [html, `${LINE} widget-label`, "Label"],
    [button, `${LINE} widget-of-button`, "Button"],
    [box, BOX, "Box"],
    [box, `${BOX} widget-vbox`, "VBox"],
    [box, `${BOX} widget-hbox`, "HBox"],
    [picture, "picture", "Any"],
  ];
  const UNKNOWN = [() => ({ parts: [h("p", { innerHTML: FULL })], name: "" }), LINE];

  // ---- the page ----

  /** The element of a widget, which follows its model: its name, its parts, and below them why it is pale, if it is. */
  function view(model, page) {
    page.limit(model);
    const kind = model.kind.replace("Model", "");
    const [make, className] = KINDS.find(([, , kinds]) => kinds.split(" ").includes(kind)) ?? UNKNOWN;
    const { parts, name = model.get("description"), show } = make(model, page);
    const control = parts.find((part) => part.matches("input, select, textarea"));
    const id = `control-${page.shown.length}`;
    const label = h(control ? "label" : "span", { className: "widget-label", textContent: name, htmlFor: id });
    // A fieldset disables what is in it.
    const el = h("fieldset", { className, title: model.get("tooltip") ?? "" }, ...(name ? [label] : []), ...parts);
    const why = h("small", { className: "why", id: `${id}-why` });
    el.role = name && !control ? "group" : "presentation";
    if (control) Object.assign(control, { id, ariaLabel: name || model.get("tooltip") || model.get("placeholder") });
    else if (name) el.ariaLabel = name;
    const own = make === box ? [] : el.querySelectorAll("input, select, textarea, button");
    for (const each of own) each.setAttribute("aria-describedby", why.id);
    el.classList.add(...(model.get("_dom_classes") ?? []));
    for (const layout of model.others("layout"))
      for (const trait in layout.numbers)
        if (!trait.startsWith("_")) el.style.setProperty(trait.replaceAll("_", "-"), layout.get(trait) ?? "");
    for (const style of model.others("style")) el.style.setProperty("--accent", style.get("handle_color") ?? "");
    const update = () => {
      const reason = (!model.get("disabled") && model.limits.reason) || "";
      el.disabled = (model.get("disabled") || reason !== "") && !control?.readOnly;
      show?.();
      el.classList.toggle("pale", reason !== "");
      if (why.innerHTML !== reason) why.innerHTML = reason;
      reason ? el.append(why) : why.remove();
      const hidden = model.get("hidden"); // where a view says it, it counts in place of the layout's display
      if (hidden !== undefined) el.style.display = hidden ? "none" : "";
      el.classList.toggle("gone", el.style.display === "none");
    };
    update();
    model.on("change limits", update);
    page.shown.push(model);
    return el;
  }

  /** Light or dark as the reader's system is, and as the reader wants; light on paper. */
  function themes() {
    const isLight = () => document.body.dataset.jpThemeLight === "true";
    const set = (light) => {
      document.documentElement.dataset.theme = light ? "light" : "dark";
      document.body.dataset.jpThemeLight = light;
      change.textContent = light ? "dark" : "light";
    };
    const change = h("button", { className: "switch-theme", type: "button", onclick: () => set(!isLight()) });
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
      const fold = place.parentElement.closest("details:not([open])");
      if (fold) fold.addEventListener("toggle", () => fill(place, page), { once: true });
      else await fill(place, page);
      await new Promise((done) => setTimeout(done)); // the page is read meanwhile
    }
  }

  globalThis.pageControls = { FULL, Model, canonical, parsed, pending, say, sayOnce, showAll, unpack };
}
