// Going through the film's time: playing, steps and jumps.

import { SCENES, sceneAt } from "./time.js";

const NO_MOTION = window.matchMedia("(prefers-reduced-motion: reduce)");
/** Whether the reader wants nothing to move by itself. */
export const still = () => NO_MOTION.matches;

export class Player {
  times = null; // of the film that is shown
  t = null;
  goal = null; // the time to which it is on its way
  playing = false;
  speed = 1;
  fresh = true; // until the reader does something
  #before = 0;
  #waiting = false;

  /** isThere: whether there is something to show; show: draw it; after: what follows the end. */
  constructor(isThere, show, after) {
    Object.assign(this, { isThere, show, after });
  }
  get here() {
    return this.goal ?? this.t;
  }
  go(t) {
    Object.assign(this, { playing: false, fresh: false }, still() ? { t, goal: null } : { goal: t });
    this.wake();
  }
  stepOn() {
    const next = this.times.stops.find((stop) => stop > this.here + 0.02);
    if (next) this.go(next);
    else this.after();
  }
  stepBack() {
    this.go(this.times.stops.findLast((stop) => stop < this.here - 0.02) ?? 0);
  }
  goToScene(i) {
    const { stops, end, ...starts } = this.times;
    const scene = SCENES[Math.max(0, i)];
    this.go(scene ? stops.find((stop) => stop >= starts[scene.key]) : end);
  }
  /** A scene further, or back. */
  turnPage(by) {
    this.goToScene(sceneAt(this.times, this.here) + by);
  }
  press() {
    if (still()) return this.stepOn();
    if (this.fresh) this.t = 0;
    Object.assign(this, { goal: null, playing: !this.playing, fresh: false });
    this.wake();
  }
  scrub(t) {
    Object.assign(this, { playing: false, goal: null, fresh: false });
    this.t = still() ? this.times.stops.findLast((stop) => stop <= t) : t;
    this.wake();
  }
  /** Begin a turn's film: the first one, or the next, where its text is in tokens already. */
  begin(follows) {
    this.t = this.times.stops[follows ? 1 : 0];
    this.wake();
  }
  wake() {
    if (this.#waiting) return;
    this.#before = performance.now();
    this.#ask();
  }
  #ask() {
    this.#waiting = true;
    requestAnimationFrame((now) => {
      this.#waiting = false;
      if (this.isThere()) this.#frame(now);
    });
  }
  #frame(now) {
    const passed = Math.min(0.1, Math.max(0, now - this.#before) / 1000); // a frame can bear an earlier time
    this.#before = now;
    if (this.goal !== null) {
      this.t += (this.goal - this.t) * Math.min(1, passed * 7);
      if (Math.abs(this.goal - this.t) < 0.01) Object.assign(this, { t: this.goal, goal: null });
    } else if (this.playing) {
      this.t += passed * this.speed;
      if (this.t >= this.times.end) this.after();
    }
    this.show();
    if (this.playing || this.goal !== null) this.#ask();
  }
}
