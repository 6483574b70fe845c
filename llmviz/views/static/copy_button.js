// A small button that copies a line of code. Each view has one.

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // no such thing outside https and localhost
    const box = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
    button.after(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    button.focus();
    return copied;
  }
}

export function render({ model, el }) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy as code" });
  button.title = "Copy the line of Python that makes this view in its present state";
  const answer = document.createElement("span");
  answer.setAttribute("role", "status");
  let timer;
  button.addEventListener("click", async () => {
    const line = model.get("line");
    const copied = await copy(line, button);
    answer.textContent = copied ? `Copied: ${line}` : `This browser does not let a page copy. Copy this line: ${line}`;
    clearTimeout(timer);
    if (copied) timer = setTimeout(() => (answer.textContent = ""), 6000);
  });
  el.classList.add("lv-sized", "lv-copy-button");
  el.replaceChildren(button, answer);
  return () => clearTimeout(timer);
}
