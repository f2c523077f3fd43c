// The pads around a body, to drag and resize. Body units: x to the player's right, y up; the drawing has y down.
import { svg } from "./elements.js";

const VIEW = { aside: 1.7, top: 1.35, bottom: -2.1 }; // at least; pads farther out make it wider
const MARGIN = 0.3;
const LEAST = 0.1; // of a side or radius, body units
const STEP = 0.05; // of an arrow key
const HANDLE = 0.07;
const LETTER = 0.08; // how wide one is, about, and how high a line of a name
const LINE = 0.17;
const SHOWN_MS = 1500; // of a stroke's dot
const FLASH_MS = 200;
const round = (number) => Math.round(number * 1000) / 1000;

// What each shape is: its parts as drawn, moved, and resized at one of its handles.
const SHAPES = {
  box: {
    move: ([left, low, right, high], dx, dy) => [left + dx, low + dy, right + dx, high + dy],
    handles: ([left, low, right, high]) => [[left, low], [right, low], [right, high], [left, high]],
    resize([left, low, right, high], handle, x, y) {
      if (handle === 0 || handle === 3) left = Math.min(x, right - LEAST);
      else right = Math.max(x, left + LEAST);
      if (handle < 2) low = Math.min(y, high - LEAST);
      else high = Math.max(y, low + LEAST);
      return [left, low, right, high];
    },
    grow: ([left, low, right, high], dx, dy) => [left, low, Math.max(left + LEAST, right + dx), Math.max(low + LEAST, high + dy)],
    middle: ([left, low, right, high]) => [(left + right) / 2, (low + high) / 2],
    draw([left, low, right, high], at) {
      const [x1, y1] = at(left, high);
      const [x2, y2] = at(right, low);
      return svg("rect", { x: Math.min(x1, x2), y: y1, width: Math.abs(x2 - x1), height: y2 - y1, rx: 0.05 });
    },
  },
  ellipse: {
    move: ([x, y, rx, ry], dx, dy) => [x + dx, y + dy, rx, ry],
    handles: ([x, y, rx, ry]) => [[x + rx, y], [x, y + ry], [x - rx, y], [x, y - ry]],
    resize([x, y, rx, ry], handle, toX, toY) {
      return handle % 2 === 0
        ? [x, y, Math.max(LEAST, Math.abs(toX - x)), ry]
        : [x, y, rx, Math.max(LEAST, Math.abs(toY - y))];
    },
    grow: ([x, y, rx, ry], dx, dy) => [x, y, Math.max(LEAST, rx + dx), Math.max(LEAST, ry + dy)],
    middle: ([x, y]) => [x, y],
    draw([x, y, rx, ry], at) {
      const [cx, cy] = at(x, y);
      return svg("ellipse", { cx, cy, rx, ry });
    },
  },
  sector: {
    move: ([x, y, ...rest], dx, dy) => [x + dx, y + dy, ...rest],
    handles: ([x, y, , most, from, to]) => [along(x, y, most, (from + to) / 2)],
    resize: ([x, y, least, , from, to], _, toX, toY) => [x, y, least, Math.max(least + LEAST, Math.hypot(toX - x, toY - y)), from, to],
    grow: ([x, y, least, most, from, to], dx, dy) => [x, y, least, Math.max(least + LEAST, most + dx + dy), from, to],
    middle: ([x, y, least, most, from, to]) => along(x, y, (least + most) / 2, (from + to) / 2),
    draw([x, y, least, most, from, to], at) {
      const angles = Array.from({ length: 33 }, (_, step) => from + ((to - from) * step) / 32);
      const ring = [...angles.map((a) => along(x, y, most, a)), ...angles.reverse().map((a) => along(x, y, least, a))];
      return svg("polygon", { points: ring.map(([px, py]) => at(px, py).join(",")).join(" ") });
    },
  },
  half_plane: {
    move: ([x, y, towards], dx, dy) => [x + dx, y + dy, towards],
    handles: () => [],
    grow: (numbers) => numbers,
    middle: ([x, y, towards]) => along(x, y, 0.3, towards),
    draw([x, y, towards], at) {
      const far = 12;
      const edge = [along(x, y, far, towards + 90), along(x, y, far, towards - 90)];
      const points = [...edge, ...edge.reverse().map(([px, py]) => along(px, py, far, towards))];
      return svg("polygon", { points: points.map(([px, py]) => at(px, py).join(",")).join(" ") });
    },
  },
};

