/** Put the style sheet where the widget is, once. */
export function dress(el, text) {
  const root = el.getRootNode();
  const head = root instanceof ShadowRoot ? root : document.head;
  if ([...head.querySelectorAll("style[data-llmviz]")].some((sheet) => sheet.textContent === text)) return;
  const sheet = Object.assign(document.createElement("style"), { textContent: text });
  sheet.dataset.llmviz = "";
  head.append(sheet);
}
