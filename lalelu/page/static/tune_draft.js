// Try first: changes that are drawn and compared, and written when they are kept.
import { el } from "./elements.js";

// `act.keep()`, `act.discard()`; `act.state()` returns what is drawn once nothing is on its way.
export class Draft {
  constructor(desk, act) {
    Object.assign(this, { desk, act });
    this.on = false;
    this.steps = []; // {stroke, state}
    this.undone = [];
    const button = (label, press) => el("button", { type: "button", onclick: press }, label);
    this.said = el("p", { role: "status" });
    this.take = el("select", { "aria-label": "Take to compare with" });
    this.compareButton = button("Compare", () => this.#compare());
    this.keepButton = button("Keep", act.keep);
    this.discardButton = button("Discard", act.discard);
    this.result = el("p", { class: "result", role: "status" });
    this.pads = el("ul");
    this.element = el(
      "div", { class: "panel draft", hidden: true },
      this.said,
      el("div", { class: "row" }, this.take, this.compareButton, this.keepButton, this.discardButton),
      this.result, this.pads,
    );
  }

  // What is to be told with every request: the changes before it.
  get body() {
    return this.on ? { try: true, edits: this.edits } : {};
  }

  get edits() {
    return this.state?.edits ?? [];
  }

  get state() {
    return this.steps.at(-1)?.state;
  }

  async turn(on) {
    this.on = on;
    this.element.hidden = !on;
    this.clear();
    if (on) await this.offerTakes();
  }

  // One more change; those of one stroke are one.
  add(state, stroke) {
    if (stroke !== undefined && this.steps.at(-1)?.stroke === stroke) this.steps.pop();
    this.steps.push({ stroke, state });
    this.undone = [];
    this.#show();
  }

  // The files have changed: the same changes of what stands there now, as one.
  renew(state) {
    this.steps = [];
    this.add(state);
  }

  step(name) {
    const [from, to] = name === "undo" ? [this.steps, this.undone] : [this.undone, this.steps];
    to.push(from.pop());
    this.#show();
  }

  clear() {
    this.steps = [];
    this.undone = [];
    this.#show();
  }

  #show() {
    const count = this.steps.length;
    const changes = count === 1 ? "1 change is" : `${count} changes are`;
    this.said.textContent = count
      ? `${changes} drawn here, not written and not heard yet.`
      : "What you change now is drawn only. Compare it with a take, then keep or discard it.";
    for (const button of [this.keepButton, this.discardButton]) button.disabled = !count;
    this.compareButton.disabled = !count || !this.take.value;
    this.result.textContent = "";
    this.result.classList.remove("error");
    this.pads.replaceChildren();
  }

  async offerTakes() {
    const { takes } = await this.desk.get("/api/takes");
    const names = takes.filter(({ problem }) => !problem).map(({ name }) => name);
    const before = this.take.value;
    const none = el("option", { value: "" }, "no takes yet: record one in Takes");
    this.take.replaceChildren(...(names.length ? names.map((name) => el("option", { value: name, selected: name === before }, name)) : [none]));
    this.compareButton.disabled = !this.steps.length || !this.take.value;
  }

  async #compare() {
    const { kit, timing, left_handed: leftHanded, number } = await this.act.state();
    const step = this.steps.at(-1);
    this.result.textContent = "Replaying.";
    try {
      const body = { take: this.take.value, kit, timing, left_handed: leftHanded, kit_number: number };
      const { sentence, pads } = await this.desk.post("/api/takes/compare", body);
      if (this.steps.at(-1) !== step) return; // changed meanwhile
      this.result.textContent = sentence;
      this.pads.replaceChildren(...Object.entries(pads).map(([pad, told]) => el("li", {}, `${pad.replaceAll("_", " ")}: ${told}`)));
    } catch (error) {
      this.result.textContent = error.message;
      this.result.classList.add("error");
    }
  }
}
