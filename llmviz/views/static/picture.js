// The module that every picture sends. A blob cannot import a neighbour, so this fetches the picture's script and the
// kit, which the page has once (`Script` in picture.py), and imports them from blobs of its own.

const addresses = (globalThis.llmvizScripts ??= new Map()); // by text: two versions of llmviz on one page keep apart

function addressOf(text) {
  if (!addresses.has(text)) addresses.set(text, URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  return addresses.get(text);
}

/** The model of a script; a page that is being put together may know it later than the picture. */
async function scriptOf(model, name, signal) {
  for (let tries = 0; ; tries++)
    try {
      return await model.widget_manager.get_model(model.get(name).replace("IPY_MODEL_", ""));
    } catch (error) {
      if (tries === 100 || signal?.aborted) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
}

function dress(el, text) {
  const root = el.getRootNode();
  const head = root instanceof ShadowRoot ? root : document.head;
  if (!text || [...head.querySelectorAll("style[data-llmviz]")].some((sheet) => sheet.textContent === text)) return;
  const sheet = Object.assign(document.createElement("style"), { textContent: text });
  sheet.dataset.llmviz = "";
  head.append(sheet);
}

async function render({ model, el, signal }) {
  try {
    const script = await scriptOf(model, "_script", signal);
    const kit = await scriptOf(script, "kit", signal);
    const source = script.get("source").replace("./kit.js", addressOf(kit.get("source")));
    const picture = await import(addressOf(source));
    if (signal?.aborted) return;
    dress(el, kit.get("style"));
    dress(el, script.get("style"));
    return picture.render({ model, el });
  } catch (error) {
    if (!signal?.aborted) throw error; // gone before its script came: nothing to show, nothing to say
  }
}

export default { render };
