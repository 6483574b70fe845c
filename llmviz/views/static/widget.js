// What loader.js does with a widget, besides drawing it.

/** Put the style sheet where the widget is, once. */
export function dress(el, text) {
  const root = el.getRootNode();
  const head = root instanceof ShadowRoot ? root : document.head;
  if ([...head.querySelectorAll("style[data-llmviz]")].some((sheet) => sheet.textContent === text)) return;
  const sheet = Object.assign(document.createElement("style"), { textContent: text });
  sheet.dataset.llmviz = "";
  head.append(sheet);
}

/**
 * Set in a widget what the kernel changes, which comes through a widget of its own (`Changes` in drawn.py). `find`
 * gives a model by its id.
 */
export async function takeChanges({ widget_manager: manager, get }, find) {
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
