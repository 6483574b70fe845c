// The likeliest next tokens as bars; an outline shows what they were before.

function render({ model, el }) {
  const view = frame(model, el, "next_token_bars");
  const list = h("div", { class: "lv-bars", role: "listbox", tabindex: "0", "aria-label": "next tokens" });
  const axis = h("div", { class: "lv-axis", "aria-hidden": "true" });
  view.body.append(list, axis);
  const prefix = uid();
  let rows = [];
  let ticks = 0;

  const current = () => model.get("selected") ?? -1;
  const select = (index, ask = false) => {
    if (index < 0 || index >= model.get("pieces").length) return;
    view.set({ selected: index });
    ask ? view.ask(index) : view.follow(index);
  };
  const makeRow = (index) => {
    const row = {
      piece: h("bdi", { class: "lv-piece" }),
      ghost: h("span", { class: "lv-ghost" }),
      bar: h("span", { class: "lv-bar" }),
      value: h("span", { class: "lv-value" }),
      label: null,
    };
    row.track = h("span", { class: "lv-track" }, row.ghost, row.bar, row.value);
    row.node = h("div", { class: "lv-row", role: "option", id: `${prefix}-${index}`, "data-index": index },
      h("span", { class: "lv-label" }, row.piece), row.track);
    return row;
  };
  const tell = (index) => {
    const [pieces, probs, before, ids] = [model.get("pieces"), floats(model.get("probs")), floats(model.get("before")), model.get("ids")];
    if (!pieces[index] || !probs) return view.note("");
    const parts = [`${quoted(pieces[index])} · probability ${percent(probs.data[index])}`];
    if (before) parts.push(`before ${percent(before.data[index])}`);
    if (ids?.length) parts.push(`id ${ids[index]}`);
    view.note(parts.join(" · "));
  };
  const indexOf = (event) => {
    const node = event.target.closest(".lv-row");
    return node ? Number(node.dataset.index) : null;
  };
  list.addEventListener("click", (event) => { const i = indexOf(event); if (i !== null) select(i, true); });
  list.addEventListener("pointermove", (event) => { const i = indexOf(event); if (i !== null) tell(i); });
  list.addEventListener("pointerleave", () => tell(current()));
  onKeys(list, {
    ArrowDown: () => select(Math.min(current() + 1, rows.length - 1)),
    ArrowUp: () => select(Math.max(current() - 1, 0)),
    Home: () => select(0),
    End: () => select(rows.length - 1),
    Enter: () => select(Math.max(0, current()), true),
    " ": () => select(Math.max(0, current()), true),
  });

  return view.start(() => {
    const [pieces, probs, before] = [model.get("pieces"), floats(model.get("probs")), floats(model.get("before"))];
    const full = model.get("axis_max");
    while (rows.length < pieces.length) rows.push(makeRow(rows.length));
    if (rows.length > pieces.length || list.childElementCount !== pieces.length) {
      rows.length = pieces.length;
      list.replaceChildren(...rows.map((row) => row.node));
    }
    rows.forEach((row, i) => {
      if (row.label !== pieces[i]) { row.label = pieces[i]; row.piece.replaceChildren(...pieceNodes(pieces[i])); }
      const p = probs?.data[i] ?? 0;
      row.bar.style.width = `${100 * clamp(p / full)}%`;
      const was = before ? before.data[i] : 0;
      row.ghost.style.width = before ? `${100 * clamp(was / full)}%` : "0";
      row.ghost.hidden = !before;
      const text = percent(p);
      if (row.value.textContent !== text) row.value.textContent = text;
      row.value.style.left = `${100 * clamp(Math.max(p, was) / full)}%`;
      const on = String(i === model.get("selected"));
      if (row.node.getAttribute("aria-selected") !== on) row.node.setAttribute("aria-selected", on);
    });
    if (rows[current()]) list.setAttribute("aria-activedescendant", rows[current()].node.id);
    else list.removeAttribute("aria-activedescendant");
    if (full !== ticks) {
      ticks = full;
      axis.replaceChildren(...[0, 0.2, 0.4, 0.6, 0.8, 1].map((part) =>
        h("span", { style: `left:${100 * part}%` }, `${Number((100 * part * full).toPrecision(3))} %`)));
    }
    const [rest, n] = [model.get("rest"), model.get("n_rest")];
    const notes = [];
    if (n > 0) notes.push(`${percent(rest)} on the other ${count(n)} tokens`);
    if (before) notes.push(`outline: ${model.get("before_label")}`);
    view.legend.replaceChildren(...notes.map((text) => h("span", {}, text)), ...markLegend(pieces));
    tell(current());
  });
}

export default { render };