function along(x, y, radius, degrees) {
  const angle = (degrees * Math.PI) / 180;
  return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
}

export function shapeOf(zone) {
  return zone && zone.frame === "body" ? Object.keys(SHAPES).find((shape) => zone[shape]) : undefined;
}

// `tell.select(pad)`, `tell.change(pad, shape, numbers, stroke)`, `tell.dropped()` at a drag's end, `tell.remove()` the chosen.
export class Figure {
  constructor(tell) {
    this.tell = tell;
    this.mirror = true;
    this.kit = null;
    this.leftHanded = false;
    this.selected = null;
    this.drag = null;
    this.strokes = 0;
    this.pads = svg("g");
    this.dots = svg("g");
    this.names = svg("g", { class: "names", "aria-hidden": "true" }); // above the dots
    this.element = svg("svg", { role: "group", "aria-label": "The pads around you" }, body(), this.pads, this.dots, this.names);
    this.element.addEventListener("pointermove", (event) => this.#dragged(event));
    for (const name of ["pointerup", "pointercancel"]) this.element.addEventListener(name, (event) => this.#dropped(event));
  }

  show(kit, { leftHanded, selected }) {
    Object.assign(this, { kit, leftHanded, selected });
    if (this.drag) return;
    this.#frame();
    this.draw();
  }

  #frame() {
    const corners = Object.values(this.kit.pads).flatMap(({ zone }) => {
      const kind = shapeOf(zone);
      return kind ? SHAPES[kind].handles(zone[kind]) : [];
    });
    const aside = Math.max(VIEW.aside, ...corners.map(([x]) => Math.abs(x) + MARGIN));
    const top = Math.max(VIEW.top, ...corners.map(([, y]) => y + MARGIN));
    const bottom = Math.min(VIEW.bottom, ...corners.map(([, y]) => y - MARGIN));
    this.element.setAttribute("viewBox", `${-aside} ${-top} ${2 * aside} ${top - bottom}`);
  }

  // From a kit's place to the drawing's.
  at = (x, y) => [(this.mirror !== this.leftHanded ? 1 : -1) * x, -y];

  draw() {
    if (!this.kit) return;
    const focused = document.activeElement?.closest?.(".pad")?.dataset.pad;
    const names = Object.keys(this.kit.pads).filter((name) => shapeOf(this.kit.pads[name].zone));
    // the chosen one on top, half planes below all
    const depth = (name) => (name === this.selected ? 2 : shapeOf(this.kit.pads[name].zone) === "half_plane" ? 0 : 1);
    names.sort((one, other) => depth(one) - depth(other));
    this.pads.replaceChildren(...names.map((name) => this.#pad(name)));
    this.names.replaceChildren(...this.#apart(names));
    if (focused) this.pads.querySelector(`[data-pad="${focused}"]`)?.focus();
  }

  // The pads' names; those that would cover one another stand below each other.
  #apart(names) {
    const placed = [];
    return names.map((name) => {
      const { zone } = this.kit.pads[name];
      const kind = shapeOf(zone);
      const [x, middle] = this.at(...SHAPES[kind].middle(zone[kind]));
      const half = (name.length * LETTER) / 2;
      let y = middle;
      while (placed.some((other) => Math.abs(other.y - y) < LINE && Math.abs(other.x - x) < other.half + half)) y += LINE;
      placed.push({ x, y, half });
      return svg("text", { x, y }, name.replaceAll("_", " "));
    });
  }

  #pad(name) {
    const { zone } = this.kit.pads[name];
    const kind = shapeOf(zone);
    const shape = SHAPES[kind];
    const drawn = shape.draw(zone[kind], this.at);
    drawn.classList.add("zone");
    const chosen = name === this.selected;
    const handles = chosen
      ? shape.handles(zone[kind]).map((place, handle) => {
          const [cx, cy] = this.at(...place);
          const attributes = { class: "handle", cx, cy, r: HANDLE, "data-handle": handle };
          return svg("circle", { ...attributes, onpointerdown: (event) => this.#taken(event, name, handle) });
        })
      : [];
    return svg(
      "g",
      {
        class: "pad", "data-pad": name, tabindex: 0, role: "button", "aria-pressed": String(chosen),
        "aria-label": `${name}: arrow keys move it, with Shift they resize it`,
        onpointerdown: (event) => this.#taken(event, name, null),
        onkeydown: (event) => this.#key(event, name),
      },
      drawn, ...handles,
    );
  }

  #place(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.element.getScreenCTM().inverse());
    return this.at(point.x, point.y); // it is its own inverse
  }

  #taken(event, name, handle) {
    if (event.button || (this.drag && this.drag.pointer !== event.pointerId)) return;
    event.preventDefault();
    event.stopPropagation();
    this.tell.select(name);
    this.pads.querySelector(`[data-pad="${name}"]`)?.focus({ preventScroll: true }); // for the arrow keys
    const { zone } = this.kit.pads[name];
    const kind = shapeOf(zone);
    this.drag = { name, handle, kind, pointer: event.pointerId, numbers: zone[kind], from: this.#place(event), stroke: `drag ${++this.strokes}` };
    this.element.setPointerCapture(event.pointerId);
  }

  #dragged(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    const { name, handle, kind, numbers, from, stroke } = this.drag;
    const [x, y] = this.#place(event);
    const shape = SHAPES[kind];
    const wanted = handle === null ? shape.move(numbers, x - from[0], y - from[1]) : shape.resize(numbers, handle, x, y);
    this.#changed(name, kind, wanted, stroke);
  }

  #dropped(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    this.drag = null;
    this.tell.dropped();
  }

  #key(event, name) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const isRemoved = event.key === "Delete";
    if (isRemoved || event.key === "Enter" || event.key === " ") this.tell.select(name);
    else if (!step) return;
    if (isRemoved) this.tell.remove();
    event.preventDefault();
    if (!step) return;
    const { zone } = this.kit.pads[name];
    const kind = shapeOf(zone);
    const sign = this.mirror !== this.leftHanded ? 1 : -1;
    const shape = SHAPES[kind];
    this.tell.select(name);
    const wanted = event.shiftKey
      ? shape.grow(zone[kind], step[0] * STEP, step[1] * STEP)
      : shape.move(zone[kind], sign * step[0] * STEP, step[1] * STEP);
    this.#changed(name, kind, wanted, `key ${event.repeat ? this.strokes : ++this.strokes}`);
  }

