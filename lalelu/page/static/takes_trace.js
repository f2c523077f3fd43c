// One limb of a take: its height over time, what was heard and rejected, and the true hits, which can be edited.
import { COLOURS, begun } from "./canvas.js";
import { el } from "./elements.js";

const NEAR_PX = 10; // of a mark that is meant
const STEP_S = 0.01; // by which a key moves a mark
const SNAP_S = 0.07; // a mark that snapped to its stroke is so near to where it was put
const EDGE = 8; // px above and below the trace
const CHOSEN = "#ffffff";
const CURSOR = "#7c8894";

// What is in sight, shared by all limbs of a take.
export class Window {
  constructor(length) {
    this.length = Math.max(length, 0.5);
    this.from = 0;
    this.to = Math.min(this.length, 8);
    this.cursor = null; // the time that is looked at
  }

  zoom(factor, around) {
    const size = Math.min(Math.max((this.to - this.from) * factor, 0.2), this.length);
    const share = (around - this.from) / (this.to - this.from);
    this.#put(around - share * size, size);
  }

  scroll(seconds) {
    this.#put(this.from + seconds, this.to - this.from);
  }

  show(time) {
    this.cursor = time;
    if (time < this.from || time > this.to) this.#put(time - (this.to - this.from) / 2, this.to - this.from);
  }

  #put(from, size) {
    this.from = Math.min(Math.max(from, 0), this.length - size);
    this.to = this.from + size;
  }
}

export class Trace {
  // `told`: {player, limb, time_s, height}; `edit(do, mark, more)` changes the truth, `moved()` has all traces drawn, `chose(trace)`
  // is told of a chosen mark: there is one in all traces.
  constructor(told, { view, edit, moved, chose, say }) {
    Object.assign(this, { told, view, edit, moved, chose, say });
    this.marks = [];
    this.strokes = [];
    this.chosen = null;
    this.wanted = null; // where the chosen mark is on its way to
    this.drag = null;
    const known = told.height.filter((height) => height !== null);
    this.low = Math.min(...known, -1);
    this.high = Math.max(...known, 0);
    this.range = el("span", { class: "range" }); // what is in sight
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `${told.limb} of player ${told.player}: arrows scroll, + and - zoom, n and p choose a mark, comma and dot move it, a adds, Delete deletes`);
    this.canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.canvas.addEventListener("pointerup", (event) => this.#up(event));
    this.canvas.addEventListener("pointercancel", (event) => { if (this.#drags(event)) { this.drag = null; this.draw(); } });
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  show(truth, strokes) {
    const mine = ({ limb, player }) => limb === this.told.limb && player === this.told.player;
    this.marks = (truth ?? []).filter(mine);
    this.strokes = strokes.filter(mine);
    this.chosen = this.#chosenNow();
    this.canvas.dataset.marks = this.marks.length;
    this.draw();
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const { pen: paint, height } = begun(this.canvas);
    this.canvas.dataset.from = this.view.from.toFixed(3);
    this.canvas.dataset.to = this.view.to.toFixed(3);
    if (this.view.cursor !== null && this.#inSight(this.view.cursor)) {
      paint.fillStyle = CURSOR;
      paint.fillRect(this.x(this.view.cursor) - 0.5, 0, 1, height);
    }
    this.#line(paint, height);
    for (const { time_s: time, rule } of this.strokes) {
      if (!this.#inSight(time)) continue;
      paint.fillStyle = rule === null ? COLOURS.good : COLOURS.bad;
      paint.beginPath();
      paint.arc(this.x(time), height - 6, rule === null ? 5 : 3, 0, 2 * Math.PI);
      paint.fill();
    }
    for (const mark of this.marks) {
      const time = this.drag?.mark === mark ? this.drag.time : mark.time_s;
      if (!this.#inSight(time)) continue;
      paint.fillStyle = mark === this.chosen ? CHOSEN : COLOURS.warn;
      paint.fillRect(this.x(time) - 1, 0, mark === this.chosen ? 3 : 2, height - 14);
      paint.fillRect(this.x(time) - 5, 0, 10, 7);
    }
    this.range.textContent = `${this.view.from.toFixed(2)} to ${this.view.to.toFixed(2)} s`;
  }

  x(time) {
    const { from, to } = this.view;
    return ((time - from) / (to - from)) * this.canvas.clientWidth;
  }

  time(x) {
    const { from, to } = this.view;
    return from + (x / this.canvas.clientWidth) * (to - from);
  }

  #inSight(time) {
    return time >= this.view.from && time <= this.view.to;
  }

  #line(paint, height) {
    const { time_s: times, height: heights } = this.told;
    paint.strokeStyle = COLOURS.accent;
    paint.lineWidth = 2;
    paint.beginPath();
    let pen = false;
    for (let i = 0; i < times.length; i += 1) {
      if (heights[i] === null || !this.#inSight(times[i])) {
        pen = false;
        continue;
      }
      const y = EDGE + ((this.high - heights[i]) / (this.high - this.low)) * (height - 2 * EDGE - 12);
      if (pen) paint.lineTo(this.x(times[i]), y);
      else paint.moveTo(this.x(times[i]), y);
      pen = true;
    }
    paint.stroke();
  }

  #closest(time) {
    const distance = (mark) => Math.abs(mark.time_s - time);
    return this.marks.reduce((best, mark) => (best && distance(best) <= distance(mark) ? best : mark), null);
  }

  #near(x) {
    const closest = this.#closest(this.time(x));
    return closest && Math.abs(this.x(closest.time_s) - x) <= NEAR_PX ? closest : null;
  }

  #down(event) {
    if (event.button || (this.drag && !this.#drags(event))) return;
    this.canvas.setPointerCapture(event.pointerId);
    const mark = this.#near(event.offsetX);
    this.drag = { mark, pointer: event.pointerId, x: event.offsetX, last: event.offsetX, time: mark?.time_s, far: false };
    this.view.cursor = this.time(event.offsetX);
    if (mark) this.#choose(mark);
    else this.moved();
  }

  #move(event) {
    if (this.drag && !this.#drags(event)) return;
    if (this.drag && Math.abs(event.offsetX - this.drag.x) > 3) this.drag.far = true;
    if (this.drag?.far && this.drag.mark) this.drag.time = this.time(event.offsetX);
    else if (this.drag?.far) {
      this.view.scroll(this.time(this.drag.last) - this.time(event.offsetX));
      this.drag.last = event.offsetX;
    }
    this.view.cursor = this.time(event.offsetX);
    this.moved();
  }

  #up(event) {
    if (!this.#drags(event)) return;
    const { drag } = this;
    this.drag = null;
    if (drag.mark && drag.far) this.#moveTo(drag.mark, drag.time);
    else if (!drag.mark && !drag.far) this.#add(this.time(event.offsetX));
  }

  #wheel(event) {
    event.preventDefault();
    const seconds = (this.view.to - this.view.from) / 10;
    if (event.shiftKey || event.deltaX) this.view.scroll(Math.sign(event.deltaX || event.deltaY) * seconds);
    else this.view.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.time(event.offsetX));
    this.moved();
  }

  #key(event) {
    const seconds = (this.view.to - this.view.from) / 10;
    const { cursor } = this.view;
    const here = cursor !== null && this.#inSight(cursor) ? cursor : (this.view.from + this.view.to) / 2;
    const keys = {
      ArrowLeft: () => this.#scroll(-seconds),
      ArrowRight: () => this.#scroll(seconds),
      "+": () => this.view.zoom(0.8, here),
      "-": () => this.view.zoom(1.25, here),
      n: () => this.#step(1),
      p: () => this.#step(-1),
      a: () => this.#add(here),
      Delete: () => this.remove(),
      ",": () => this.chosen && this.#moveTo(this.chosen, this.chosen.time_s - STEP_S, false),
      ".": () => this.chosen && this.#moveTo(this.chosen, this.chosen.time_s + STEP_S, false),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    this.moved();
  }

  // By a key: what is looked at is the middle.
  #scroll(seconds) {
    this.view.scroll(seconds);
    this.view.cursor = (this.view.from + this.view.to) / 2;
  }

