// One control for each option: a slider with a number, a choice or a switch, and what is wrong beside it.
import { el } from "./elements.js";

let strokes = 0;

// `path` = where the option stands; `change(path, value, stroke)` is told every new value.
export class Control {
  constructor(told, path, change) {
    Object.assign(this, { told, path, change });
    this.problem = el("p", { class: "error", role: "alert" });
    this.parts = this.#made();
    const id = `field-${path.replaceAll(".", "-")}`;
    (this.number ?? this.parts[0]).id = id;
    const label = el("label", { for: id }, told.label);
    const row = this.toggle ? [el("div", { class: "row" }, ...this.parts, label)] : [label, el("div", { class: "row" }, ...this.parts)];
    this.element = el("div", { class: "field", "data-path": path }, ...row, this.problem);
  }

  #made() {
    if (this.told.kind === "number") return this.#numbers();
    if (this.told.kind === "choice") {
      const options = this.told.choices.map((name) => el("option", { value: name }, name));
      this.choice = el("select", { onchange: () => this.#tell(this.choice.value, true) }, ...options);
      return [this.choice];
    }
    this.toggle = el("input", { type: "checkbox", onchange: () => this.#tell(this.toggle.checked, true) });
    return [this.toggle];
  }

  #numbers() {
    const { told } = this;
    const [min, max] = told.slider;
    this.slider = el("input", {
      type: "range", min, max, step: told.step, "aria-label": `${told.label}, slider`,
      oninput: () => this.#tell(Number(this.slider.value)),
      onchange: () => strokes++,
    });
    this.number = el("input", {
      type: "number", step: "any", inputmode: "decimal", autocomplete: "off",
      onchange: () => this.number.value !== "" && this.#tell(Number(this.number.value), true),
    });
    const others = [...told.choices.map((name) => [name, name]), ...(told.none ? [[told.none, null]] : [])];
    this.others = others.map(([label, value]) => {
      const button = el("button", { type: "button", "aria-pressed": "false", onclick: () => this.#tell(value, true) }, label);
      button.value_ = value;
      return button;
    });
    return [this.slider, this.number, el("span", { class: "unit" }, told.unit), ...this.others];
  }

  #tell(value, whole = false) {
    if (whole) strokes++;
    this.show(value);
    this.change(this.path, value, `${this.path} ${strokes}`);
  }

  show(value) {
    if (this.choice) {
      if (Array.isArray(value) && !this.points) this.choice.append((this.points = el("option", { value: "points", disabled: true }, "points")));
      this.choice.value = Array.isArray(value) ? "points" : (value ?? "");
    } else if (this.toggle) {
      this.toggle.checked = Boolean(value);
    } else {
      const isNumber = typeof value === "number";
      this.number.value = isNumber ? value : "";
      this.number.placeholder = isNumber ? "" : (value ?? "");
      this.slider.value = isNumber ? value : (this.told.default ?? this.told.slider[0]);
      for (const button of this.others) button.setAttribute("aria-pressed", String(button.value_ === value));
    }
  }

  complain(sentence) {
    if (this.problem.textContent !== sentence) this.problem.textContent = sentence;
    (this.number ?? this.parts[0]).setAttribute("aria-invalid", String(Boolean(sentence)));
  }
}
