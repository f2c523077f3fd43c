// Tune: pads to drag, sliders, undo, presets, and learning by touch. Every change goes into the player's own files.
import { el } from "./elements.js";
import { Control } from "./tune_controls.js";
import { Figure, shapeOf } from "./tune_figure.js";

const DEBOUNCE_MS = 120;
const LEARN_STROKES = 3;
const MEANT = [null, "no_pad", "pad_threshold"]; // verdicts on strokes that somebody meant, wherever they ended
const FIXED_VELOCITY = 100; // of a pad that becomes fixed, until it is set

export async function mount(element, desk) {
  document.head.append(el("link", { rel: "stylesheet", href: "/static/tune.css" }));
  await new Tune(element, desk).begin();
}

class Tune {
  constructor(element, desk) {
    Object.assign(this, { element, desk });
    this.kitNumber = 0;
    this.pad = null;
    this.state = null;
    this.waiting = []; // {stroke, changes: path -> value}, not sent yet
    this.sending = null;
    this.learning = null;
    this.controls = [];
    this.figure = new Figure({
      select: (pad) => this.#select(pad),
      change: (pad, shape, numbers, stroke) => this.#change(`pads.${pad}.zone.${shape}`, numbers, stroke),
      dropped: () => this.#idle() && this.#show(),
    });
  }

