// The film of a take: the picture that is nearest to a time, one at a time.
import { el } from "./elements.js";

const FAR_S = 0.5; // from the nearest picture: there is none for this time

export class Film {
  constructor() {
    this.image = el("img", { alt: "", onload: () => this.#loaded(), onerror: () => this.#loaded() });
    this.caption = el("figcaption", { class: "dim" });
    this.element = el("figure", { class: "film", hidden: true }, this.image, this.caption);
  }

  // `times`: when the pictures were captured, seconds, growing; none = the take has no film.
  show(take, times) {
    Object.assign(this, { take, times, wanted: null, shown: null, loading: null });
    this.image.removeAttribute("src");
    this.element.hidden = !times.length;
    if (times.length) this.seek(times[0]);
  }

  seek(time) {
    if (!this.times?.length) return;
    const nearest = this.#nearest(time);
    const far = Math.abs(nearest - time) > FAR_S;
    this.image.classList.toggle("far", far);
    this.caption.textContent = far ? `no picture at ${time.toFixed(2)} s` : `picture at ${nearest.toFixed(2)} s`;
    this.wanted = nearest;
    if (this.loading === null) this.#load();
  }

  #load() {
    if (this.wanted === this.shown) return;
    this.loading = this.wanted;
    const query = new URLSearchParams({ take: this.take, time_s: this.loading });
    this.image.src = `/api/takes/picture?${query}`;
  }

  #loaded() {
    this.shown = this.loading;
    this.loading = null;
    this.image.alt = `the player at ${this.shown?.toFixed(2)} s`;
    this.#load();
  }

  #nearest(time) {
    let [low, high] = [0, this.times.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= time) low = middle;
      else high = middle;
    }
    return time - this.times[low] <= this.times[high] - time ? this.times[low] : this.times[high];
  }
}
