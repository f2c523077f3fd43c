// Which pads there are: add, remove, name, sound, and which ones end each other's sound.
import { el } from "./elements.js";

const SURE_MS = 4000; // within which a second press removes
const WRITTEN = "written"; // the choice that is none of the names
const words = (name) => name.replaceAll("_", " ");

// `act.select(pad)`; `act.change(path, value)` is told a new note; `act.pad(body, beside)` anything else: `body()` returns
// it when its turn has come, `beside` takes what is wrong.
export class Pads {
  constructor(act) {
    this.act = act;
    this.pad = null;
    this.chipOf = new Map(); // by the other pad's name
    this.#buildAdding();
    this.#buildOwn();
  }

  #buildAdding() {
    this.newNote = new Note("tune-new-note", "Sound");
    this.newName = el("input", { id: "tune-new-name", maxlength: 32, size: 14, autocomplete: "off", placeholder: "as the sound" });
    this.newProblem = problem();
    this.adding = el(
      "form", { class: "adding", hidden: true, onsubmit: (event) => this.#add(event) },
      this.newNote.element,
      el("div", { class: "field" }, el("label", { for: "tune-new-name" }, "Name"), el("div", { class: "row" }, this.newName, el("button", {}, "Add it"))),
      this.newProblem,
    );
    this.addButton = el("button", { type: "button", "aria-pressed": "false", onclick: () => this.#toggleAdding() }, "Add a pad");
    this.removeButton = el("button", { type: "button", onclick: () => this.remove(), onblur: () => this.#unsure() }, "Remove");
    this.removeProblem = problem();
    this.bar = el("div", {}, el("div", { class: "field row" }, this.addButton, this.removeButton), this.removeProblem, this.adding);
  }

  #buildOwn() {
    this.name = el("input", { id: "tune-name", maxlength: 32, size: 14, autocomplete: "off", onchange: () => this.#rename() });
    this.nameProblem = problem();
    this.note = new Note("tune-note", "Sound", (note) => this.act.change(`pads.${this.pad}.note`, note));
    this.chips = el("div", { class: "row chips", role: "group", "aria-labelledby": "tune-chokes" });
    this.chipsProblem = problem();
    this.own = el(
      "div", {},
      el("div", { class: "field own-name" }, el("label", { for: "tune-name" }, "Name"), this.name, this.nameProblem),
      this.note.element,
      this.choking = el("div", { class: "field" }, el("span", { class: "name", id: "tune-chokes" }, "A hit here ends the sound of"), this.chips, this.chipsProblem),
    );
  }

  offer(percussion) {
    this.newNote.offer(percussion);
    this.note.offer(percussion);
  }

  show(kit, notes, pad) {
    this.kit = kit;
    if (pad !== this.pad) this.#unsure();
    if (pad !== this.pad || document.activeElement !== this.name) this.name.value = pad;
    this.pad = pad;
    this.note.show(notes[pad]);
    for (const place of [this.nameProblem, this.chipsProblem, this.removeProblem]) place.textContent = "";
    const others = Object.keys(kit.pads).filter((name) => name !== pad);
    this.choking.hidden = !others.length;
    const group = kit.pads[pad].choke;
    if (others.join() !== [...this.chipOf.keys()].join()) { // else they keep the focus, and a press that has begun
      this.chipOf = new Map(others.map((name) => [name, this.#chip(name)]));
      this.chips.replaceChildren(...this.chipOf.values());
    }
    for (const [name, chip] of this.chipOf) chip.setAttribute("aria-pressed", String(group !== null && kit.pads[name].choke === group));
  }

  #chip(name) {
    const chip = el("button", { type: "button", class: "chip" }, words(name));
    const body = (pad) => ({ do: "choke", pad, with: name, on: chip.getAttribute("aria-pressed") !== "true" });
    chip.addEventListener("click", () => this.#change(body, this.chipsProblem));
    return chip;
  }

  // Ask for a change of the pad that is chosen now; by its turn that may have got another name.
  #change(body, beside) {
    const { pad } = this;
    return this.act.pad(() => body(Object.hasOwn(this.kit.pads, pad) ? pad : this.pad), beside);
  }

  // Whether what is wrong belongs to one of these fields.
  complain({ where, sentence }) {
    const prefix = `pads.${this.pad}`;
    if (where === `${prefix}.note` || where.startsWith(`${prefix}.note[`)) this.note.complain(sentence);
    else if (where === `${prefix}.choke`) this.chipsProblem.textContent = sentence;
    else return false;
    return true;
  }

  // The first press asks, the second removes.
  async remove() {
    if (!this.sure) {
      this.sure = setTimeout(() => this.#unsure(), SURE_MS);
      this.removeButton.textContent = `Press again to remove ${words(this.pad)}`;
      this.removeButton.classList.add("sure");
      return;
    }
    this.#unsure();
    await this.#change((pad) => ({ do: "remove", pad }), this.removeProblem);
  }

  #unsure() {
    clearTimeout(this.sure);
    this.sure = null;
    this.removeButton.textContent = "Remove";
    this.removeButton.classList.remove("sure");
  }

  #toggleAdding() {
    this.adding.hidden = !this.adding.hidden;
    this.addButton.setAttribute("aria-pressed", String(!this.adding.hidden));
    this.newProblem.textContent = "";
    if (!this.adding.hidden) this.newNote.choice.focus();
  }

  async #add(event) {
    event.preventDefault();
    const body = { do: "add", note: this.newNote.value, name: this.newName.value.trim() };
    const state = await this.act.pad(() => body, this.newProblem);
    if (!state) return;
    this.act.select(state.pad);
    this.newName.value = "";
    this.#toggleAdding();
  }

  async #rename() {
    const to = this.name.value.trim();
    if (to && to !== this.pad) await this.#change((pad) => ({ do: "rename", pad, to }), this.nameProblem);
  }
}

// A drum's name to choose, or a pitch, a number or a chord to write.
class Note {
  constructor(id, label, tell = () => {}) {
    this.tell = tell;
    this.choice = el("select", { id, onchange: () => this.#chosen() });
    this.text = el("input", {
      "aria-label": `${label}: pitch, number, or several`, placeholder: "C4, 38, or C4 E4 G4", size: 14, maxlength: 60, autocomplete: "off",
      hidden: true, onchange: () => this.text.value.trim() && this.tell(this.value),
    });
    this.problem = problem();
    this.element = el("div", { class: "field" }, el("label", { for: id }, label), el("div", { class: "row" }, this.choice, this.text), this.problem);
  }

  offer(percussion) {
    this.percussion = percussion;
    const names = Object.entries(percussion).map(([name, note]) => el("option", { value: name }, `${words(name)} (${note})`));
    this.choice.replaceChildren(...names, el("option", { value: WRITTEN }, "another note …"));
  }

  get value() {
    if (this.choice.value !== WRITTEN) return this.choice.value;
    const parts = this.text.value.trim().split(/[\s,]+/).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    return parts.length === 1 ? parts[0] : parts;
  }

  show(note) {
    const isName = Object.hasOwn(this.percussion, note);
    this.choice.value = isName ? note : WRITTEN;
    this.text.hidden = isName;
    this.text.value = isName ? "" : [note].flat().join(" ");
    this.complain("");
  }

  complain(sentence) {
    this.problem.textContent = sentence;
    this.choice.setAttribute("aria-invalid", String(Boolean(sentence)));
    this.text.setAttribute("aria-invalid", String(Boolean(sentence)));
  }

  #chosen() {
    const isWritten = this.choice.value === WRITTEN;
    this.text.hidden = !isWritten;
    if (isWritten) this.text.focus();
    else this.tell(this.choice.value);
  }
}

function problem() {
  return el("p", { class: "error", role: "alert" });
}