  async begin() {
    this.#build();
    try {
      this.schema = (await this.desk.get("/api/schema")).controls;
      await this.#look();
    } catch (error) {
      this.#say(error.message, true);
      return;
    }
    this.desk.addEventListener("frame", (event) => this.#frame(event.detail));
    document.addEventListener("keydown", (event) => this.#key(event));
    const look = () => this.#idle() && this.#look().catch((error) => this.#say(error.message, true));
    window.addEventListener("focus", look);
    this.desk.addEventListener("written", look); // by another tab
  }

  #build() {
    const button = (label, act, attributes = {}) => el("button", { type: "button", onclick: act, ...attributes }, label);
    this.undoButton = button("Undo", () => this.#step("undo"), { title: "Ctrl+Z" });
    this.redoButton = button("Redo", () => this.#step("redo"), { title: "Ctrl+Shift+Z" });
    this.diffButton = button("Changes", () => this.#toggleDiff(), { "aria-pressed": "false" });
    this.mirrorButton = button("Mirror view", () => this.#toggleMirror(), { "aria-pressed": "true" });
    this.learnButton = button("Learn by touch", () => this.#learn(), { "aria-pressed": "false" });
    this.kitChoice = el("select", { "aria-label": "Kit", onchange: () => this.#chooseKit() });
    this.presetChoice = el("select", { "aria-label": "Preset" });
    this.presetName = el("input", { "aria-label": "Name of a preset of your own", placeholder: "my preset", size: 10, maxlength: 32 });
    this.said = el("p", { role: "status", "aria-live": "polite" });
    this.file = el("p", { class: "dim" });
    this.note = el("p", { class: "dim" });
    this.padChoice = el("select", { id: "tune-pad", onchange: () => this.#select(this.padChoice.value) });
    this.padFields = el("fieldset", {}, el("legend", {}, "Pad"));
    this.strikeFields = el("fieldset", {}, el("legend", {}, "What counts as a stroke"));
    this.timingFields = el("fieldset", {}, el("legend", {}, "Timing"));
    this.leftHanded = new Control(
      { kind: "switch", label: "Left-handed: the kit mirrored" }, "left_handed", (...given) => this.#change(...given),
    );
    this.diff = el("pre", { tabindex: 0 });
    this.diffPanel = el("div", { class: "panel diff", hidden: true }, el("h2", {}, "What you changed"), this.diff);
    this.element.replaceChildren(
      el(
        "div", { class: "tune" },
        el("div", { class: "bar" }, this.undoButton, this.redoButton, this.diffButton, this.mirrorButton, this.learnButton, this.said),
        this.diffPanel,
        el("div", { class: "panel figure" }, this.figure.element, this.note, this.file),
        el(
          "div", { class: "panel" },
          el("div", { class: "field row" }, el("label", { for: "tune-pad" }, "Pad"), this.padChoice, this.kitChoice),
          this.padFields, this.strikeFields, this.timingFields,
          el(
            "fieldset", {}, el("legend", {}, "Presets"),
            el("div", { class: "field row" }, this.presetChoice, button("Use", () => this.#usePreset())),
            el("div", { class: "row" }, this.presetName, button("Save as a preset", () => this.#savePreset())),
          ),
        ),
      ),
    );
  }

  // What stands in the files.
  async #look() {
    this.#take(await this.desk.get(`/api/kit?kit=${this.kitNumber}`));
    this.#showPresets((await this.desk.get("/api/presets")).presets);
    if (!this.diffPanel.hidden) await this.#showDiff();
  }

  #take(state) {
    this.state = state;
    this.undoButton.disabled = !state.undo;
    this.redoButton.disabled = !state.redo;
    this.file.textContent = state.copied_to ? `Your first change makes a copy of this kit: ${state.copied_to}` : `Written to ${state.kit_file}`;
    if (!state.kit || !state.timing) {
      this.#say(state.problems.map(({ file, line, sentence }) => `${file}:${line}: ${sentence}`).join("\n"), true);
      return;
    }
    if (this.waiting.length) return; // newer values are on their way
    this.#showKits();
    const names = Object.keys(state.kit.pads);
    if (!names.includes(this.pad)) this.pad = names[0];
    this.padChoice.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === this.pad }, name)));
    if (!this.controls.length) this.#makeControls();
    this.#show();
  }

  #makeControls() {
    const made = (where, prefix, parent) =>
      this.schema[where].map((told) => {
        const control = new Control(told, `${prefix}.${told.option}`, (...given) => this.#change(...given));
        parent.append(control.element);
        return control;
      });
    for (const field of this.padFields.querySelectorAll(".field")) field.remove();
    for (const field of this.strikeFields.querySelectorAll(".field")) field.remove();
    for (const field of this.timingFields.querySelectorAll(".field")) field.remove();
    this.controls = [
      ...made("pad", `pads.${this.pad}`, this.padFields),
      ...made("strike", "strike", this.strikeFields),
      ...made("timing", "timing", this.timingFields),
      this.leftHanded,
    ];
    this.timingFields.append(this.leftHanded.element);
    this.padFields.querySelector("legend").textContent = this.pad;
  }

  #show() {
    const { kit, timing, left_handed: leftHanded } = this.state;
    for (const control of this.controls) {
      control.show(at({ ...kit, timing, left_handed: leftHanded }, control.path));
      control.complain("");
      if (control.path.endsWith(".velocity")) control.element.hidden = kit.pads[this.pad].curve !== "fixed";
    }
    this.figure.show(kit, { leftHanded, selected: this.pad });
    const { zone } = kit.pads[this.pad];
    this.learnButton.disabled = !shapeOf(zone);
    this.note.textContent = shapeOf(zone) ? "" : `${this.pad} is not drawn here: ${zone ? "it lies in the picture" : "only gestures play it"}.`;
  }

  #showKits() {
    const { kits } = this.state;
    this.kitChoice.hidden = kits.length < 2;
    this.kitChoice.replaceChildren(...kits.map((ref, number) => el("option", { value: number, selected: number === this.kitNumber }, ref)));
  }

  #showPresets(presets) {
    const options = presets.map(({ name, description, usable }) =>
      el("option", { value: name, disabled: !usable }, `${name}: ${description}`));
    this.presetChoice.replaceChildren(...options);
  }

  #select(pad) {
    if (pad === this.pad) return;
    this.pad = pad;
    this.padChoice.value = pad;
    this.#makeControls();
    this.#show();
    this.figure.draw();
  }

  async #chooseKit() {
    await this.#settled();
    this.kitNumber = Number(this.kitChoice.value);
    this.controls = [];
    this.pad = null;
    await this.#ask(() => this.desk.get(`/api/kit?kit=${this.kitNumber}`));
  }

  // Changes are put together for a moment, and sent one after the other.
  #change(path, value, stroke) {
    const last = this.waiting.at(-1);
    const changes = last?.stroke === stroke ? last.changes : {};
    if (last?.changes !== changes) this.waiting.push({ stroke, changes });
    changes[path] = value;
    if (path.endsWith(".curve")) changes[path.replace(/curve$/, "velocity")] = value === "fixed" ? FIXED_VELOCITY : null;
    this.element.setAttribute("aria-busy", "true");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(), DEBOUNCE_MS);
  }

  #idle() {
    return !this.waiting.length && !this.sending && !this.figure.drag;
  }

