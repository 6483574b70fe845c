// Saving the film as a clip to send.

import { h } from "../kit/elements.js";
import { saveBlob } from "../kit/saving.js";

const CLIP_SPEED = 4;

/** Play from the beginning, fast, and record what is seen, the caption above it. Returns `add`: it takes a frame. */
export function startClip(canvas, player) {
  const [width, height] = [canvas.width, 1.1 * canvas.height].map((size) => 2 * Math.ceil(size / 2)); // MP4 asks for it
  const shown = h("canvas", { width, height });
  const pen = shown.getContext("2d");
  const top = height - canvas.height;
  const kind = MediaRecorder.isTypeSupported("video/mp4") ? "mp4" : "webm";
  const recorder = new MediaRecorder(shown.captureStream(30), { mimeType: `video/${kind}`, videoBitsPerSecond: 4e6 });
  recorder.ondataavailable = ({ data: bytes }) => saveBlob(bytes, `llmviz.${kind}`);
  Object.assign(player, { t: 0, goal: null, playing: true, fresh: false, speed: CLIP_SPEED });
  recorder.start();
  player.wake();

  /** Returns whether it goes on: it ends with the film, or where the reader has stopped it. */
  return (caption, look, font) => {
    pen.fillStyle = look.page;
    pen.fillRect(0, 0, width, height);
    pen.drawImage(canvas, 0, top);
    pen.fillStyle = look.ink;
    pen.font = `${Math.round(0.42 * top)}px ${font}`;
    pen.fillText(caption, 0.4 * top, 0.7 * top, width - 0.8 * top);
    if (player.playing && player.t < player.times.end - 0.5) return true;
    recorder.stop();
    Object.assign(player, { playing: false, speed: 1 });
    return false;
  };
}
