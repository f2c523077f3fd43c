"use strict";
// Draws what latency_page.py embeds: canvases that zoom by wheel, drag, pinch and keys. No other file is needed.
(() => {
const told = JSON.parse(document.getElementById("told").textContent);
const colour = {
  line: "#232c38", text: "#e6edf3", dim: "#8b98a8", p50: "#5ad1ff", p95: "#ffb454", max: "#ff5d5d",
  frame: "#5ad1ff", outlier: "#ff5d5d", note: "#d2a8ff", phase: ["#16233a", "#0f1a2b"], warm: "#2a2320",
};
const floats = (text) => {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Float32Array(bytes.buffer);
};
const number = (value, digits = 3) => Number.isFinite(value) ? value.toPrecision(digits).replace(/\.?0+(e|$)/, "$1") : "-";

// a scale from data to pixels, linear or logarithmic
const scale = (low, high, from, to, log) => {
  const f = log ? Math.log10 : (x) => x;
  const a = f(low), b = f(high) - a || 1;
  const there = (value) => from + (f(Math.max(value, log ? low : -Infinity)) - a) / b * (to - from);
  there.back = (pixel) => {
    const x = a + (pixel - from) / (to - from) * b;
    return log ? 10 ** x : x;
  };
  return there;
};
const ticks = (low, high, about, log) => {
  if (log) {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
      for (const m of [1, 2, 5]) {
        const t = m * 10 ** e;
        if (t >= low * 0.999 && t <= high * 1.001) found.push(t);
      }
    return found;
  }
  const span = (high - low) / about, power = 10 ** Math.floor(Math.log10(span));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= span), found = [];
  for (let i = Math.ceil(low / step); i * step <= high * (1 + 1e-9); i++) found.push(i * step);
  return found;
};

// one plot: axes, a window on x that zooms, a line of text for what the pointer is at
class Plot {
  constructor(name, {x, y, draw, at}) {
    this.box = document.getElementById(name);
    this.canvas = this.box.querySelector("canvas");
    this.said = this.box.querySelector("output");
    Object.assign(this, {full: x, y, drawIn: draw, at, window: [x.low, x.high]});
    this.pointers = new Map();
    const c = this.canvas;
    c.tabIndex = 0;
    c.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoom(e.deltaY < 0 ? 0.8 : 1.25, e.offsetX);
    }, {passive: false});
    c.addEventListener("pointerdown", (e) => {
      c.setPointerCapture(e.pointerId);
      this.pointers.set(e.pointerId, e.offsetX);
    });
    c.addEventListener("pointermove", (e) => this.move(e));
    for (const gone of ["pointerup", "pointercancel"])
      c.addEventListener(gone, (e) => this.pointers.delete(e.pointerId));
    c.addEventListener("pointerleave", () => { this.said.textContent = this.hint(); });
    c.addEventListener("dblclick", () => this.show(x.low, x.high));
    c.addEventListener("keydown", (e) => {
      const span = this.window[1] - this.window[0], middle = (this.left + this.right) / 2;
      const acts = {
        "+": () => this.zoom(0.7, middle), "=": () => this.zoom(0.7, middle), "-": () => this.zoom(1.4, middle),
        ArrowLeft: () => this.shift(-span / 5), ArrowRight: () => this.shift(span / 5),
        "0": () => this.show(x.low, x.high), Escape: () => this.show(x.low, x.high),
      };
      if (acts[e.key]) { e.preventDefault(); acts[e.key](); }
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.said.textContent = this.hint();
  }
  hint() { return "wheel, pinch or + − zooms, drag or ← → moves, double click shows all"; }
  move(e) {
    const before = this.pointers.get(e.pointerId);
    if (before !== undefined && this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== e.pointerId)[1];
      const was = Math.abs(before - other), is = Math.abs(e.offsetX - other);
      if (was > 10 && is > 10) this.zoom(was / is, (e.offsetX + other) / 2);
    } else if (before !== undefined) {
      this.shift(this.x.back(before) - this.x.back(e.offsetX));
    } else if (this.x) {
      this.said.textContent = this.at(this.x.back(e.offsetX), (this.window[1] - this.window[0]) / (this.right - this.left)) || this.hint();
    }
    if (before !== undefined) this.pointers.set(e.pointerId, e.offsetX);
  }
  zoom(by, pixel) {
    const middle = this.x.back(pixel), [low, high] = this.window;
    if (this.full.log) {
      const f = (v) => 10 ** (Math.log10(middle) + (Math.log10(v) - Math.log10(middle)) * by);
      this.show(f(low), f(high));
    } else this.show(middle + (low - middle) * by, middle + (high - middle) * by);
  }
  shift(by) {
    if (this.full.log) return;
    const [low, high] = this.window, {low: first, high: last} = this.full;
    const kept = Math.min(Math.max(by, first - low), last - high);
    this.show(low + kept, high + kept);
  }
  show(low, high) {
    low = Math.max(low, this.full.low);
    high = Math.min(high, this.full.high);
    if (high - low < (this.full.least || 0)) return;
    this.window = [low, high];
    this.draw();
    if (this.linked) for (const other of this.linked) if (other !== this && other.window.join() !== this.window.join()) other.show(low, high);
  }
  draw() {
    const c = this.canvas, dpr = window.devicePixelRatio || 1, width = c.clientWidth, height = c.clientHeight;
    if (!width) return;
    c.width = Math.round(width * dpr); c.height = Math.round(height * dpr);
    const g = c.getContext("2d");
    g.scale(dpr, dpr);
    g.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    this.left = 54; this.right = width - 12; this.top = 8; this.bottom = height - 34;
    const [low, high] = this.window, y = this.y(low, high);
    this.x = scale(low, high, this.left, this.right, this.full.log);
    const up = scale(y.low, y.high, this.bottom, this.top, y.log);
    g.save();
    g.beginPath(); g.rect(this.left, this.top, this.right - this.left, this.bottom - this.top); g.clip();
    if (this.under) this.under(g, this.x, this);
    g.restore();
    g.strokeStyle = colour.line; g.fillStyle = colour.dim; g.lineWidth = 1;
    g.textAlign = "right"; g.textBaseline = "middle";
    for (const t of y.ticks || ticks(y.low, y.high, 5, y.log)) {
      const at = Math.round(up(t)) + 0.5;
      g.beginPath(); g.moveTo(this.left, at); g.lineTo(this.right, at); g.stroke();
      g.fillText(y.label ? y.label(t) : number(t), this.left - 6, at);
    }
    g.textAlign = "center"; g.textBaseline = "top";
    let free = -Infinity;
    for (const t of ticks(low, high, Math.max(3, width / 110), this.full.log)) {
      const at = this.x(t), text = this.full.label ? this.full.label(t) : number(t);
      g.beginPath(); g.moveTo(at, this.bottom); g.lineTo(at, this.bottom + 4); g.stroke();
      if (at - g.measureText(text).width / 2 > free + 8) {
        g.fillText(text, at, this.bottom + 7);
        free = at + g.measureText(text).width / 2;
      }
    }
    g.textAlign = "right";
    g.fillText(this.full.unit || "", this.right, this.bottom + 20);
    g.textAlign = "left";
    g.fillText(y.unit || "", this.left, this.bottom + 20);
    g.save();
    g.beginPath(); g.rect(this.left, this.top, this.right - this.left, this.bottom - this.top); g.clip();
    this.drawIn(g, this.x, up, this);
    g.restore();
  }
}