  #settled() {
    clearTimeout(this.timer);
    return this.#send();
  }

  async #send() {
    while (this.sending) await this.sending;
    if (!this.waiting.length) return;
    const { stroke, changes } = this.waiting.shift();
    this.sending = this.#ask(() => this.#post("/api/kit/set", { changes, stroke }), "Written.");
    await this.sending;
    this.sending = null;
    if (this.waiting.length) await this.#send();
    else this.element.setAttribute("aria-busy", "false");
  }

  #post(path, body = {}) {
    return this.desk.post(path, { ...body, kit: this.kitNumber, digest: this.state.digest });
  }

  // Ask for something and show what stands there then, or what is wrong beside its field.
  async #ask(ask, sentence = "") {
    try {
      const state = await ask();
      this.#take(state);
      if (!state.problems.length) this.#say(state.learned ?? sentence);
      if (!this.diffPanel.hidden) await this.#showDiff();
    } catch (error) {
      const beside = (error.problems ?? []).filter((problem) => this.#complain(problem));
      this.#say(beside.length ? "Not written: see the field." : error.message, true);
      // a stale page, or a refused value without a field of its own: back to what stands there
      if (error.status === 409 || (error.status === 422 && !beside.length)) await this.#look().catch(() => {});
    }
  }

  #complain({ where, sentence }) {
    const control = this.controls.find(({ path }) => where === path || where.startsWith(`${path}[`));
    control?.complain(sentence);
    return Boolean(control);
  }

  async #step(name) {
    await this.#settled();
    if (!this.state?.[name]) return;
    await this.#ask(() => this.#post(`/api/kit/${name}`), name === "undo" ? "Undone." : "Done again.");
  }

  async #usePreset() {
    await this.#settled();
    const name = this.presetChoice.value;
    await this.#ask(() => this.#post("/api/presets/use", { name }), `${name} is in use.`);
  }

  async #savePreset() {
    await this.#settled();
    const name = this.presetName.value.trim();
    try {
      this.#showPresets((await this.#post("/api/presets/save", { name })).presets);
      this.presetChoice.value = name;
      this.#say(`Kept as ${name}.`);
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  async #toggleDiff() {
    this.diffPanel.hidden = !this.diffPanel.hidden;
    this.diffButton.setAttribute("aria-pressed", String(!this.diffPanel.hidden));
    if (!this.diffPanel.hidden) await this.#showDiff();
  }

  async #showDiff() {
    const { diff } = await this.desk.get(`/api/kit/diff?kit=${this.kitNumber}`);
    const kinds = { "+": "plus", "-": "minus" };
    const lines = diff.split("\n").map((line) => el("span", { class: kinds[line[0]] ?? "" }, `${line}\n`));
    this.diff.replaceChildren(...(diff ? lines : ["Nothing yet."]));
  }

  #toggleMirror() {
    this.figure.mirror = !this.figure.mirror;
    this.mirrorButton.setAttribute("aria-pressed", String(this.figure.mirror));
    this.figure.draw();
  }

  #learn() {
    this.learning = this.learning ? null : { pad: this.pad, strokes: [] };
    this.learnButton.setAttribute("aria-pressed", String(Boolean(this.learning)));
    if (!this.learning) this.#say("Learning was stopped; nothing was changed.");
    else if (!this.desk.latest?.verdicts) this.#say(`Hit the ${this.pad} ${LEARN_STROKES} times, once lalelu plays and sees you.`);
    else this.#say(`Hit the ${this.pad} ${LEARN_STROKES} times, where it is to be.`);
  }

  #frame({ verdicts = [] }) {
    for (const verdict of verdicts) {
      if (!MEANT.includes(verdict.rule) || typeof verdict.speed !== "number") continue;
      if (!this.element.hidden) this.figure.stroke(verdict);
      if (this.learning && this.#mayPlay(verdict.limb)) this.#learned(verdict);
    }
  }

  #mayPlay(limb) {
    const { limbs } = this.state.kit.pads[this.learning.pad] ?? {};
    const wanted = this.state.left_handed ? limb.replace(/left|right/, (side) => (side === "left" ? "right" : "left")) : limb;
    return limbs?.includes(wanted);
  }

  #learned({ x, y, speed }) {
    const { pad, strokes } = this.learning;
    strokes.push({ x, y, speed });
    this.#say(`${pad}: ${strokes.length} of ${LEARN_STROKES}`);
    if (strokes.length < LEARN_STROKES) return;
    this.learning = null;
    this.learnButton.setAttribute("aria-pressed", "false");
    this.#settled().then(() => this.#ask(() => this.#post("/api/kit/learn", { pad, strokes })));
  }

  #key(event) {
    if (this.element.hidden || !(event.ctrlKey || event.metaKey) || event.target === this.presetName) return;
    const key = event.key.toLowerCase();
    const name = key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : null;
    if (!name) return;
    event.preventDefault();
    this.#step(name);
  }

  #say(sentence, isBad = false) {
    this.said.textContent = sentence;
    this.said.classList.toggle("error", isBad);
  }
}

function at(values, path) {
  return path.split(".").reduce((value, part) => value?.[part], values);
}