  #changed(name, kind, numbers, stroke) {
    const rounded = numbers.map(round);
    this.kit.pads[name].zone[kind] = rounded;
    this.draw();
    this.tell.change(name, kind, rounded, stroke);
  }

  // A stroke where it ended, in the player's own body units.
  stroke({ x, y, rule, pad }) {
    const [cx, cy] = [(this.mirror ? 1 : -1) * x, -y];
    const dot = svg("circle", { class: rule ? "stroke silent" : "stroke", cx, cy, r: 0.06 });
    this.dots.append(dot);
    setTimeout(() => dot.remove(), SHOWN_MS);
    const hit = rule ? null : this.pads.querySelector(`[data-pad="${pad}"]`);
    hit?.classList.add("hit");
    setTimeout(() => hit?.classList.remove("hit"), FLASH_MS);
  }
}

function body() {
  return svg(
    "g",
    { class: "body", "aria-hidden": "true" },
    svg("circle", { cx: 0, cy: -0.85, r: 0.34 }),
    svg("path", { d: "M-0.5 0 L0.5 0 L0.36 1.5 L-0.36 1.5 Z M-0.5 0 L-0.75 0.75 L-0.45 1.2 M0.5 0 L0.75 0.75 L0.45 1.2" }),
    svg("path", { d: "M-0.36 1.5 L-0.55 2.1 L-0.5 2.6 M0.36 1.5 L0.55 2.1 L0.5 2.6" }),
  );
}
