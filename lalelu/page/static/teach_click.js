// The click (Web Audio, no file), and the time that goes with it.
const BEFORE_S = 0.3; // from the start to the first click
const RESUME_MS = 500; // without a sound card it may never come
const BEAT = 1100, ACCENT = 1650; // Hz
const LENGTH_S = 0.05;

export class Click {
  // To be made in a click or a key's press: only then may a page sound.
  constructor() {
    this.audio = new AudioContext();
  }

  // Begin a click of so many beats, the first of every `bar` louder.
  async start(bpm, beats, bar) {
    await Promise.race([this.audio.resume(), new Promise((done) => setTimeout(done, RESUME_MS))]);
    const first = this.audio.currentTime + BEFORE_S;
    this.firstMs = performance.now() + (BEFORE_S + (this.audio.outputLatency || 0)) * 1000;
    this.beatMs = 60_000 / bpm;
    for (let beat = 0; beat < beats; beat++) this.#sound(first + (beat * 60) / bpm, beat % bar === 0);
  }

  // How many beats have passed since the first click; below 0 before it.
  get beats() {
    return (performance.now() - this.firstMs) / this.beatMs;
  }

  stop() {
    this.audio.close();
  }

  #sound(at, accent) {
    const tone = new OscillatorNode(this.audio, { frequency: accent ? ACCENT : BEAT, type: "triangle" });
    const loudness = new GainNode(this.audio, { gain: 0 });
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(accent ? 1 : 0.6, at + 0.002);
    loudness.gain.exponentialRampToValueAtTime(0.001, at + LENGTH_S);
    tone.connect(loudness).connect(this.audio.destination);
    tone.start(at);
    tone.stop(at + LENGTH_S);
  }
}