const time = (s) => s >= 3600 ? `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}:${String(Math.round(s % 60)).padStart(2, "0")}`
  : s >= 100 ? `${Math.floor(s / 60)}:${String(Math.round(s % 60)).padStart(2, "0")}` : `${number(s, 4)}`;
const find = (array, value) => { // the first index whose value is not below
  let low = 0, high = array.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (array[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
};
const steps = (g, x, up, xs, ys, stroke, width = 1.4) => { // a line that stays level for its second
  g.strokeStyle = stroke; g.lineWidth = width;
  g.beginPath();
  let open = false;
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) { open = false; continue; }
    const a = x(xs[i]), b = x(xs[i] + 1);
    if (b < -20 || a > 20000) { open = false; continue; }
    if (open && xs[i] === xs[i - 1] + 1) g.lineTo(a, up(ys[i])); else g.moveTo(a, up(ys[i]));
    g.lineTo(b, up(ys[i]));
    open = true;
  }
  g.stroke();
};

// --- the run's timeline
const seconds = {};
for (const [name, text] of Object.entries(told.seconds)) seconds[name] = floats(text);
const frames = told.frames && {at: floats(told.frames.at), ms: floats(told.frames.ms)};
const worst = [...told.outliers].sort((a, b) => a.at - b.at);
const bands = (g, x, plot) => {
  told.phases.forEach((phase, i) => {
    g.fillStyle = phase.warm ? colour.warm : colour.phase[i % 2];
    g.fillRect(x(phase.first), 0, x(phase.last) - x(phase.first), plot.bottom);
  });
};
const end = told.end || 1;
const timeAxis = {low: 0, high: end, least: 0.05, unit: "s", label: time};
const highest = (low, high) => {
  let most = 0.1;
  for (let i = find(seconds.second, Math.floor(low)); i < seconds.second.length && seconds.second[i] <= high; i++)
    if (seconds.frame_max[i] > most) most = seconds.frame_max[i];
  return most * 1.1;
};
const least = Math.max(0.02, Math.min(...Array.from(seconds.frame_p50).filter((v) => v > 0)) / 2) || 0.02;
const timeline = new Plot("timeline", {
  x: timeAxis,
  y: (low, high) => ({low: least, high: Math.max(highest(low, high), least * 4), log: true, unit: "ms, frame → row"}),
  draw: (g, x, up, plot) => {
    const [low, high] = plot.window;
    if (frames && (high - low) < 60) {
      g.fillStyle = colour.frame;
      for (let i = find(frames.at, low); i < frames.at.length && frames.at[i] <= high; i++)
        g.fillRect(x(frames.at[i]) - 1, up(frames.ms[i]) - 1, 2.2, 2.2);
    } else {
      steps(g, x, up, seconds.second, seconds.frame_max, colour.max, 1);
      steps(g, x, up, seconds.second, seconds.frame_p95, colour.p95, 1);
      steps(g, x, up, seconds.second, seconds.frame_p50, colour.p50, 1.8);
    }
    for (const one of worst) {
      const a = x(one.at), b = up(one.ms);
      g.strokeStyle = one.kind === "note" ? colour.note : colour.outlier;
      g.beginPath(); g.arc(a, b, 4, 0, 7); g.stroke();
    }
    g.fillStyle = colour.text; g.textBaseline = "top"; g.textAlign = "left";
    for (const phase of told.phases) {
      const a = Math.max(x(phase.first), plot.left) + 5;
      if (x(phase.last) - a > 60) g.fillText(phase.name, a, plot.top + 2);
    }
  },
  at: (s, per) => {
    const near = worst.filter((one) => Math.abs(one.at - s) < per * 6);
    if (near.length) return near.map((one) => one.said).join("   |   ");
    if (frames && per < 0.08) {
      const i = Math.min(find(frames.at, s), frames.at.length - 1);
      return `${time(frames.at[i])} s: frame ${number(frames.ms[i], 4)} ms`;
    }
    const i = find(seconds.second, Math.floor(s));
    if (seconds.second[i] !== Math.floor(s)) return `${time(s)} s: no frames`;
    return `second ${Math.floor(s)}: p50 ${number(seconds.frame_p50[i])} ms, p95 ${number(seconds.frame_p95[i])}, max ${number(seconds.frame_max[i], 4)}`;
  },
});
timeline.under = bands;

