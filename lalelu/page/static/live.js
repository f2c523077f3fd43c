// The Live tab: what lalelu sees, and why a stroke sounded or not.
import { drawStage, padsOf } from "./stage.js";
import { drawHistogram, drawStrip, drawTrace, leastSpeeds, verdictAt } from "./traces.js";

const SPAN_S = 4; // of the traces
const KEPT_S = 10; // of the latencies
const MOST_TOLD = 30; // verdicts in the list
const FLASH_S = 0.6;
const DRAW_MS = 30; // between two drawings: flashes fade smoothly, and a phone stays cool

const LAYOUT = `
  <div class="live">
    <div class="seen panel">
      <canvas id="stage" role="img" aria-label="Picture with skeleton and pads"></canvas>
      <div class="buttons">
        <button id="standby" aria-pressed="false">Standby</button>
        <button id="mirror" aria-pressed="true">Mirror</button>
        <button id="picture" aria-pressed="true">Picture</button>
      </div>
    </div>
    <div class="facts panel">
      <h2 class="unseen">How it runs</h2>
      <dl>
        <div><dt>Kit</dt><dd id="kit">–</dd></div>
        <div><dt>Frames a second</dt><dd id="fps">–</dd></div>
        <div><dt>Frame, usually</dt><dd id="p50">–</dd></div>
        <div><dt>Frame, slowest 1 %</dt><dd id="p99">–</dd></div>
        <div><dt>Last note</dt><dd id="note">–</dd></div>
      </dl>
      <ul id="conditions" aria-label="What is wrong" aria-live="polite"></ul>
      <h3>Time of each frame, last ${KEPT_S} s</h3>
      <div class="times">
        <canvas id="strip" role="img" aria-label="Time of each frame"></canvas>
        <canvas id="histogram" role="img" aria-label="How often frames took how long"></canvas>
      </div>
    </div>
    <div class="traces panel">
      <h2>Limbs</h2>
      <p class="key dim"><span class="height">height</span> <span class="speed">downward speed</span>
        <span class="threshold">least speed</span> <span class="hit">hit</span>
        <span class="rejected">rejected</span> <span class="armed">armed</span></p>
      <div id="traces"><p class="dim">Nobody is seen yet.</p></div>
    </div>
    <div class="told panel">
      <h2>Why?</h2>
      <p id="why" aria-live="polite" class="dim">Choose a mark in a trace, or a line below.</p>
      <ol id="verdicts"></ol>
    </div>
    <details class="lines panel"><summary>Last lines</summary><ul id="lines"></ul></details>
  </div>`;

export function mount(element, desk) {
  element.innerHTML = LAYOUT;
  new Live(element, desk);
}

class Live {
  #find;
  #scene = null;
  #players = [];
  #bitmap = null;
  #decoding = false;
  #kit = null; // of who plays without one of their own, or has switched last
  #traces = new Map(); // by player and limb: points [t, y, vy, armed], marks, canvas
  #frames = []; // [t, ms]
  #flashes = new Map(); // by player and pad: { at: ms, velocity }
  #now = 0; // of the newest frame, s
  #chosen = null;
  #nobody; // the line that stands for traces while there are none
  #dirty = true;
  #told = "";

