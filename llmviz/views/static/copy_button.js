// A small button that copies a line of code. Each view has one.

import { h } from "./kit/elements.js";

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // no such thing outside https and localhost
    const box = h("textarea", { readonly: true }, text);
    button.after(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    button.focus();
    return copied;
  }
}

export function render({ model, el }) {
  let timer;
  const press = async () => {
    const line = model.get("line");
    const copied = await copy(line, button);
    answer.textContent = copied ? `Copied: ${line}` : `This browser does not let a page copy. Copy this line: ${line}`;
    clearTimeout(timer);
    if (copied) timer = setTimeout(() => (answer.textContent = ""), 6000);
  };
  const title = "Copy the line of Python that makes this view in its present state";
  const button = h("button", { type: "button", title, onclick: press }, "Copy as code");
  const answer = h("span", { role: "status" });
  el.classList.add("lv-sized", "lv-copy-button");
  el.replaceChildren(button, answer);
}
