// The likeliest next tokens as bars; an outline shows what they were before.

import { barRows, clamp, count, floats, frame, h, markLegend, percent, quoted, setText } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "next_token_bars");
  const axis = h("div", { class: "lv-axis", "aria-hidden": "true" });
  let ticks = 0;
  const tell = (index) => {
    const [pieces, ids] = [model.get("pieces"), model.get("ids")];
    const [probs, before] = [floats(model.get("probs")), floats(model.get("before"))];
    if (!pieces[index] || !probs) return view.note("");
    view.note(
      quoted(pieces[index]),
      `probability ${percent(probs.data[index])}`,
      before && `before ${percent(before.data[index])}`,
      ids?.length && `id ${ids[index]}`,
    );
  };
  const bars = barRows(view, { name: "next tokens", tell, parts: ["ghost", "bar", "value"] });
  view.body.append(bars.list, axis);

  return view.start(() => {
    const [probs, before] = [floats(model.get("probs")), floats(model.get("before"))];
    const full = model.get("axis_max");
    bars.show((row, i) => {
      const [p, was] = [probs?.data[i] ?? 0, before ? before.data[i] : 0];
      row.bar.style.width = `${100 * clamp(p / full)}%`;
      row.ghost.style.width = before ? `${100 * clamp(was / full)}%` : "0";
      row.ghost.hidden = !before;
      setText(row.value, percent(p));
      // An outline that ends where the label is would cross it.
      const end = was > p && was - p < 0.15 * full ? was : p;
      row.value.style.left = `${100 * clamp(end / full)}%`;
    });
    if (full !== ticks) {
      ticks = full;
      axis.replaceChildren(
        ...[0, 0.2, 0.4, 0.6, 0.8, 1].map((part) =>
          h("span", { style: `left:${100 * part}%` }, `${Number((100 * part * full).toPrecision(3))}%`),
        ),
      );
    }
    const [rest, n] = [model.get("rest"), model.get("n_rest")];
    view.setLegend(
      n > 0 && `${percent(rest)} for ${count(n)} other tokens`,
      before && `outline: ${model.get("before_label")}`,
      ...markLegend(model.get("pieces")),
    );
  });
}