// --- what else was going on, below the same time
const choose = document.getElementById("series"), chosen = () => choose.value;
const beside = new Plot("beside", {
  x: timeAxis,
  y: (low, high) => {
    let least = Infinity, most = -Infinity;
    const values = seconds[chosen()];
    for (let i = find(seconds.second, Math.floor(low)); i < seconds.second.length && seconds.second[i] <= high; i++)
      if (Number.isFinite(values[i])) { least = Math.min(least, values[i]); most = Math.max(most, values[i]); }
    if (!(least <= most)) return {low: 0, high: 1, unit: "not told by this machine"};
    const room = (most - least) * 0.1 || Math.abs(most) * 0.1 || 1;
    return {low: Math.min(least - room, least >= 0 && least < most / 2 ? 0 : Infinity), high: most + room, unit: told.series[chosen()]};
  },
  draw: (g, x, up) => steps(g, x, up, seconds.second, seconds[chosen()], colour.p95, 1.6),
  at: (s) => {
    const i = find(seconds.second, Math.floor(s));
    return seconds.second[i] === Math.floor(s) ? `second ${Math.floor(s)}: ${number(seconds[chosen()][i], 5)}` : "";
  },
});
beside.under = bands;
choose.addEventListener("change", () => beside.draw());
timeline.linked = beside.linked = [timeline, beside];
for (const row of document.querySelectorAll("[data-from]"))
  row.addEventListener("click", () => {
    timeline.show(+row.dataset.from, +row.dataset.to);
    timeline.box.scrollIntoView({behavior: "smooth", block: "nearest"});
  });

