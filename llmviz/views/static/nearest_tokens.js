// Tokens in order of their cosine, as bars on a fixed scale from 0 to 1; a band shows where 98% of all tokens are.

import { barRows, clamp, floats, frame, h, markLegend, minus, number, quoted, setText } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "nearest_tokens");
  const axis = h(
    "div",
    { class: "lv-axis", "aria-hidden": "true" },
    [0, 0.25, 0.5, 0.75, 1].map((v) => h("span", { style: `left:${100 * v}%` }, String(v))),
  );
  const tell = (index) => {
    const [pieces, cosines, ids] = [model.get("pieces"), floats(model.get("cosines")), model.get("ids")];
    if (!pieces[index] || !cosines) return view.note("");
    view.note(
      quoted(pieces[index]),
      `cosine ${number(cosines.data[index])}`,
      ids?.length && `id ${ids[index]}`,
      model.get("marked").includes(index) && "in the sum",
    );
  };
  const bars = barRows(view, { name: "nearest tokens", tell, parts: ["band", "bar", "value"] });
  view.body.append(bars.list, axis);

  return view.start(() => {
    const [pieces, cosines, band] = [model.get("pieces"), floats(model.get("cosines")), floats(model.get("band"))];
    const marked = new Set(model.get("marked"));
    const [low, high] = band ? [clamp(band.data[0]), clamp(band.data[1])] : [0, 0];
    bars.list.hidden = axis.hidden = !pieces.length;
    bars.show((row, i) => {
      const v = cosines?.data[i] ?? 0;
      row.bar.style.width = `${100 * clamp(v)}%`;
      row.value.style.left = `${100 * clamp(v)}%`;
      setText(row.value, minus(v.toFixed(2)) + (marked.has(i) ? ", in the sum" : ""));
      row.node.classList.toggle("lv-quiet", marked.has(i));
      row.band.hidden = !band;
      row.band.style.left = `${100 * low}%`;
      row.band.style.width = `${100 * (high - low)}%`;
    });
    view.setLegend(
      pieces.length > 0 && "bar: cosine similarity",
      band &&
        pieces.length > 0 &&
        h(
          "span",
          {},
          h("i", { class: "lv-key" }),
          ` band: 98% of all tokens, from ${minus(band.data[0].toFixed(2))} to ${minus(band.data[1].toFixed(2))}`,
        ),
      ...markLegend(pieces),
    );
  });
}