  constructor(element, desk) {
    this.#find = (id) => element.querySelector(`#${id}`);
    this.desk = desk;
    this.#nobody = this.#find("traces").firstElementChild;
    for (const id of ["mirror", "picture"]) {
      const button = this.#find(id);
      const kept = localStorage.getItem(`lalelu.${id}`);
      if (kept !== null) button.setAttribute("aria-pressed", kept);
      button.addEventListener("click", () => {
        const pressed = String(!pressedOf(button));
        button.setAttribute("aria-pressed", pressed);
        localStorage.setItem(`lalelu.${id}`, pressed);
        this.#dirty = true;
      });
    }
    this.#find("standby").addEventListener("click", () => this.#toggle());
    desk.addEventListener("frame", (event) => this.#take(event.detail));
    desk.addEventListener("gone", () => this.#forget());
    if (desk.scene) this.#takeScene(desk.scene);
    let drawn = 0;
    const draw = (now) => {
      requestAnimationFrame(draw);
      if (this.#dirty && now - drawn > DRAW_MS && element.offsetParent !== null) {
        drawn = now;
        this.#draw();
      }
    };
    requestAnimationFrame(draw);
  }

  async #toggle() {
    const order = pressedOf(this.#find("standby")) ? "play" : "standby";
    try {
      await this.desk.post("/api/order", { order });
    } catch (error) {
      this.#explain(error.message);
    }
  }

  #take(message) {
    this.#dirty = true;
    if (message.scene) this.#takeScene(message.scene);
    if (message.state) this.#takeState(message.state);
    if (message.players && !message.jpeg) this.#players = message.players;
    this.#tellKit();
    for (const [t, ms] of message.frames ?? []) {
      this.#frames.push([t, ms]);
      this.#now = t;
    }
    while (this.#frames.length && this.#frames[0][0] < this.#now - KEPT_S) this.#frames.shift();
    for (const [key, points] of Object.entries(message.traces ?? {})) this.#trace(key).points.push(...points);
    for (const verdict of message.verdicts ?? []) this.#judge(verdict);
    for (const note of message.notes ?? []) this.#sound(note);
    for (const trace of this.#traces.values()) {
      while (trace.points.length && trace.points[0][0] < this.#now - SPAN_S - 1) trace.points.shift();
      while (trace.marks.length && trace.marks[0].t < this.#now - SPAN_S - 1) trace.marks.shift();
    }
    if (message.jpeg && !this.#decoding) this.#decode(message.jpeg, message.players);
  }

  // The next connection counts its times from a beginning of its own.
  #forget() {
    this.#bitmap?.close();
    this.#scene = this.#bitmap = this.#chosen = null;
    this.#players = [];
    this.#frames = [];
    this.#now = 0;
    this.#told = "";
    this.#flashes.clear();
    this.#traces.clear();
    this.#find("traces").replaceChildren(this.#nobody);
    for (const id of ["kit", "fps", "p50", "p99", "note"]) this.#find(id).textContent = "–";
    this.#find("standby").disabled = true;
    this.#kit = null;
    this.#dirty = true;
  }

  // Players are drawn with the picture in which they were seen.
  async #decode(jpeg, players) {
    this.#decoding = true;
    try {
      const fresh = await createImageBitmap(jpeg);
      this.#bitmap?.close();
      this.#bitmap = fresh;
      if (players) this.#players = players;
      this.#dirty = true;
    } finally {
      this.#decoding = false;
    }
  }

  #takeScene(scene) {
    this.#scene = scene;
    this.#find("stage").style.setProperty("--aspect", String(scene.aspect));
    this.#flashes.clear();
  }

  #takeState(state) {
    const told = JSON.stringify(state);
    if (told === this.#told) return;
    this.#told = told;
    const standby = this.#find("standby");
    standby.setAttribute("aria-pressed", String(state.standby));
    standby.textContent = state.standby ? "Play again" : "Standby";
    standby.disabled = state.state !== "playing";
    this.#kit = state.kit;
    list(this.#find("conditions"), (state.conditions ?? []).map((each) => each.text));
    list(this.#find("lines"), state.lines ?? []);
  }

  #tellKit() {
    const kits = new Set(this.#players.map(({ kit }) => kit));
    const each = this.#players.map(({ player, kit }) => `player ${player + 1} ${kit}`);
    const told = kits.size > 1 ? each.join(", ") : ([...kits][0] ?? this.#kit ?? "–");
    const element = this.#find("kit");
    if (element.textContent !== told) element.textContent = told;
  }

  #trace(key) {
    const known = this.#traces.get(key);
    if (known) return known;
    const holder = this.#find("traces");
    if (this.#traces.size === 0) holder.replaceChildren();
    const limb = key.split(":")[1];
    const player = Number(key.split(":")[0]);
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = whose(limb, player);
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${caption.textContent}: arrow keys choose a stroke`);
    figure.append(caption, canvas);
    holder.append(figure);
    const trace = { player, limb, points: [], marks: [], canvas };
    const choose = (event) => {
      const box = canvas.getBoundingClientRect();
      const mark = verdictAt(trace.marks, (event.clientX - box.left) / box.width, this.#now, SPAN_S);
      if (mark) this.#choose(mark);
    };
    canvas.addEventListener("pointermove", choose);
    canvas.addEventListener("click", choose);
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !trace.marks.length) return;
      event.preventDefault();
      const at = trace.marks.indexOf(this.#chosen);
      const next = at < 0 ? trace.marks.length - 1 : Math.min(Math.max(at + step, 0), trace.marks.length - 1);
      this.#choose(trace.marks[next]);
    });
    this.#traces.set(key, trace);
    return trace;
  }

  #judge(verdict) {
    const trace = this.#trace(`${verdict.player}:${verdict.limb}`);
    trace.marks.push(verdict);
    trace.marks.sort((one, other) => one.t - other.t);
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.className = verdict.rule ? "rejected" : "hit";
    const outcome = verdict.rule ? `rejected: ${plain(verdict.rule)}` : `hit ${plain(verdict.pad ?? "")}`;
    button.textContent = `${whose(verdict.limb, verdict.player)}, ${outcome}`;
    button.addEventListener("click", () => this.#choose(verdict));
    item.append(button);
    const told = this.#find("verdicts");
    told.prepend(item);
    if (told.children.length > MOST_TOLD) {
      const last = told.lastChild; // one that has the keyboard's focus stays until it is left
      (last === document.activeElement?.parentNode ? last.previousSibling : last).remove();
    }
  }

  #choose(verdict) {
    this.#chosen = verdict;
    this.#explain(verdict.why, verdict.rule ? "rejected" : "hit");
    this.#dirty = true;
  }

  #explain(sentence, mood = "rejected") {
    const why = this.#find("why");
    why.textContent = sentence;
    why.className = mood;
  }

  #sound(note) {
    const flash = { at: performance.now(), velocity: note.velocity };
    if (note.pad) this.#flashes.set(`${note.player}:${note.pad}`, flash);
    this.#find("note").textContent = `${plain(note.pad ?? "?")} ${note.velocity}`;
  }

  #draw() {
    this.#dirty = false;
    const flashes = new Map();
    for (const [pad, flash] of this.#flashes) {
      const left = 1 - (performance.now() - flash.at) / (FLASH_S * 1000);
      if (left > 0) flashes.set(pad, { left, velocity: flash.velocity });
      else this.#flashes.delete(pad);
    }
    if (flashes.size) this.#dirty = true; // it fades
    drawStage(this.#find("stage"), {
      scene: this.#scene,
      kit: this.#kit,
      players: this.#players,
      bitmap: pressedOf(this.#find("picture")) ? this.#bitmap : null,
      mirrored: pressedOf(this.#find("mirror")),
      flashes,
    });
    for (const trace of this.#traces.values()) {
      const kit = this.#players.find(({ player }) => player === trace.player)?.kit ?? this.#kit;
      const played = ["pads", "stomps"].flatMap((what) => padsOf(this.#scene, kit, trace.player, what));
      const pads = played.filter(({ limbs }) => limbs.includes(trace.limb));
      drawTrace(trace.canvas, trace, leastSpeeds(pads), this.#now, SPAN_S, this.#chosen);
    }
    this.#drawLatency();
  }

  #drawLatency() {
    const frames = this.#frames;
    if (frames.length < 2) return;
    const sorted = frames.map(([, ms]) => ms).sort((one, other) => one - other);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    const recent = frames.filter(([t]) => t > this.#now - 2);
    const span = this.#now - recent[0][0];
    if (span > 0) this.#find("fps").textContent = ((recent.length - 1) / span).toFixed(0);
    this.#find("p50").textContent = `${at(0.5).toFixed(1)} ms`;
    this.#find("p99").textContent = `${at(0.99).toFixed(1)} ms`;
    drawStrip(this.#find("strip"), frames, this.#now, KEPT_S, at(0.99));
    drawHistogram(this.#find("histogram"), sorted, at(0.99));
  }
}

function whose(limb, player) {
  return plain(limb) + (player ? `, player ${player + 1}` : "");
}

function pressedOf(button) {
  return button.getAttribute("aria-pressed") === "true";
}

function list(element, sentences) {
  element.replaceChildren(
    ...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }),
  );
}

function plain(name) {
  return name.replaceAll("_", " ");
}
