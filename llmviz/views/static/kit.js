// Shared by every picture. It draws and picks; it computes nothing about the model.

export * from "./kit/axes.js";
export * from "./kit/bars.js";
export * from "./kit/canvas.js";
export * from "./kit/cells.js";
export * from "./kit/chips.js";
export * from "./kit/colour.js";
export * from "./kit/diagram.js";
export * from "./kit/elements.js";
export * from "./kit/explanation.js";
export * from "./kit/frame.js";
export * from "./kit/full_screen.js";
export * from "./kit/input.js";
export * from "./kit/marks.js";
export * from "./kit/numbers.js";
export * from "./kit/painting.js";
export * from "./kit/player.js";
export * from "./kit/plot.js";
export * from "./kit/saving.js";
export * from "./kit/scales.js";
export * from "./kit/selection.js";
export { KIT } from "./theme.js";
