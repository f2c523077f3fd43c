// What all canvases share.
export const COLOURS = {
  ground: "#0b0e12",
  line: "#3a4450",
  text: "#f2f5f8",
  dim: "#aeb8c4",
  accent: "#4cc9f0",
  good: "#5ee27a",
  warn: "#ffd166",
  bad: "#ff6b6b",
};

// Fit a canvas to its place on the page; its pixels are CSS pixels from here on.
export function begun(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

export function written(pen, text, x, y, { size = 14, colour = COLOURS.text, align = "center" } = {}) {
  pen.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = COLOURS.ground;
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}
