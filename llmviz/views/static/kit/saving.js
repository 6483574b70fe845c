// Saving: what the page shows becomes an SVG of rectangles, text and images; a PNG is that SVG, drawn.

import { saving, zoomOf } from "./canvas.js";
import { GRAPHEMES, h, s, setAttributes } from "./elements.js";

const PAINT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity"];
const LETTERS = ["font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"];
const SVG_STYLES = [...PAINT, ...LETTERS, "stroke-linejoin", "stroke-linecap", "paint-order", "display"];

/** The picture as SVG: {text, width, height}. All lengths are the picture's own pixels, as those of its styles are. */
function toSVG({ root, model }) {
  const zoom = zoomOf(root);
  const { x, y } = root.getBoundingClientRect();
  /** Where an element or a range of text stands in the picture. */
  const placeOf = (of) => {
    const r = of.getBoundingClientRect();
    return { x: (r.x - x) / zoom, y: (r.y - y) / zoom, width: r.width / zoom, height: r.height / zoom };
  };
  const all = [root, ...root.querySelectorAll(":not(svg *)")].map(placeOf); // it may be larger than its frame
  const width = Math.ceil(Math.max(...all.map((place) => place.x + place.width)));
  const height = Math.ceil(Math.max(...all.map((place) => place.y + place.height)));
  const svg = s(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` },
    s("title", {}, model.get("summary")),
    s("rect", { width, height, fill: getComputedStyle(root).getPropertyValue("--lv-page") }),
    shapesOf(root, placeOf, document.createElement("canvas").getContext("2d")),
  );
  return { text: new XMLSerializer().serializeToString(svg), width, height };
}

/** What a node and all in it look like, as SVG shapes. */
function shapesOf(node, placeOf, pen) {
  if (node.nodeType === Node.TEXT_NODE) return node.data.trim() ? textOf(node, placeOf, pen) : [];
  if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".lv-save, .lv-close, .lv-player, .lv-wider")) return [];
  const style = getComputedStyle(node);
  if (style.display === "none" || style.visibility === "hidden" || style.opacity === "0") return [];
  const place = placeOf(node);
  if (node instanceof SVGSVGElement) return [nestedSVG(node, place)];
  if (node instanceof HTMLCanvasElement)
    return [s("image", { ...place, href: node.toDataURL(), preserveAspectRatio: "none" })];
  const shapes = [
    ...(style.display === "contents" ? [] : boxOf(place, style)),
    ...[...node.childNodes].flatMap((child) => shapesOf(child, placeOf, pen)),
  ];
  return style.opacity === "1" ? shapes : [s("g", { opacity: style.opacity }, shapes)];
}

/** A text node, a line at a time. */
function textOf(node, placeOf, pen) {
  const style = getComputedStyle(node.parentElement);
  const range = document.createRange();
  const upright = style.writingMode === "vertical-rl";
  const runs = []; // letters on one line
  for (const { segment, index } of GRAPHEMES.segment(node.data)) {
    range.setStart(node, index);
    range.setEnd(node, index + segment.length);
    const [place, last, blank] = [placeOf(range), runs.at(-1), !segment.trim()];
    const isSameLine = last && Math.abs(upright ? last.place.x - place.x : last.place.y - place.y) < 2;
    if (last && (blank || isSameLine)) last.text += segment;
    else if (!blank) runs.push({ place, text: segment });
    if (isSameLine) last.place.x = Math.min(last.place.x, place.x); // Hebrew begins at the right
  }
  const { fontStyle, fontWeight, fontSize, fontFamily, color } = style;
  const look = { "font-family": fontFamily, "font-size": fontSize, "font-weight": fontWeight, "font-style": fontStyle };
  pen.font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
  return runs.map(({ place, text }) => {
    const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = pen.measureText(text);
    const at = upright
      ? { transform: `translate(${place.x + (place.width - above + below) / 2} ${place.y}) rotate(90)` }
      : { x: place.x, y: place.y + (place.height + above - below) / 2 };
    return s("text", { ...at, fill: color, ...look }, text.trim());
  });
}

/** The ground, the border and the outline of an element. */
function boxOf({ x, y, width, height }, style) {
  const rx = Math.min(parseFloat(style.borderTopLeftRadius) || 0, height / 2);
  /** A rectangle that is larger by so much on each side. */
  const rect = (grow, look) =>
    s("rect", { x: x - grow, y: y - grow, width: width + 2 * grow, height: height + 2 * grow, rx, ...look });
  const sides = ["Top", "Right", "Bottom", "Left"].map((side) => ({
    stroke: style[`border${side}Color`],
    "stroke-width": style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]),
    "stroke-dasharray": style[`border${side}Style`] === "dashed" ? "5 4" : null,
  }));
  const edge = sides[0]["stroke-width"];
  const even = sides.every((side) => side["stroke-width"] === edge && side.stroke === sides[0].stroke);
  const fill = /, 0\)$|transparent/.test(style.backgroundColor) ? "none" : style.backgroundColor;
  const [right, bottom] = [x + width, y + height];
  const lines = [`M${x} ${y}H${right}`, `M${right} ${y}V${bottom}`, `M${right} ${bottom}H${x}`, `M${x} ${bottom}V${y}`];
  const outline = style.outlineStyle === "solid" ? parseFloat(style.outlineWidth) : 0;
  const around = { fill: "none", stroke: style.outlineColor, "stroke-width": outline };
  return [
    even && edge ? rect(-edge / 2, { fill, ...sides[0] }) : fill !== "none" && rect(0, { fill }),
    ...sides.map((side, i) => !even && side["stroke-width"] && s("path", { d: lines[i], ...side })),
    outline && rect(parseFloat(style.outlineOffset) + outline / 2, around),
  ].filter(Boolean);
}

/** A drawing inside the picture, with its styles written into it. */
function nestedSVG(node, place) {
  const copy = node.cloneNode(true);
  const [from, to] = [node, copy].map((top) => [top, ...top.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const key of SVG_STYLES) to[i].setAttribute(key, style.getPropertyValue(key));
    for (const key of ["class", "style", "tabindex"]) to[i].removeAttribute(key);
  });
  setAttributes(copy, { ...place, overflow: "visible" });
  return copy;
}

export async function saveAs(view, name, kind) {
  saving.ratio = 3;
  view.paint();
  const { text, width, height } = toSVG(view);
  saving.ratio = 0;
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
