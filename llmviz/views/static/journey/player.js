// Going through the film's time: playing, steps and jumps.

import { AGAIN, SCENES, sceneAt, toTime } from "./time.js";

export const SPEEDS = [1, 2, 0.5];
const NO_MOTION = window.matchMedia("(prefers-reduced-motion: reduce)");
/** Whether the reader wants nothing to move by itself. */
export const still = () => NO_MOTION.matches;

export class Player {
  times = null; // of the film that is shown
  t = null;
  goal = null; // the time to which it is on its way
  playing = false;
  calm = 0; // see momentAt
  speed = SPEEDS[0];
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
  get scene() {
    return sceneAt(this.times, this.here);
  }
  get ended() {
    return this.here > this.times.end - 0.02;
  }
  go(t) {
    Object.assign(this, { playing: false, fresh: false });
    if (still()) Object.assign(this, { t, goal: null, calm: 0 });
    else this.goal = t;
    this.wake();
  }
  stepOn() {
    const next = this.times.stops.find((stop) => stop > this.here + 0.02);
    this.go(this.ended ? 0 : (next ?? this.times.end)); // after the end once more, from the beginning
  }
  stepBack() {
    this.go(this.times.stops.findLast((stop) => stop < this.here - 0.02) ?? 0);
  }
  goToScene(i) {
    const { stops, end } = this.times;
    if (i >= SCENES.length) this.go(end);
    else this.go(i <= 0 ? 0 : stops.find((stop) => stop >= this.times[SCENES[i].key]));
  }
  press() {
    if (still()) return this.ended ? this.after() : this.stepOn();
    if (this.fresh) this.t = 0;
    Object.assign(this, { goal: null, playing: !this.playing, fresh: false });
    this.wake();
  }
  scrub(place) {
    const t = toTime(this.times, place);
    const nearest = (a, b) => (Math.abs(b - t) < Math.abs(a - t) ? b : a);
    Object.assign(this, { playing: false, goal: null, fresh: false });
    this.t = still() ? this.times.stops.reduce(nearest) : t;
    this.wake();
  }
  /** Begin a turn's film: the first one, or the next, where its text is in tokens already. */
  begin(follows) {
    this.t = follows ? AGAIN : 0;
    if (still()) this.t = this.times.stops[follows ? 1 : 0];
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
    const passed = Math.min(0.1, (now - this.#before) / 1000);
    this.#before = now;
    if (this.goal !== null) {
      this.t += (this.goal - this.t) * Math.min(1, passed * 7);
      if (Math.abs(this.goal - this.t) < 0.01) Object.assign(this, { t: this.goal, goal: null });
    } else if (this.playing) {
      this.t += passed * this.speed;
      if (this.t >= this.times.end) this.after();
    }
    const calm = this.playing ? 1 : 0;
    this.calm = still() ? 0 : this.calm + (calm - this.calm) * Math.min(1, passed * 8);
    if (Math.abs(calm - this.calm) < 0.01) this.calm = calm;
    this.show();
    if (this.playing || this.goal !== null || this.calm !== calm) this.#ask();
  }
}