// --- distributions: counted between edges by the analysis
for (const name of ["histogram", "cadence"]) {
  const {edges, counts, unit, log} = told[name];
  if (!counts.length) continue;
  const most = Math.max(...counts);
  const low = edges[0];
  new Plot(name, {
    x: {low, high: edges[edges.length - 1], log, least: (edges[1] - edges[0]) / 4, unit},
    y: () => ({low: 0.6, high: most * 1.5, log: true, unit: "rows", label: (v) => String(Math.round(v)), ticks: ticks(1, most * 1.5, 4, true).filter((t) => Number.isInteger(Math.log10(t)))}),
    draw: (g, x, up, plot) => {
      g.fillStyle = name === "cadence" ? colour.p95 : colour.p50;
      counts.forEach((count, i) => {
        if (!count) return;
        const a = x(edges[i]);
        g.fillRect(a, up(count), Math.max(x(edges[i + 1]) - a - 0.5, 1), plot.bottom - up(count));
      });
    },
    at: (value) => {
      const i = find(edges, value) - 1;
      return i >= 0 && i < counts.length ? `${number(edges[i])} .. ${number(edges[i + 1])} ${unit}: ${counts[i]} rows` : "";
    },
  });
}
if (told.ecdf.length) {
  const lines = told.ecdf, all = lines.flatMap((line) => line.ms);
  const rarest = Math.min(...lines.map((line) => line.above[line.above.length - 1]));
  new Plot("ecdf", {
    x: {low: Math.max(Math.min(...all), 0.01), high: Math.max(...all) * 1.05, log: true, least: 0.01, unit: "ms"},
    y: () => ({
      low: rarest, high: 1, log: true, unit: "share of rows that took longer",
      ticks: [1, 0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6].filter((t) => t >= rarest),
      label: (v) => v >= 0.1 ? `${Math.round(v * 100)} %` : `${number(v * 100)} %`,
    }),
    draw: (g, x, up, plot) => {
      lines.forEach((line, n) => {
        g.strokeStyle = [colour.p50, colour.note, colour.p95][n % 3]; g.lineWidth = 1.8;
        g.beginPath();
        line.ms.forEach((ms, i) => i ? g.lineTo(x(ms), up(line.above[i])) : g.moveTo(x(ms), up(line.above[i])));
        g.stroke();
        g.fillStyle = g.strokeStyle; g.textAlign = "right"; g.textBaseline = "top";
        g.fillText(line.name, plot.right - 6, plot.top + 4 + n * 16);
      });
    },
    at: (ms) => lines.map((line) => {
      const i = find(line.ms, ms);
      return `${line.name}: ${i < line.ms.length ? number(line.above[i] * 100) : 0} % above ${number(ms)} ms`;
    }).join("   "),
  });
}
})();
