// Tune: pads to drag, sliders, undo, presets, and learning by touch. Every change goes into the player's own files,
// or with "Try first" is drawn only.
import { el } from "./elements.js";
import { Control } from "./tune_controls.js";
import { Draft } from "./tune_draft.js";
import { Figure, shapeOf } from "./tune_figure.js";
import { Pads } from "./tune_pads.js";

const DEBOUNCE_MS = 120;
const LEARN_STROKES = 3;
const PAGE = Math.random().toString(36).slice(2, 10); // another page's movements are other ones
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
    this.state = null; // what is drawn
    this.files = null; // what stands in the files
    this.waiting = []; // {stroke, changes: path -> value}, not sent yet
    this.sending = null;
    this.asked = Promise.resolve(); // whatever was asked for last
    this.learning = null;
    this.controls = [];
    this.figure = new Figure({
      select: (pad) => this.#select(pad),
      change: (pad, shape, numbers, stroke) => this.#change(`pads.${pad}.zone.${shape}`, numbers, stroke),
      dropped: () => this.#idle() && this.#show(),
      remove: () => this.pads.remove(),
    });
    this.pads = new Pads({
      select: (pad) => this.#select(pad),
      change: (...given) => this.#change(...given),
      pad: (...given) => this.#changePads(...given),
    });
    this.draft = new Draft(desk, { keep: () => this.#keep(), discard: () => this.#discard(), state: () => this.#settled() });
  }

  async begin() {
    this.#build();
    this.desk.addEventListener("frame", (event) => this.#frame(event.detail));
    document.addEventListener("keydown", (event) => this.#key(event));
    // back from the tab Takes there may be others
    const shown = new MutationObserver(() => this.element.hidden || !this.draft.on || this.draft.offerTakes().catch((error) => this.#say(error.message, true)));
    shown.observe(this.element, { attributeFilter: ["hidden"] });
    const look = () => this.#idle() && this.#lookAgain();
    window.addEventListener("focus", look);
    this.desk.addEventListener("written", look); // by another tab
    await this.#lookAgain();
  }

  #build() {
    const button = (label, act, attributes = {}) => el("button", { type: "button", onclick: act, ...attributes }, label);
    this.undoButton = button("Undo", () => this.#step("undo"), { title: "Ctrl+Z" });
    this.redoButton = button("Redo", () => this.#step("redo"), { title: "Ctrl+Shift+Z" });
    this.diffButton = button("Changes", () => this.#toggleDiff(), { "aria-pressed": "false" });
    this.mirrorButton = button("Mirror view", () => this.#toggleMirror(), { "aria-pressed": "true" });
    this.learnButton = button("Learn by touch", () => this.#learn(), { "aria-pressed": "false", disabled: true });
    this.tryButton = button("Try first", () => this.#toggleTry(), { "aria-pressed": "false", title: "Draw and compare changes before they are written" });
    this.kitChoice = el("select", { "aria-label": "Kit", onchange: () => this.#chooseKit() });
    this.presetChoice = el("select", { "aria-label": "Preset", class: "grow" });
    this.presetName = el("input", { "aria-label": "Name of a preset of your own", placeholder: "my preset", size: 10, maxlength: 32 });
    this.said = el("p", { role: "status", "aria-live": "polite" });
    this.file = el("p", { class: "dim" });
    this.note = el("p", { class: "dim" });
    this.padChoice = el("select", { id: "tune-pad", onchange: () => this.#select(this.padChoice.value) });
    this.legend = el("legend");
    this.padFields = el("div");
    this.strikeFields = el("div");
    this.timingFields = el("div");
    this.leftHanded = new Control(
      { kind: "switch", label: "Left-handed: the kit mirrored" }, "left_handed", (...given) => this.#change(...given),
    );
    this.diff = el("pre", { tabindex: 0 });
    this.diffTitle = el("h2");
    this.diffPanel = el("div", { class: "panel diff", hidden: true }, this.diffTitle, this.diff);
    this.element.replaceChildren(
      el(
        "div", { class: "tune" },
        el("div", { class: "bar" }, this.undoButton, this.redoButton, this.diffButton, this.mirrorButton, this.learnButton, this.tryButton, this.said),
        this.draft.element,
        this.diffPanel,
        el("div", { class: "panel figure" }, this.figure.element, this.note, this.file),
        el(
          "div", { class: "panel" },
          el("div", { class: "field row" }, el("label", { for: "tune-pad" }, "Pad"), this.padChoice, this.kitChoice),
          this.pads.bar,
          el("fieldset", {}, this.legend, this.pads.own, this.padFields),
          el("fieldset", {}, el("legend", {}, "What counts as a stroke"), this.strikeFields),
          el("fieldset", {}, el("legend", {}, "Timing"), this.timingFields),
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
    if (!this.schema) {
      const { controls, percussion } = await this.desk.get("/api/schema");
      this.schema = controls;
      this.pads.offer(percussion);
    }
    const files = await this.desk.get(`/api/kit?kit=${this.kitNumber}`);
    if (this.draft.edits.length && files.digest !== this.files.digest) await this.#tryAgain(files);
    else this.#take(this.draft.state ?? files, files);
    this.#showPresets((await this.desk.get("/api/presets")).presets);
    if (!this.diffPanel.hidden) await this.#showDiff();
  }

  async #lookAgain() {
    try {
      await this.#look();
    } catch (error) {
      this.isBroken = true;
      this.#say(error.message, true);
    }
  }

  // The files were changed elsewhere: the same is tried with what stands there now.
  async #tryAgain(files) {
    this.files = this.state = files; // for its digest
    try {
      this.draft.renew(await this.#post("/api/kit/set"));
    } catch (error) {
      this.draft.clear();
      this.#say(`What you tried does not fit the changed files any more: ${error.message}`, true);
    }
    this.#take(this.draft.state ?? files, files);
  }

  // `state` is drawn, `files` is what stands in the files: another thing while changes are tried.
  #take(state, files = state) {
    this.files = files;
    const { draft } = this;
    this.undoButton.disabled = !this.#stepper("undo");
    this.redoButton.disabled = !this.#stepper("redo");
    this.kitChoice.disabled = draft.edits.length > 0;
    if (!state.kit || !state.timing) {
      this.#say(state.problems.map(({ file, line, sentence }) => `${file}:${line}: ${sentence}`).join("\n"), true);
      this.isBroken = true;
      const { digest, problems, undo, redo } = state;
      // what is drawn stays what stood there before the mistake
      if (state.number === this.state?.number) Object.assign(this.state, { digest, problems, undo, redo });
      return;
    }
    if (this.isBroken) this.#say("");
    this.isBroken = false;
    if (state.number !== this.state?.number) {
      this.controls = [];
      this.controlsOf = this.pad = null;
    }
    this.state = structuredClone(state); // a hand moves the pads in it
    const copied = state.copied_to ? `Your first change makes a copy of this kit: ${state.copied_to}` : `Written to ${state.kit_file}`;
    this.file.textContent = draft.on ? "Nothing is written until you keep it." : copied;
    if (this.waiting.length) return; // newer values are on their way
    this.#showKits();
    const names = Object.keys(state.kit.pads);
    if (!names.includes(this.pad)) this.pad = names.includes(state.pad) ? state.pad : names[0];
    this.padChoice.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === this.pad }, name)));
    if (this.controlsOf !== this.pad) this.#makeControls();
    this.#show();
  }

  #makeControls() {
    const made = (where, prefix, parent) => {
      const controls = this.schema[where].map((told) => new Control(told, `${prefix}.${told.option}`, (...given) => this.#change(...given)));
      parent.replaceChildren(...controls.map(({ element }) => element));
      return controls;
    };
    this.controlsOf = this.pad;
    this.controls = [
      ...made("pad", `pads.${this.pad}`, this.padFields),
      ...made("strike", "strike", this.strikeFields),
      ...made("timing", "timing", this.timingFields),
      this.leftHanded,
    ];
    this.timingFields.append(this.leftHanded.element);
    this.legend.textContent = this.pad;
  }

  #show() {
    const { kit, notes, timing, left_handed: leftHanded } = this.state;
    for (const control of this.controls) {
      control.show(at({ ...kit, timing, left_handed: leftHanded }, control.path));
      control.complain("");
      if (control.path.endsWith(".velocity")) control.element.hidden = kit.pads[this.pad].curve !== "fixed";
    }
    this.pads.show(kit, notes, this.pad);
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
    await this.#ask(() => this.desk.get(`/api/kit?kit=${this.kitNumber}`));
    this.kitNumber = this.kitChoice.value = this.state.number; // the one before, where the files have a mistake
  }

  // Changes are put together for a moment, and sent one after the other.
  #change(path, value, movement) {
    const stroke = movement && `${PAGE} ${movement}`;
    const last = this.waiting.at(-1);
    const changes = last && last.stroke === stroke ? last.changes : {};
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

  // Wait until nothing is on its way; returns what is drawn then.
  async #settled() {
    clearTimeout(this.timer);
    await this.#send();
    await this.asked;
    return this.state;
  }

  async #send() {
    while (this.sending) await this.sending;
    if (!this.waiting.length) return;
    const { stroke, changes } = this.waiting.shift();
    this.sending = this.#ask(() => this.#post("/api/kit/set", { changes, stroke }), { sentence: this.#written, stroke });
    await this.sending;
    this.sending = null;
    if (this.waiting.length) await this.#send();
    else this.element.setAttribute("aria-busy", "false");
  }

  #post(path, body = {}) {
    return this.desk.post(path, { ...this.draft.body, ...body, kit: this.kitNumber, digest: this.state?.digest });
  }

  get #written() {
    return this.draft.on ? "" : "Written.";
  }

  // One after the other: each changes what the one before has left.
  #ask(ask, options) {
    this.asked = this.asked.then(() => this.#askNow(ask, options));
    return this.asked;
  }

  // Ask for something and show what stands there then, or what is wrong beside its field, else in `place`.
  async #askNow(ask, { sentence = "", stroke, place } = {}) {
    try {
      const state = await ask();
      if (state.edits) this.draft.add(state, stroke);
      this.#take(state, state.edits ? this.files : state);
      if (!state.problems.length) this.#say(state.learned ?? sentence);
      if (!this.diffPanel.hidden) await this.#showDiff();
      return state;
    } catch (error) {
      const isBeside = (error.problems ?? []).filter((problem) => this.#complain(problem)).length > 0;
      // a stale page, or a refused value without a field of its own: back to what stands there
      if (error.status === 409 || (error.status === 422 && !isBeside)) await this.#look().catch(() => {});
      if (place && !isBeside) place.textContent = error.message;
      this.#say(isBeside || place ? "Not changed: see the field." : error.message, true);
      return null;
    }
  }

  #complain(problem) {
    if (this.pads.complain(problem)) return true;
    const { where, sentence } = problem;
    const control = this.controls.find(({ path }) => where === path || where.startsWith(`${path}[`));
    control?.complain(sentence);
    return Boolean(control);
  }

  async #step(name) {
    await this.#settled();
    const stepper = this.#stepper(name);
    const sentence = name === "undo" ? "Undone." : "Done again.";
    if (stepper === "files") {
      this.draft.clear();
      await this.#ask(() => this.#post(`/api/kit/${name}`), { sentence });
    } else if (stepper === "draft") {
      this.draft.step(name);
      this.#take(this.draft.state ?? this.files, this.files);
      this.#say(sentence);
      if (!this.diffPanel.hidden) await this.#showDiff();
    }
  }

  // Where the next step back or forth is: in what is tried, else in the files; null where there is none.
  #stepper(name) {
    const { draft, files } = this;
    if ((name === "undo" ? draft.steps : draft.undone).length) return "draft";
    return !draft.edits.length && files?.[name] ? "files" : null;
  }

  // Returns what stands there then; null where it was refused, and `place` says why.
  async #changePads(body, place) {
    await this.#settled();
    return this.#ask(() => this.#post("/api/kit/pad", body()), { sentence: this.#written, place });
  }

  async #toggleTry() {
    await this.#settled();
    if (this.draft.edits.length) {
      this.#say("Keep or discard what you try first.", true);
      return;
    }
    const on = !this.draft.on;
    this.tryButton.setAttribute("aria-pressed", String(on));
    await this.#ask(async () => {
      await this.draft.turn(on);
      return this.desk.get(`/api/kit?kit=${this.kitNumber}`);
    });
  }

  async #keep() {
    await this.#settled();
    await this.#ask(async () => {
      const state = await this.#post("/api/kit/set", { try: false });
      this.draft.clear();
      return state;
    }, { sentence: "Written, as one step." });
  }

  async #discard() {
    await this.#settled();
    await this.#ask(() => {
      this.draft.clear();
      return this.desk.get(`/api/kit?kit=${this.kitNumber}`);
    }, { sentence: "Discarded; nothing was written." });
  }

  async #usePreset() {
    await this.#settled();
    const name = this.presetChoice.value;
    await this.#ask(() => this.#post("/api/presets/use", { name }), { sentence: this.draft.on ? "" : `${name} is in use.` });
  }

  async #savePreset() {
    await this.#settled();
    const name = this.presetName.value.trim();
    const over = this.presetThere === name; // this was told, and the button was pressed again
    this.presetThere = null;
    try {
      this.#showPresets((await this.#post("/api/presets/save", { name, over })).presets);
      this.presetChoice.value = name;
      this.#say(`Kept as ${name}.`);
    } catch (error) {
      if (error.status === 409) this.presetThere = name;
      this.#say(error.message, true);
    }
  }

  async #toggleDiff() {
    this.diffPanel.hidden = !this.diffPanel.hidden;
    this.diffButton.setAttribute("aria-pressed", String(!this.diffPanel.hidden));
    if (!this.diffPanel.hidden) await this.#showDiff();
  }

  async #showDiff() {
    this.diffTitle.textContent = this.draft.on ? "What you try" : "What you changed";
    const { diff = "" } = this.draft.on ? this.state : await this.desk.get(`/api/kit/diff?kit=${this.kitNumber}`);
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
    this.learning = this.learning ? null : { pad: this.pad, player: null, strokes: [] }; // the player that strikes first
    this.learnButton.setAttribute("aria-pressed", String(Boolean(this.learning)));
    if (!this.learning) this.#say("Learning was stopped; nothing was changed.");
    else if (!this.desk.latest?.verdicts) this.#say(`Hit the ${this.pad} ${LEARN_STROKES} times, once lalelu plays and sees you.`);
    else this.#say(`Hit the ${this.pad} ${LEARN_STROKES} times, where it is to be.`);
  }

  #frame({ verdicts = [] }) {
    for (const verdict of verdicts) {
      if (!MEANT.includes(verdict.rule) || typeof verdict.speed !== "number") continue;
      if (!this.element.hidden) this.figure.stroke(verdict);
      if (this.learning && this.#mayPlay(verdict)) this.#learned(verdict);
    }
  }

  #mayPlay({ limb, player }) {
    const { limbs } = this.state.kit.pads[this.learning.pad] ?? {};
    const wanted = this.state.left_handed ? limb.replace(/left|right/, (side) => (side === "left" ? "right" : "left")) : limb;
    return limbs?.includes(wanted) && player === (this.learning.player ?? player);
  }

  #learned({ x, y, speed, player }) {
    const { pad, strokes } = this.learning;
    this.learning.player = player;
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
