// One bar of a pattern: a row for each pad, a column for each half of a beat, and where it is played now.
import { el } from "./elements.js";

const HALVES = 2; // columns of a beat
const HANDS = { left: "L", right: "R" };

export class Score {
  constructor() {
    this.beat = el("span", { class: "beat" });
    this.bar = el("span", { class: "bar" });
    this.count = el("p", { class: "count", "aria-hidden": "true", hidden: true }, this.beat, this.bar);
    this.grid = el("div", { class: "score", role: "img" });
    this.element = el("div", { class: "play" }, this.count, this.grid);
    this.columns = [];
    this.now = null;
  }

  // `strokes`: [{ beat, hand, pad }] of one bar.
  show(name, strokes, beats) {
    const columns = beats * HALVES;
    const pads = [...new Set(strokes.map(({ pad }) => pad))];
    this.columns = Array.from({ length: columns }, () => []);
    this.now = null;
    const cells = [el("span")];
    for (let column = 0; column < columns; column++) {
      cells.push(this.#placed(column, el("span", { class: "head" }, column % HALVES ? "+" : String(column / HALVES + 1))));
    }
    for (const pad of pads) {
      const label = el("span", { class: "pad" }, pad.replaceAll("_", " "));
      cells.push(label);
      for (let column = 0; column < columns; column++) {
        const stroke = strokes.find((each) => each.pad === pad && Math.round(each.beat * HALVES) === column);
        const cell = el("span", { class: stroke ? `cell ${stroke.hand}` : "cell" }, stroke ? HANDS[stroke.hand] : "");
        cells.push(this.#placed(column, cell));
        if (stroke) this.columns[column].push(label);
      }
    }
    this.grid.replaceChildren(...cells);
    this.grid.style.setProperty("--columns", columns);
    this.grid.setAttribute("aria-label", `${name}: ${strokes.map(({ beat, hand, pad }) => `${beat + 1} ${pad.replaceAll("_", " ")} ${hand}`).join(", ")}`);
  }

  // Light what is played so many beats after the bar's beginning; null: nothing.
  at(beat) {
    const column = beat === null ? null : Math.floor(beat * HALVES);
    if (column === this.now) return;
    for (const cell of this.columns[this.now] ?? []) cell.classList.remove("now");
    for (const cell of this.columns[column] ?? []) cell.classList.add("now");
    this.now = column;
  }

  // Tell the beat, and which bar it is of; two empty texts: nothing is played.
  tell(beat, bar, isBefore = false) {
    this.count.hidden = beat === "" && bar === "";
    this.count.classList.toggle("in", isBefore);
    for (const [node, text] of [[this.beat, String(beat)], [this.bar, bar]]) {
      if (node.textContent !== text) node.textContent = text;
    }
  }

  #placed(column, cell) {
    this.columns[column].push(cell);
    return cell;
  }
}
