// Tokens in order of their cosine, as bars on a fixed scale from 0 to 1; a band shows what random pairs have.

function render({ model, el }) {
  const view = frame(model, el, "nearest_tokens");
  const list = h("div", { class: "lv-bars", role: "listbox", tabindex: "0", "aria-label": "nearest tokens" });
  const axis = h("div", { class: "lv-axis", "aria-hidden": "true" },
    [0, 0.25, 0.5, 0.75, 1].map((v) => h("span", { style: `left:${100 * v}%` }, String(v))));
  view.body.append(list, axis);
  const prefix = uid();
  const rows = [];

  const current = () => model.get("selected") ?? -1;
  const select = (index, ask = false) => {
    if (index < 0 || index >= model.get("pieces").length) return;
    view.set({ selected: index });
    ask ? view.ask(index) : view.follow(index);
  };
  const makeRow = (index) => {
    const row = {
      piece: h("bdi", { class: "lv-piece" }),
      band: h("span", { class: "lv-band" }),
      bar: h("span", { class: "lv-bar" }),
      value: h("span", { class: "lv-value" }),
      label: null,
    };
    row.track = h("span", { class: "lv-track" }, row.band, row.bar, row.value);
    row.node = h("div", { class: "lv-row", role: "option", id: `${prefix}-${index}`, "data-index": index },
      h("span", { class: "lv-label" }, row.piece), row.track);
    return row;
  };
  const tell = (index) => {
    const [pieces, cosines, ids] = [model.get("pieces"), floats(model.get("cosines")), model.get("ids")];
    if (!pieces[index] || !cosines) return view.note("");
    const parts = [`${quoted(pieces[index])} · cosine ${number(cosines.data[index])}`];
    if (ids?.length) parts.push(`id ${ids[index]}`);
    if (model.get("marked").includes(index)) parts.push(model.get("mark"));
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
    ArrowDown: () => select(Math.min(current() + 1, model.get("pieces").length - 1)),
    ArrowUp: () => select(Math.max(current() - 1, 0)),
    Home: () => select(0),
    End: () => select(model.get("pieces").length - 1),
    Enter: () => select(Math.max(0, current()), true),
    " ": () => select(Math.max(0, current()), true),
  });

  return view.start(() => {
    const [pieces, cosines, band] = [model.get("pieces"), floats(model.get("cosines")), floats(model.get("baseline"))];
    while (rows.length < pieces.length) rows.push(makeRow(rows.length));
    if (list.childElementCount !== pieces.length)
      list.replaceChildren(...rows.slice(0, pieces.length).map((row) => row.node));
    list.hidden = axis.hidden = !pieces.length;
    const marked = new Set(model.get("marked"));
    rows.slice(0, pieces.length).forEach((row, i) => {
      if (row.label !== pieces[i]) { row.label = pieces[i]; row.piece.replaceChildren(...pieceNodes(pieces[i])); }
      const v = cosines?.data[i] ?? 0;
      row.bar.style.width = `${100 * clamp(v)}%`;
      row.value.style.left = `${100 * clamp(v)}%`;
      row.value.textContent = minus(v.toFixed(2)) + (marked.has(i) ? ` ${model.get("mark")}` : "");
      row.node.classList.toggle("lv-quiet", marked.has(i));
      row.band.hidden = !band;
      if (band) {
        const [low, high] = [clamp(band.data[0] - band.data[1]), clamp(band.data[0] + band.data[1])];
        row.band.style.left = `${100 * low}%`;
        row.band.style.width = `${100 * (high - low)}%`;
      }
      const on = String(i === current());
      if (row.node.getAttribute("aria-selected") !== on) row.node.setAttribute("aria-selected", on);
    });
    if (pieces[current()] !== undefined) list.setAttribute("aria-activedescendant", rows[current()].node.id);
    else list.removeAttribute("aria-activedescendant");
    view.legend.replaceChildren(
      ...(pieces.length ? [h("span", {}, "bar = cosine")] : []),
      ...(band && pieces.length
        ? [h("span", {}, h("span", { class: "lv-band-key" }), ` random pairs: ${number(band.data[0])} ± ${number(band.data[1])}`)]
        : []),
      ...markLegend(pieces));
    tell(current());
  });
}

export default { render };
