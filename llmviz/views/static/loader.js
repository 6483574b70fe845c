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

/** Call `use` with the bundle, if the widget isn't gone by then: there would be nothing to do, and nothing to say. */
async function withBundle(model, signal, use) {
  try {
    const bundle = await find(model.widget_manager, model.get("_bundle"), signal);
    const [source, style] = [bundle.get("source"), bundle.get("style")];
    const address = () => URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    if (!bundles.has(source)) bundles.set(source, import(address()));
    const scripts = await bundles.get(source);
    return signal?.aborted ? undefined : await use(scripts, style);
  } catch (error) {
    if (!signal?.aborted) throw error;
    return undefined;
  }
}

export default {
  initialize({ model, signal }) {
    // not awaited, since anywidget gives up on what takes more than two seconds
    if (model.get("_changes")) withBundle(model, signal, ({ takeChanges }) => takeChanges(model, find));
  },
  render: ({ model, el, signal }) =>
    withBundle(model, signal, (scripts, style) => {
      scripts.dress(el, style);
      return scripts[model.get("_draws")]({ model, el });
    }),
};
