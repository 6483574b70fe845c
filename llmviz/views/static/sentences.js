// Sentences under a picture, a line each, as text.

export function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "lv-sized lv-sentences";
  box.setAttribute("role", "status");
  const show = () =>
    box.replaceChildren(
      ...model.get("sentences").map((sentence) => {
        const line = document.createElement("div");
        line.textContent = sentence;
        return line;
      }),
    );
  el.replaceChildren(box);
  show();
  model.on("change:sentences", show);
  return () => model.off("change:sentences", show);
}
