// Tabs, the live socket, and what every tab may ask: desk.get, desk.post, desk "frame" events.
const TABS = ["live", "tune", "teach", "takes"];
const RETRY_MS = 1000;
const REFUSALS = [401, 503]; // no token, too many browsers

class Desk extends EventTarget {
  latest = null; // the last live message
  scene = null; // kit and picture, as the last message told that had them

  async get(path) {
    return this.#ask(path, { method: "GET" });
  }

  async post(path, body) {
    const headers = { "Content-Type": "application/json" };
    return this.#ask(path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  }

  // Raises an Error whose `message` is the sentence and whose `problems` name the places.
  async #ask(path, options) {
    const answer = await fetch(path, options);
    const data = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const error = new Error(data.error ?? `the page answers ${answer.status}`);
      error.problems = data.problems ?? [];
      error.status = answer.status;
      throw error;
    }
    return data;
  }

  connect() {
    const socket = new WebSocket(`ws://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => { opened = true; };
    socket.onmessage = (event) => this.#tell(event.data);
    socket.onclose = async () => {
      this.latest = this.scene = null;
      this.dispatchEvent(new CustomEvent("gone", { detail: opened ? null : await this.#refusal() }));
      setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  // A socket that is refused does not say why; an ordinary request is told.
  async #refusal() {
    const error = await this.get("/live").catch((refused) => refused);
    return REFUSALS.includes(error.status) ? error.message : null;
  }

  // A message is a number of bytes (u32, little-endian), so much JSON, then a JPEG or nothing.
  #tell(data) {
    const length = new DataView(data).getUint32(0, true);
    const message = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const rest = new Uint8Array(data, 4 + length);
    message.jpeg = rest.length ? new Blob([rest], { type: "image/jpeg" }) : null;
    this.latest = message;
    if (message.scene) this.scene = message.scene;
    this.dispatchEvent(new CustomEvent("frame", { detail: message }));
  }
}

const desk = new Desk();
const mounted = new Set();

async function show(name, { focus = false } = {}) {
  for (const each of TABS) {
    const tab = document.getElementById(`tab-${each}`);
    const chosen = each === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tab.focus();
    document.getElementById(`panel-${each}`).hidden = !chosen;
  }
  history.replaceState(null, "", `#${name}`);
  if (mounted.has(name)) return;
  mounted.add(name);
  const module = await import(`./${name}.js`);
  module.mount(document.getElementById(`panel-${name}`), desk);
}

document.querySelector("nav").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) show(tab.id.slice(4));
});
document.querySelector("nav").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = TABS.findIndex((name) => document.activeElement.id === `tab-${name}`);
  show(TABS[(at + step + TABS.length) % TABS.length], { focus: true });
});

const state = document.getElementById("state");
function tellState(sentence, mood) {
  if (state.textContent !== sentence) state.textContent = sentence;
  state.dataset.mood = mood;
}
const SENTENCES = {
  idle: ["nobody plays", ""],
  starting: ["starting", ""],
  warm: ["starting", ""],
  playing: ["playing", "good"],
  waiting: ["waiting for the camera", "bad"],
  ending: ["ending", ""],
  ended: ["ended", ""],
  failed: ["failed", "bad"],
};
desk.addEventListener("frame", (event) => {
  const now = event.detail.state ?? {};
  if (now.standby) tellState("standby: nothing sounds", "bad");
  else tellState(...(SENTENCES[now.state] ?? [now.state ?? "", ""]));
});
desk.addEventListener("gone", (event) => tellState(event.detail ?? "no connection to lalelu, trying again", "bad"));

const asked = location.hash.slice(1);
show(TABS.includes(asked) ? asked : "live");
desk.connect();
