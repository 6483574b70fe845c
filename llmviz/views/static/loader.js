// The module that every widget of ours sends. A blob cannot import a neighbour, so it fetches the bundle, which the page
// has once (`Bundle` in drawn.py), and imports that from a blob.

const bundles = (globalThis.llmvizBundles ??= new Map()); // by text: two versions of llmviz on one page keep apart

/** A model by its id; a page that is being put together may know it later than the widget that needs it. */
async function find(manager, id, signal) {
  for (let tries = 0; ; tries++)
    try {
      return await manager.get_model(id.replace("IPY_MODEL_", ""));
    } catch (error) {
      if (tries === 100 || signal?.aborted) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
}

/** What to do with an error: nothing, once the widget is gone. */
const unlessGone = (signal) => (error) => {
  if (!signal?.aborted) throw error;
};

/** Set in a widget what the kernel changes, which comes through a widget of its own (`Changes` in drawn.py). */
async function takeChanges({ widget_manager: manager, get }) {
  const changes = await find(manager, get("_changes"));
  const own = await find(manager, changes.get("of"));
  const lasting = new Set(["of", ...Object.keys(changes.defaults())]);
  const take = () => {
    const state = Object.fromEntries(Object.entries(changes.attributes).filter(([name]) => !lasting.has(name)));
    // What came is forgotten, so that the same value is a change again where the page has set another meanwhile.
    for (const name of Object.keys(state)) changes.unset(name, { silent: true });
    own.set_state(state);
  };
  changes.on("change", take);
  take();
}

/** Bring a bundle's style sheet and its scripts into the page; a promise of the scripts. */
function load(source, style) {
  const sheet = Object.assign(document.createElement("style"), { textContent: style });
  sheet.dataset.llmviz = "";
  document.head.append(sheet);
  return import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
}

async function draw({ model, el, signal }) {
  const bundle = await find(model.widget_manager, model.get("_bundle"), signal);
  const parts = [bundle.get("source"), bundle.get("style")];
  const key = parts.join("");
  if (!bundles.has(key)) bundles.set(key, load(...parts));
  const scripts = await bundles.get(key);
  return signal?.aborted ? undefined : scripts[model.get("_draws")]({ model, el });
}

export default {
  initialize({ model, signal }) {
    // Neither awaited nor in the bundle, since anywidget gives up on what takes more than two seconds.
    if (model.get("_changes")) takeChanges(model).catch(unlessGone(signal));
  },
  render: (widget) => draw(widget).catch(unlessGone(widget.signal)),
};
