// Scrolling traces of limbs, and how long frames take.
import { COLOURS, begun, written } from "./canvas.js";

const HEIGHTS = [-2.2, 1.2]; // of the trace, shoulder widths
const FOOT_HEIGHTS = [-0.2, 0.6]; // above where the foot was first seen
const REACH = 0.03; // of the trace's width: so near a mark is meant
const ARMED = 6; // px, the band at the bottom
const GAP_S = 0.1; // a limb unseen for longer leaves a gap

// The verdict nearest to a place (0 left .. 1 right) of the trace, or null.
export function verdictAt(marks, place, now, span) {
  let best = null;
  for (const mark of marks) {
    const distance = Math.abs(1 - (now - mark.t) / span - place);
    if (distance < REACH && (!best || distance < best.distance)) best = { mark, distance };
  }
  return best?.mark ?? null;
}

// The least speeds that pads ask, each once, with the names of the pads.
export function leastSpeeds(pads) {
  const found = new Map();
  for (const pad of pads) found.set(pad.threshold, [...(found.get(pad.threshold) ?? []), pad.name.replaceAll("_", " ")]);
  return [...found].map(([speed, names]) => ({ speed, names }));
}

export function drawTrace(canvas, trace, least, now, span, chosen) {
  const { pen, width, height } = begun(canvas);
  const across = (t) => width * (1 - (now - t) / span);
  const inner = height - ARMED - 4;
  const [low, high] = /ankle|knee|heel|toe|foot/.test(trace.limb) ? FOOT_HEIGHTS : HEIGHTS;
  const up = (y) => inner * (1 - (y - low) / (high - low));
  const fastest = Math.max(8, ...least.map(({ speed }) => speed), ...trace.points.map((point) => -point[2]));
  const fast = (speed) => inner * (1 - Math.max(0, speed) / fastest);

  for (const { speed, names } of least) {
    pen.strokeStyle = COLOURS.warn;
    pen.lineWidth = 1;
    pen.setLineDash([6, 4]);
    pen.beginPath();
    pen.moveTo(0, fast(speed));
    pen.lineTo(width, fast(speed));
    pen.stroke();
    pen.setLineDash([]);
    if (least.length > 1) {
      written(pen, names.join(", "), 4, fast(speed) - 8, { size: 12, colour: COLOURS.warn, align: "left" });
    }
  }
  let free = 0; // where the next name may begin
  for (const mark of trace.marks) {
    const x = across(mark.t);
    drawMark(pen, mark, x, inner, mark === chosen);
    const name = (mark.pad ?? "").replaceAll("_", " ");
    const half = mark.rule ? 0 : pen.measureText(name).width / 2;
    if (!mark.rule && x - half >= free) {
      written(pen, name, x, 10, { size: 13, colour: COLOURS.good });
      free = x + half + 4;
    }
  }
  line(pen, trace.points, (point) => [across(point[0]), fast(-point[2])], COLOURS.warn, 1.5);
  line(pen, trace.points, (point) => [across(point[0]), up(point[1])], COLOURS.accent, 3);
  for (let place = 1; place < trace.points.length; place += 1) {
    const [before, point] = [trace.points[place - 1], trace.points[place]];
    if (point[0] - before[0] > GAP_S) continue;
    pen.fillStyle = point[3] ? COLOURS.good : COLOURS.line;
    pen.fillRect(across(before[0]), height - ARMED, across(point[0]) - across(before[0]) + 0.5, ARMED);
  }
}

function drawMark(pen, mark, x, height, isChosen) {
  pen.strokeStyle = mark.rule ? COLOURS.bad : COLOURS.good;
  pen.lineWidth = isChosen ? 6 : 2;
  pen.beginPath();
  pen.moveTo(x, mark.rule ? height * 0.6 : 0);
  pen.lineTo(x, height);
  pen.stroke();
  if (mark.rule) written(pen, "×", x, height * 0.55, { size: 18, colour: COLOURS.bad });
}

function line(pen, points, place, colour, thickness) {
  pen.strokeStyle = colour;
  pen.lineWidth = thickness;
  pen.lineJoin = "round";
  pen.beginPath();
  points.forEach((point, index) => {
    const [x, y] = place(point);
    const gap = !index || point[0] - points[index - 1][0] > GAP_S;
    if (gap) pen.moveTo(x, y);
    else pen.lineTo(x, y);
  });
  pen.stroke();
}

// One bar a frame, newest at the right; the slowest one in a hundred is marked.
export function drawStrip(canvas, frames, now, span, p99) {
  const { pen, width, height } = begun(canvas);
  const most = Math.max(p99 * 1.5, 1);
  for (const [t, ms] of frames) {
    const high = Math.max(1, height * Math.min(1, ms / most));
    pen.fillStyle = ms > p99 ? COLOURS.bad : COLOURS.accent;
    pen.fillRect(width * (1 - (now - t) / span), height - high, 1.5, high);
  }
}

export function drawHistogram(canvas, sorted, p99) {
  const { pen, width, height } = begun(canvas);
  const bins = 40;
  const most = Math.max(p99 * 1.5, 1);
  const counts = new Array(bins).fill(0);
  for (const ms of sorted) counts[Math.min(bins - 1, Math.floor((ms / most) * bins))] += 1;
  const highest = Math.max(...counts);
  const floor = height - 18;
  counts.forEach((count, place) => {
    const high = (floor * count) / highest;
    pen.fillStyle = ((place + 1) / bins) * most > p99 ? COLOURS.bad : COLOURS.accent;
    pen.fillRect((place * width) / bins, floor - high, width / bins - 1, high);
  });
  for (const [share, align] of [[0, "left"], [0.5, "center"], [1, "right"]]) {
    const label = `${(most * share).toFixed(1)} ms${share === 1 ? " +" : ""}`;
    written(pen, label, share * width, height - 8, { size: 12, colour: COLOURS.dim, align });
  }
}