  remove() {
    const mark = this.chosen;
    this.chosen = null;
    if (mark) this.edit("delete", mark);
  }

  #add(time) {
    this.#put("add", { time_s: time, limb: this.told.limb, player: this.told.player }, time);
  }

  #moveTo(mark, time, snaps) {
    this.#put("move", mark, time, snaps === false ? { snap: false } : {});
  }

  // What is put somewhere is the chosen mark from then on.
  async #put(what, mark, time, more = {}) {
    if (this.wanted !== null) return this.draw(); // the answer to the last one is on its way
    this.wanted = Math.round(time * 1e6) / 1e6; // as files keep it
    this.chose(this);
    await this.edit(what, mark, { to_s: this.wanted, ...more });
    this.wanted = null;
  }

  // The mark that was chosen, in the marks as they are now.
  #chosenNow() {
    const time = this.wanted ?? this.chosen?.time_s;
    const nearest = time === undefined ? null : this.#closest(time);
    return nearest && Math.abs(nearest.time_s - time) <= (this.wanted === null ? 0 : SNAP_S) ? nearest : null;
  }

  #drags(event) {
    return this.drag?.pointer === event.pointerId;
  }

  #choose(mark) {
    this.chosen = mark;
    this.chose(this);
    this.view.show(mark.time_s);
    this.say(`true hit at ${mark.time_s.toFixed(3)} s`);
    this.moved();
  }

  #step(by) {
    if (!this.marks.length) return;
    const at = this.marks.indexOf(this.chosen);
    this.#choose(this.marks[at < 0 ? 0 : (at + by + this.marks.length) % this.marks.length]);
  }
}
