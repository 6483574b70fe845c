// How many tokens each of several texts is.

function render({ model, el }) {
  const view = frame(model, el, "token_counts");
  const list = h("div", { class: "lv-bars", role: "listbox", tabindex: "0", "aria-label": "tokens" });
  view.body.append(list);
  const prefix = uid();
  let rows = [];
  let drawn = {};
  const current = () => model.get("selected") ?? -1;
  const select = (index) => { if (index >= 0 && index < rows.length) view.set({ selected: index }); };
  list.addEventListener("click", (event) => {
    const node = event.target.closest(".lv-row");
    if (node) select(Number(node.dataset.index));
  });
  onKeys(list, {
    ArrowDown: () => select(Math.min(current() + 1, rows.length - 1)),
    ArrowUp: () => select(Math.max(current() - 1, 0)),
    Home: () => select(0),
    End: () => select(rows.length - 1),
  });

  return view.start(() => {
    const [labels, counts, before, notes] = ["labels", "counts", "before", "notes"].map((name) => model.get(name));
    if (labels !== drawn.labels) {
      rows = labels.map((label, i) => {
        const row = { ghost: h("span", { class: "lv-ghost" }), bar: h("span", { class: "lv-bar" }), value: h("span", { class: "lv-value" }) };
        row.node = h("div", { class: "lv-row", role: "option", id: `${prefix}-${i}`, "data-index": i },
          h("span", { class: "lv-label" }, h("bdi", {}, pieceNodes(label))), h("span", { class: "lv-track" }, row.ghost, row.bar, row.value));
        return row;
      });
      list.replaceChildren(...rows.map((row) => row.node));
    }
    const full = Math.max(1, ...counts, ...(before ?? []));
    rows.forEach((row, i) => {
      const [n, was] = [counts[i] ?? 0, before?.[i] ?? 0];
      row.bar.style.width = `${(100 * n) / full}%`;
      row.ghost.hidden = !before;
      row.ghost.style.width = `${(100 * was) / full}%`;
      row.value.style.left = `${(100 * Math.max(n, was)) / full}%`;
      row.value.replaceChildren(h("b", {}, count(n)), notes[i] ? h("span", { class: "lv-quiet" }, ` ${notes[i]}`) : "");
      row.node.setAttribute("aria-selected", String(i === current()));
    });
    if (rows[current()]) list.setAttribute("aria-activedescendant", rows[current()].node.id);
    else list.removeAttribute("aria-activedescendant");
    view.legend.replaceChildren(...(before ? [h("span", {}, `outline: ${model.get("before_label")}`)] : []));
    drawn = { labels };
  });
}

export default { render };
