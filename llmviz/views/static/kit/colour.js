// Colour scales, their legends, and whether a page is light or dark.

import { h } from "./elements.js";
import { clamp, minus, percent } from "./numbers.js";
import { KIT } from "../theme.js";

export const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const luminance = ([r, g, b]) => 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2;

function ramp(stops) {
  const colors = stops.map(rgb);
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (colors.length - 1);
    const k = Math.min(Math.floor(at), colors.length - 2);
    return colors[k].map((c, j) => Math.round(c + (at - k) * (colors[k + 1][j] - c)));
  });
}

/** A colour scale with its meaning: "weight" (0 to limit, square root), "prob" (0 to limit), "signed" (-limit to limit). */
export function colorScale(name, theme, limit = 1) {
  const signed = name === "signed";
  const table = ramp(KIT[signed ? "diverging" : "sequential"][theme]);
  const bend = name === "weight" ? Math.sqrt : (share) => share;
  const place = (v) => (signed ? 0.5 + 0.5 * clamp(v / limit, -1, 1) : bend(clamp(v / limit)));
  const index = (v) => Math.round(255 * place(v));
  const color = (v) => table[index(v)];
  const show = (v) => (signed && v > 0 ? "+" : "") + minus(String(Number(v.toPrecision(3))));
  return {
    table,
    packed: Uint32Array.from(table, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r), // as in an image
    index,
    color,
    css: (v) => `rgb(${color(v).join(",")})`,
    ink: (v) => (luminance(color(v)) > 0.179 ? "#000000" : "#ffffff"), // at least 4.5 : 1
    low: signed ? show(-limit) : "0",
    high: show(limit),
    note: name === "weight" ? "square-root scale" : "",
    over: (v) => Math.abs(v) > limit * 1.000001,
  };
}

/** A scale of shares or probabilities, its ends in %. */
export const inPercent = (scale, limit = 1) => ({ ...scale, low: "0%", high: percent(limit) });

/** A small colour bar with its two ends, and a word where the scale is not linear. */
export function scaleLegend(scale, meaning) {
  const bar = h("canvas", { class: "lv-ramp", width: 256, height: 1 });
  const image = new ImageData(new Uint8ClampedArray(scale.packed.buffer), 256, 1);
  bar.getContext("2d").putImageData(image, 0, 0);
  const note = scale.note ? ` (${scale.note})` : "";
  const whole = h("span", { class: "lv-scale" }, scale.low, bar, scale.high, note); // in one line
  return h("span", {}, meaning ? `${meaning} ` : "", whole);
}

/** Light or dark: what the host says, else whether the page writes light on dark. */
export function themeOf(element) {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false" ? "dark" : "light";
  const channels = (color) => (color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
  const ground = element.closest(".cell-output-ipywidget-background"); // VS Code's: white, even in a dark theme
  const [r, g, b, opacity = 1] = ground ? channels(getComputedStyle(ground).backgroundColor) : [0, 0, 0, 0];
  if (opacity > 0) return luminance([r, g, b]) > 0.35 ? "light" : "dark";
  if (vscodeThemeKind) return /dark|contrast$/.test(vscodeThemeKind) ? "dark" : "light";
  const ink = channels(getComputedStyle(element.parentElement ?? document.body).color).slice(0, 3);
  return luminance(ink) > 0.35 ? "dark" : "light";
}
