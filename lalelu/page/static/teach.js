// Teach: play a pattern along with a click, see what was heard, and fit the kit to it.
import { el } from "./elements.js";
import { Click } from "./teach_click.js";
import { Score } from "./teach_score.js";

const LOOK_MS = 500; // between two looks at a search
const TAIL_MS = 700; // after the last bar, for the last stroke to end
const THOROUGH = [["20", "quick: 20 kits"], ["100", "thorough: 100 kits", true], ["300", "very thorough: 300 kits"]];
// of the part held back: what a player goes by, and whether less of it is better
const FIGURES = [
  ["missed strokes", ({ true: all, matched }) => all - matched, 0],
  ["false notes", ({ found, matched }) => found - matched, 0],
  ["spread in time, ms (SD)", ({ sd_ms: ms }) => ms, 1],
  ["decided after, ms", ({ lag_ms: ms }) => ms, 1],
];

export async function mount(element, desk) {
  document.head.append(el("link", { rel: "stylesheet", href: "/static/teach.css" }));
  await new Teach(element, desk).begin();
}

class Teach {
  constructor(element, desk) {
    Object.assign(this, { element, desk });
    this.choices = null;
    this.state = null;
    this.click = null; // of the course that this browser leads
    this.ending = null;
  }

  async begin() {
    this.#build();
    await this.#choose();
    await this.#ask("");
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.state?.course) this.#stop();
    });
    new MutationObserver(() => this.element.hidden || this.#choose()).observe(this.element, { attributeFilter: ["hidden"] });
  }

  #build() {
    const button = (label, act, attributes = {}) => el("button", { type: "button", onclick: act, ...attributes }, label);
    const number = (value) => el("input", { type: "number", value, required: true });
    const labelled = (label, field) => el("label", {}, label, field);
    this.said = el("p", { class: "said", role: "status", "aria-live": "polite" });
    this.kit = el("select", { onchange: () => this.#choose() });
    this.kits = labelled("Kit", this.kit);
    this.pattern = el("select", { onchange: () => this.#show() });
    this.bpm = number(100);
    this.bars = number(8);
    this.start = el("button", { type: "submit", class: "first" }, "Start");
    this.form = el(
      "form", { class: "panel", onsubmit: (event) => { event.preventDefault(); this.#start(); } },
      el("h2", {}, "Play along"),
      this.kits, labelled("Pattern", this.pattern),
      el("div", { class: "pair" }, labelled("Tempo per minute", this.bpm), labelled("Bars", this.bars)),
      this.start,
      el("p", { class: "dim" }, "One bar of clicks to count in, then play the pattern until the click ends."),
    );
    this.score = new Score();
    this.halt = button("Stop", () => this.#stop(), { class: "stop first", hidden: true });
    this.stage = el(
      "div", { class: "panel stage" },
      this.score.element,
      el("p", { class: "hands" }, el("span", { class: "left" }, "L left hand"), el("span", { class: "right" }, "R right hand")),
      this.halt,
    );
    this.heard = el("div", { class: "panel", hidden: true });
    this.take = el("select");
    this.trials = el("select", {}, ...THOROUGH.map(([value, label, selected]) => el("option", { value, selected }, label)));
    this.fit = button("Fit the kit", () => this.#fit(), { class: "first" });
    this.fitting = el(
      "div", { class: "panel" },
      el("h2", {}, "Fit the kit"),
      el("p", { class: "dim" }, "Tries other values of the kit on a take of which it is known what was meant. Your files are not changed before you write them."),
      el("div", { class: "row" }, labelled("Take", this.take), labelled("Search", this.trials), this.fit),
    );
    this.cancel = button("Cancel", () => this.#leave("cancel"));
    this.bar = el("progress", { "aria-label": "Kits tried" });
    this.done = el("p", { class: "told" });
    this.progress = el("div", { class: "panel", hidden: true }, el("h2", {}, "Fitting"), this.bar, this.done, this.cancel);
    this.found = el("div", { class: "panel", hidden: true, id: "teach-found" });
    this.keep = button("Write to the kit", () => this.#leave("keep"), { class: "first" });
    this.discard = button("Discard", () => this.#leave("cancel"));
    this.results = el("div", { class: "results" }, this.heard, this.fitting, this.progress, this.found);
    this.root = el("div", { class: "teach" }, this.said, this.form, el("div", { class: "side" }, this.stage, this.results));
    this.element.replaceChildren(this.root);
  }

  // Ask what can be played and fitted, and fill the fields with it.
  async #choose() {
    try {
      this.choices = await this.desk.get(`/api/teach/choices?kit=${this.kit.value || 0}`);
    } catch (error) {
      this.#say(error.message, true);
      return;
    }
    const { kits, patterns, takes, bpm, bars, can_record: canRecord, pads } = this.choices;
    fill(this.kit, kits.map((name, index) => [String(index), name]));
    this.kits.hidden = kits.length < 2;
    fill(this.pattern, Object.keys(patterns).map((name) => [name, name]));
    fill(this.take, takes.map((name) => [name, name]));
    [this.bpm.min, this.bpm.max] = bpm;
    [this.bars.min, this.bars.max] = bars;
    this.canPlay = canRecord && Object.keys(patterns).length > 0;
    if (!canRecord) this.#say("No instrument plays, so nothing can be recorded: start lalelu run to play along. A take that you have marked in Takes can be fitted here.");
    else if (!this.canPlay) this.#say(`The patterns need pads with the names ${pads.join(", ").replaceAll("_", " ")}; the kit ${kits[this.kit.value]} has too few of them.`, true);
    this.#show();
    this.#update();
  }

  // Show the pattern that is chosen.
  #show() {
    const strokes = this.choices.patterns[this.pattern.value];
    this.stage.hidden = !strokes;
    if (strokes) this.score.show(this.pattern.value, strokes, this.choices.beats);
  }

  async #start() {
    const [bpm, bars, bar] = [Number(this.bpm.value), Number(this.bars.value), this.choices.beats];
    const click = this.click = new Click();
    if (!(await this.#ask("start", { pattern: this.pattern.value, bpm, bars, kit: Number(this.kit.value) }))) {
      this.#silence();
      return;
    }
    this.#say("Listen to the click: one bar, then play.");
    this.stage.scrollIntoView({ block: "nearest" });
    this.halt.focus({ preventScroll: true });
    await click.start(bpm, (bars + this.choices.count_in) * bar, bar);
    if (this.click !== click) return; // stopped already
    const left = click.firstMs - performance.now() + (bars + this.choices.count_in) * bar * click.beatMs;
    this.ending = setTimeout(() => this.#stop(), left + TAIL_MS);
    this.#run(click, bars);
  }

  // Move the light until the click has ended.
  #run(click, bars) {
    if (this.click !== click) return;
    const { beats: bar, count_in: before } = this.choices;
    const beats = click.beats;
    const number = Math.floor(beats / bar) - before; // of the bar, from 0; below: counting in
    const isOver = number >= bars;
    const within = beats - (number + before) * bar;
    const beat = beats < 0 || isOver ? "" : Math.floor(within) + 1;
    this.score.tell(beat, isOver ? "done" : number < 0 ? "count-in" : `bar ${number + 1} of ${bars}`, number < 0);
    this.score.at(number >= 0 && !isOver ? within : null);
    requestAnimationFrame(() => this.#run(click, bars));
  }

  async #stop() {
    if (this.halt.disabled) return; // on its way
    this.halt.disabled = true;
    clearTimeout(this.ending);
    this.#silence();
    this.#say("Listening to the take.");
    const isHeard = await this.#ask("stop");
    await this.#choose();
    this.halt.disabled = false;
    if (!isHeard) return;
    this.take.value = this.state.heard.take;
    this.fit.focus();
  }

  async #fit() {
    const body = { take: this.take.value, trials: Number(this.trials.value), kit: Number(this.kit.value) };
    if (await this.#ask("fit", body)) this.cancel.focus();
  }

  // Write what was found, or forget it.
  async #leave(what) {
    if (!(await this.#ask(what))) return;
    if (what === "keep") this.desk.dispatchEvent(new CustomEvent("written"));
    this.fit.focus({ preventScroll: true });
  }

  #silence() {
    this.click?.stop();
    this.click = null;
    this.score.at(null);
    this.score.tell("", "");
  }

  // Ask for something and show how far the lesson is then; false where it is refused.
  async #ask(what, body) {
    try {
      this.state = what ? await this.desk.post(`/api/teach/${what}`, body) : await this.desk.get("/api/teach");
    } catch (error) {
      this.#say(error.message, true);
      if (what) await this.#look();
      return false;
    }
    if (what || this.state.problem || this.state.said) this.#say(this.state.problem || this.state.said, Boolean(this.state.problem));
    this.#update();
    return true;
  }

  // See how far the lesson is, whatever was said.
  async #look() {
    try {
      this.state = await this.desk.get("/api/teach");
    } catch {
      return; // the state's line in the header tells
    }
    this.#update();
  }

  #update() {
    if (!this.state) return;
    const { course, heard, search } = this.state;
    const found = search?.fitted;
    this.root.classList.toggle("playing", Boolean(course));
    this.form.hidden = this.results.hidden = Boolean(course);
    this.halt.hidden = !course;
    this.start.disabled = !this.canPlay || Boolean(search && !found);
    this.#fill(this.heard, heard, () => [el("h2", {}, "Heard"), ...heard.sentences.map((sentence, index) => el("p", { class: index ? "" : "told" }, sentence))]);
    this.fitting.hidden = Boolean(search);
    this.fit.disabled = this.take.options.length === 0;
    this.progress.hidden = !search || Boolean(found);
    if (search && !found) this.#follow(search);
    if ((search && !found) || (course && !this.click)) this.#lookLater(Boolean(search));
    this.#fill(this.found, found, () => this.#result(search, found));
  }

  // Fill a panel anew where what it shows has changed: what stands in it keeps its focus.
  #fill(panel, told, make) {
    panel.hidden = !told;
    if (panel.told === told || JSON.stringify(panel.told) === JSON.stringify(told)) return;
    panel.told = told;
    panel.replaceChildren(...(told ? make() : []));
  }

  #follow({ done, trials, before, best }) {
    this.bar.max = trials;
    this.bar.value = done;
    this.done.textContent = done ? `${done} of ${trials} kits tried, F1 ${before.toFixed(3)} → ${best.toFixed(3)}` : "beginning";
  }

  // What goes on without this browser is asked for.
  #lookLater(searches) {
    this.looking ??= setTimeout(async () => {
      this.looking = null;
      await this.#ask("");
      if (!searches || !this.state.search?.fitted) return;
      this.found.scrollIntoView({ block: "nearest" });
      (this.keep.disabled ? this.discard : this.keep).focus({ preventScroll: true });
    }, LOOK_MS);
  }

  #result({ take }, { report, table, changes, no_use: noUse, legend }) {
    const { before, after } = report.all;
    const rows = FIGURES.map(([name, of, digits]) => {
      const [old, now] = [of(before.held_back), of(after.held_back)];
      const told = (value) => (value === null ? "-" : value.toFixed(digits));
      const kind = old === null || now === null || told(old) === told(now) ? "" : now < old ? "better" : "worse";
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, told(old)), el("td", { class: kind }, told(now)));
    });
    this.keep.disabled = Boolean(noUse);
    return [
      el("h2", {}, `Before and after: ${take}`),
      el("p", { class: noUse ? "told error" : "told" }, noUse ?? `${changes.length} options are to change.`),
      el("table", {}, el("caption", { class: "dim" }, legend), el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, "before"), el("th", { scope: "col" }, "after"))), el("tbody", {}, ...rows)),
      el("details", {}, el("summary", {}, "All figures, and what changes"), el("ul", {}, ...changes.map(([where, value]) => el("li", {}, `${where.join(".")}: ${JSON.stringify(value)}`))), el("pre", { tabindex: 0 }, table)),
      el("div", { class: "row" }, this.keep, this.discard),
    ];
  }

  #say(sentence, isBad = false) {
    this.said.textContent = sentence;
    this.said.classList.toggle("error", isBad);
  }
}

// Fill a <select> with [value, label] pairs; what was chosen stays so where it is still there.
function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, label]) => el("option", { value }, label)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}
