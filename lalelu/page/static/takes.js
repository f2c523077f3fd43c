export function mount(element, desk) {
  element.textContent = "";
}
