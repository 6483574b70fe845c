// Saving: what the page shows becomes an SVG of rectangles, text and images; a PNG is that SVG, drawn.

import { setSavingRatio, zoomOf } from "./canvas.js";
import { GRAPHEMES, h, s, setAttributes } from "./elements.js";

const SVG_STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-opacity",
  "stroke-linejoin",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
  "display",
  "paint-order",
  "stroke-linecap",
];

function toSVG(view) {
  const { root } = view;
  const zoom = zoomOf(root); // all lengths in the picture's own pixels, as those of its styles are
  const placeOf = (of) => {
    const r = of.getBoundingClientRect();
    return new DOMRect(r.x / zoom, r.y / zoom, r.width / zoom, r.height / zoom);
  };
  const origin = placeOf(root);
  const size = { w: origin.width, h: origin.height };
  const pen = document.createElement("canvas").getContext("2d");
  const reach = (r) => {
    size.w = Math.max(size.w, r.right - origin.left);
    size.h = Math.max(size.h, r.bottom - origin.top);
  };
  const at = (r) => ({ x: r.left - origin.left, y: r.top - origin.top, width: r.width, height: r.height });

  const textOf = (node, style) => {
    const range = document.createRange();
    const runs = []; // words on one line
    const add = (text, from) => {
      range.setStart(node, from);
      range.setEnd(node, from + text.length);
      const tops = [...range.getClientRects()].map(({ top }) => top);
      const letters = [...GRAPHEMES.segment(text)];
      if (letters.length > 1 && tops.some((top) => Math.abs(top - tops[0]) > 2))
        return letters.forEach(({ segment, index }) => add(segment, from + index)); // broken, as at a hyphen
      const r = placeOf(range);
      const last = runs.at(-1);
      if (last && (!text.trim() || Math.abs(last.r.top - r.top) < 2)) last.text += text;
      else runs.push({ r, text });
    };
    for (const word of node.data.matchAll(/\S+\s*/g)) add(word[0], word.index);
    pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    return runs.map(({ r, text }) => {
      reach(r);
      const m = pen.measureText(text);
      const base =
        r.top + (r.height - m.fontBoundingBoxAscent - m.fontBoundingBoxDescent) / 2 + m.fontBoundingBoxAscent;
      return s(
        "text",
        {
          x: r.left - origin.left,
          y: base - origin.top,
          fill: style.color,
          "font-family": style.fontFamily,
          "font-size": style.fontSize,
          "font-weight": style.fontWeight,
          "font-style": style.fontStyle,
        },
        text.trim(),
      );
    });
  };

  const boxOf = (r, style) => {
    const shapes = [];
    const sides = ["Top", "Right", "Bottom", "Left"].map((side) => ({
      width: style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]),
      color: style[`border${side}Color`],
      dash: style[`border${side}Style`] === "dashed" ? "5 4" : null,
    }));
    const even = sides.every((side) => side.width === sides[0].width && side.color === sides[0].color);
    const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, r.height / 2);
    const box = at(r);
    const filled = !/, 0\)$|transparent/.test(style.backgroundColor);
    if (filled || (even && sides[0].width)) {
      const edge = even ? sides[0].width : 0;
      shapes.push(
        s("rect", {
          x: box.x + edge / 2,
          y: box.y + edge / 2,
          width: Math.max(0, box.width - edge),
          height: Math.max(0, box.height - edge),
          rx: radius,
          fill: filled ? style.backgroundColor : "none",
          stroke: edge ? sides[0].color : null,
          "stroke-width": edge || null,
          "stroke-dasharray": edge ? sides[0].dash : null,
        }),
      );
    }
    if (!even) {
      const [x0, y0, x1, y1] = [box.x, box.y, box.x + box.width, box.y + box.height];
      [
        [x0, y0, x1, y0],
        [x1, y0, x1, y1],
        [x0, y1, x1, y1],
        [x0, y0, x0, y1],
      ].forEach(([a, b, c, d], i) => {
        const side = sides[i];
        if (side.width)
          shapes.push(
            s("path", {
              d: `M${a} ${b}L${c} ${d}`,
              stroke: side.color,
              "stroke-width": side.width,
              "stroke-dasharray": side.dash,
            }),
          );
      });
    }
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) && style.outlineStyle !== "auto") {
      const gap = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth) / 2;
      shapes.push(
        s("rect", {
          x: box.x - gap,
          y: box.y - gap,
          width: box.width + 2 * gap,
          height: box.height + 2 * gap,
          rx: radius,
          fill: "none",
          stroke: style.outlineColor,
          "stroke-width": style.outlineWidth,
        }),
      );
    }
    return shapes;
  };

  const nestedSVG = (node, r) => {
    const copy = node.cloneNode(true);
    const [from, to] = [node, copy].map((top) => [top, ...top.querySelectorAll("*")]);
    from.forEach((element, i) => {
      const style = getComputedStyle(element);
      for (const key of SVG_STYLES) to[i].setAttribute(key, style.getPropertyValue(key));
      for (const key of ["class", "style", "tabindex"]) to[i].removeAttribute(key);
    });
    setAttributes(copy, { ...at(r), overflow: "visible" });
    return copy;
  };

  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE)
      return node.data.trim() ? textOf(node, getComputedStyle(node.parentElement)) : [];
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".lv-save, .lv-close, .lv-player, .lv-wider")) return [];
    const style = getComputedStyle(node);
    if (style.display === "none" || style.visibility === "hidden" || style.opacity === "0") return [];
    const r = placeOf(node);
    if (node instanceof HTMLCanvasElement) {
      reach(r);
      return [s("image", { ...at(r), href: node.toDataURL(), preserveAspectRatio: "none" })];
    }
    if (node instanceof SVGSVGElement) {
      reach(r);
      return [nestedSVG(node, r)];
    }
    const shapes = style.display === "contents" ? [] : boxOf(r, style);
    if (shapes.length) reach(r);
    shapes.push(...[...node.childNodes].flatMap(walk));
    return style.opacity === "1" ? shapes : [s("g", { opacity: style.opacity }, shapes)];
  };

  const shapes = walk(root);
  const [w, hgt] = [Math.ceil(size.w), Math.ceil(size.h)];
  const page = getComputedStyle(root).getPropertyValue("--lv-page");
  const svg = s(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width: w, height: hgt, viewBox: `0 0 ${w} ${hgt}` },
    s("title", {}, view.model.get("summary")),
    s("rect", { width: w, height: hgt, fill: page }),
    shapes,
  );
  return { text: new XMLSerializer().serializeToString(svg), width: w, height: hgt };
}

export async function saveAs(view, name, kind) {
  setSavingRatio(3);
  view.paint();
  const { text, width, height } = toSVG(view);
  setSavingRatio(0);
  view.paint();
  let blob = new Blob([text], { type: "image/svg+xml" });
  if (kind === "PNG") {
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = h("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  }
  saveBlob(blob, `${name.replaceAll("_", "-")}.${kind.toLowerCase()}`);
}

export function saveBlob(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
