// Takes: record, the library, true hits on the traces, and what the edited kit makes of a take.
import { el } from "./elements.js";
import { Film } from "./takes_film.js";
import { Trace, Window } from "./takes_trace.js";

const LOOK_MS = 5000; // between two looks at the library
const NARROW = "(max-width: 800px)"; // the film is above the traces then, else beside them

export async function mount(element, desk) {
  document.head.append(el("link", { rel: "stylesheet", href: "/static/takes.css" }));
  await new Takes(element, desk).begin();
}

class Takes {
  constructor(element, desk) {
    Object.assign(this, { element, desk });
    this.shown = null; // what was told of the take that is open
    this.traces = [];
    this.recording = null;
  }

  async begin() {
    this.#build();
    await this.#look();
    this.#lookLater();
    window.addEventListener("resize", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  #lookLater() {
    setTimeout(async () => {
      if (!this.element.hidden) await this.#look();
      this.#lookLater(); // one at a time: an answer may take long while a take is replayed
    }, LOOK_MS);
  }

  #build() {
    const button = (label, act, attributes = {}) => el("button", { type: "button", onclick: act, ...attributes }, label);
    this.record = button("Record", () => this.#record(), { class: "record", "aria-pressed": "false" });
    this.withFilm = el("input", { type: "checkbox", onchange: () => { this.filmChosen = true; } });
    this.list = el("ul", { "aria-label": "Takes" });
    this.film = new Film();
    this.folder = el("p", { class: "dim" });
    this.said = el("p", { class: "said", role: "status", "aria-live": "polite" });
    this.title = el("h2");
    this.name = el("input", { type: "text", "aria-label": "Name", maxlength: 80 });
    this.note = el("input", { type: "text", "aria-label": "Note", maxlength: 500, placeholder: "a note" });
    this.snap = el("input", { type: "checkbox", checked: true });
    this.undo = button("Undo", () => this.#edit("undo"));
    this.result = el("p", { class: "result", role: "status", id: "take-result" });
    this.pads = el("ul");
    this.figures = el("div");
    this.open = el(
      "div", { class: "panel", hidden: true },
      this.title,
      el("div", { class: "row" }, button("Compare with the edited kit", () => this.#compare()), el("span", { class: "dim" }, "the kit as it was when the page began, and as it is in Tune now")),
      this.result, this.pads,
      el("div", { class: "row" }, button("Begin with what was heard", () => this.#edit("begin")), this.undo, button("Delete the mark", () => this.traces.find(({ chosen }) => chosen)?.remove()), el("label", {}, this.snap, "snap to the stroke"), el("span", { class: "pair" }, button("Zoom in", () => this.#zoom(0.5)), button("Zoom out", () => this.#zoom(2)))),
      el("p", { class: "dim" }, "Yellow marks are true hits: click to add one, drag it, choose it and press Delete. Green dots sounded, red ones were rejected. The wheel zooms, dragging scrolls."),
      this.figures,
      el("div", { class: "row" }, this.name, button("Rename", () => this.#rename()), this.note, button("Keep the note", () => this.#ask("note", { note: this.note.value }, "Kept.")), button("Delete the take", () => this.#delete())),
    );
    const film = el("label", { class: "row" }, this.withFilm, "with film");
    const left = el("div", { class: "panel side" }, this.record, film, this.said, this.list, this.folder);
    this.element.replaceChildren(el("div", { class: "takes" }, left, this.open));
    const narrow = window.matchMedia(NARROW);
    const place = () => (narrow.matches ? this.figures.before(this.film.element) : this.list.before(this.film.element));
    narrow.addEventListener("change", place);
    place();
  }

  async #look() {
    try {
      this.#take(await this.desk.get("/api/takes"));
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  #take({ takes, recording, folder, films, can_record: canRecord }) {
    this.recording = recording;
    this.record.disabled = !canRecord;
    this.withFilm.disabled = !canRecord || Boolean(recording);
    if (recording) this.withFilm.checked = recording.film;
    else if (!this.filmChosen) this.withFilm.checked = films;
    this.record.setAttribute("aria-pressed", String(Boolean(recording)));
    this.record.textContent = recording ? `Stop: ${recording.take}` : "Record";
    this.folder.textContent = canRecord ? folder : `${folder}; to record, start lalelu run`;
    const told = JSON.stringify([takes, this.shown?.take]);
    if (told === this.toldTakes) return; // the list keeps its focus
    this.toldTakes = told;
    this.list.replaceChildren(...takes.map((take) => this.#item(take)));
    this.notes = new Map(takes.map(({ name, note }) => [name, note]));
  }

  #item({ name, seconds, fps, players, truth, film, source, note, problem, recorded }) {
    const truths = truth === null ? "no truth" : `${truth} true hits`;
    const filmed = film ? ", with film" : "";
    const facts = problem ?? `${seconds.toFixed(1)} s, ${fps} fps, ${players} player${players === 1 ? "" : "s"}, ${truths}${filmed}, ${source}`;
    const shown = el(
      "button", { type: "button", "aria-pressed": String(name === this.shown?.take), disabled: Boolean(problem), onclick: () => this.#show(name) },
      name, el("small", {}, facts), el("small", {}, [note, recorded.slice(0, 16).replace("T", " ")].filter(Boolean).join(" · ")),
    );
    const gone = el("button", { type: "button", onclick: () => this.#ask("delete", { take: name }, "Moved to the folder trash.") }, `Delete ${name}`);
    return el("li", {}, shown, ...(problem ? [gone] : []));
  }

  async #record() {
    await this.#ask("record", { on: !this.recording, film: this.withFilm.checked });
  }

  // Ask for a change of the library and show it.
  async #ask(what, body, sentence) {
    try {
      const state = await this.desk.post(`/api/takes/${what}`, { take: this.shown?.take, ...body });
      this.#take(state);
      this.#say(state.said ?? sentence ?? "");
      return true;
    } catch (error) {
      this.#say(error.message, true);
      return false;
    }
  }

  async #rename() {
    const name = this.name.value.trim();
    if (!(await this.#ask("rename", { name }, "Renamed."))) return;
    this.title.textContent = this.shown.take = this.film.take = name;
    await this.#look();
  }

  async #delete() {
    if (!(await this.#ask("delete", {}, "Moved to the folder trash."))) return;
    this.shown = null;
    this.open.hidden = true;
    this.film.show(null, []);
  }

  async #show(name) {
    this.#say("One moment.");
    try {
      this.shown = await this.desk.get(`/api/takes/show?take=${encodeURIComponent(name)}`);
    } catch (error) {
      this.#say(error.message, true);
      return;
    }
    this.open.hidden = false;
    this.title.textContent = this.name.value = name;
    this.note.value = this.notes.get(name) ?? "";
    this.result.textContent = "";
    this.pads.replaceChildren();
    const length = Math.max(0, ...this.shown.traces.map(({ time_s: times }) => times[times.length - 1] ?? 0));
    const view = this.view = new Window(length);
    const moved = () => {
      this.#draw();
      if (view.cursor !== null) this.film.seek(view.cursor);
    };
    const chose = (chosen) => {
      for (const trace of this.traces) if (trace !== chosen) trace.chosen = null;
    };
    const actions = { view, moved, chose, edit: (...given) => this.#edit(...given), say: (sentence) => this.#say(sentence) };
    this.traces = this.shown.traces.map((told) => new Trace(told, actions));
    const several = new Set(this.shown.traces.map(({ player }) => player)).size > 1;
    this.figures.replaceChildren(...this.traces.map((trace) => el(
      "figure", {},
      el("figcaption", {}, trace.told.limb.replaceAll("_", " ") + (several ? `, player ${trace.told.player}` : ""), trace.range),
      trace.canvas,
    )));
    this.film.show(name, this.shown.film);
    this.#showTruth(this.shown);
    this.#say(this.shown.problems.join(" "));
    await this.#look();
  }

  #showTruth({ truth, undo }) {
    Object.assign(this.shown, { truth, undo });
    this.undo.disabled = !undo;
    for (const trace of this.traces) trace.show(truth, this.shown.strokes);
  }

  async #edit(what, hit, more = {}) {
    try {
      const body = { take: this.shown.take, do: what, hit, snap: this.snap.checked, ...more };
      this.#showTruth(await this.desk.post("/api/takes/truth", body));
      this.#say(this.shown.truth ? `${this.shown.truth.length} true hits` : "no truth");
    } catch (error) {
      this.#say(error.message, true);
      for (const trace of this.traces) trace.draw();
    }
  }

  async #compare() {
    this.result.textContent = "Replaying.";
    try {
      const { sentence, pads } = await this.desk.post("/api/takes/compare", { take: this.shown.take });
      this.result.textContent = sentence;
      this.pads.replaceChildren(...Object.entries(pads).map(([pad, told]) => el("li", {}, `${pad}: ${told}`)));
    } catch (error) {
      this.result.textContent = "";
      this.#say(error.message, true);
    }
  }

  #zoom(factor) {
    const { view } = this;
    view.zoom(factor, (this.traces.find(({ chosen }) => chosen)?.chosen.time_s) ?? (view.from + view.to) / 2);
    this.#draw();
  }

  // However often it is asked for, once a picture.
  #draw() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = undefined;
      for (const trace of this.traces) trace.draw();
    });
  }

  #say(sentence, isBad = false) {
    this.said.textContent = sentence;
    this.said.classList.toggle("error", isBad);
  }
}
