// The picture with skeleton, body frame and pads. Places are image heights; a body's own are shoulder widths.
import { COLOURS, begun, written } from "./canvas.js";

// What turns a place of a player's body, x to their right and y up, into one of the picture.
export function inPicture(frame) {
  return ([x, y]) => [frame.x + frame.side * frame.size * x, frame.y - frame.size * y];
}

// The pads of the kit that a player plays; without a player, all of the kit's.
export function padsOf(scene, kit, player, what = "pads") {
  const mayPlay = (pad) => player === null || pad.players === null || pad.players.includes(player);
  return (scene?.kits[kit]?.[what] ?? []).filter(mayPlay);
}

// `flashes` are by player and pad; `kit` is the one to show while nobody is seen.
export function drawStage(canvas, { scene, kit, players, bitmap, mirrored, flashes }) {
  const { pen, height, ...whole } = begun(canvas);
  const width = scene ? height * scene.aspect : whole.width; // the picture's own: a place in it is x * height
  const onCanvas = ([x, y]) => [mirrored ? width - x * height : x * height, y * height];
  if (bitmap) {
    pen.save();
    if (mirrored) pen.transform(-1, 0, 0, 1, width, 0);
    pen.drawImage(bitmap, 0, 0, width, height);
    pen.restore();
    pen.fillStyle = "rgb(11 14 18 / 35%)"; // so that lines stand out
    pen.fillRect(0, 0, width, height);
  }
  if (!scene) {
    written(pen, "nothing to see yet", width / 2, height / 2, { size: 20, colour: COLOURS.dim });
    return;
  }
  const measure = Math.max(13, height / 26);
  const labels = []; // written last, so that no bone crosses them
  const inImage = new Map(); // what lies in the picture is drawn once for all who play it
  for (const { player, kit: played } of players.length ? players : [{ player: null, kit }]) {
    for (const pad of padsOf(scene, played, player).filter((each) => each.frame === "image")) {
      const flash = flashes.get(`${player}:${pad.name}`) ?? inImage.get(`${played}:${pad.name}`)?.flash;
      inImage.set(`${played}:${pad.name}`, { pad, flash });
    }
  }
  for (const { pad, flash } of inImage.values()) labels.push(drawPad(pen, pad, onCanvas, flash));
  for (const player of players) {
    if (player.frame) {
      const place = inPicture(player.frame);
      const at = (point) => onCanvas(place(point));
      drawAxes(pen, at);
      for (const pad of padsOf(scene, player.kit, player.player).filter((each) => each.frame === "body")) {
        labels.push(drawPad(pen, pad, at, flashes.get(`${player.player}:${pad.name}`)));
      }
    }
    drawSkeleton(pen, scene, player, onCanvas, height);
  }
  writeApart(pen, labels, measure);
  if (!players.length) written(pen, "nobody is seen", width / 2, height / 2, { size: 20, colour: COLOURS.dim });
}

// The body's own frame: one shoulder width to both sides, and from the hips to above the head.
function drawAxes(pen, at) {
  pen.lineWidth = 2;
  pen.strokeStyle = COLOURS.dim;
  pen.setLineDash([4, 4]);
  path(pen, [at([-1, 0]), at([1, 0])]);
  path(pen, [at([0, -1.5]), at([0, 1])]);
  pen.setLineDash([]);
}

// Returns where its name belongs.
function drawPad(pen, pad, at, flash) {
  const corners = pad.outline.map(at);
  pen.beginPath();
  corners.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.fillStyle = flash ? `rgb(255 209 102 / ${Math.round(20 + 65 * flash.left)}%)` : "rgb(76 201 240 / 12%)";
  pen.fill();
  pen.lineWidth = flash ? 4 : 2;
  pen.strokeStyle = flash ? COLOURS.warn : COLOURS.accent;
  pen.stroke();
  const x = (Math.min(...corners.map((each) => each[0])) + Math.max(...corners.map((each) => each[0]))) / 2;
  const y = (Math.min(...corners.map((each) => each[1])) + Math.max(...corners.map((each) => each[1]))) / 2;
  const name = pad.name.replaceAll("_", " ");
  return { text: flash ? `${name} ${flash.velocity}` : name, x, y };
}

function drawSkeleton(pen, scene, player, onCanvas, height) {
  const least = scene.kits[player.kit]?.min_score ?? 0;
  const known = player.score.map((score) => score >= least);
  const places = player.xy.map(onCanvas);
  pen.lineCap = "round";
  for (const [thickness, colour] of [[7, COLOURS.ground], [4, COLOURS.good]]) {
    pen.lineWidth = thickness;
    pen.strokeStyle = colour;
    for (const [one, other] of scene.bones) {
      if (known[one] && known[other]) path(pen, [places[one], places[other]]);
    }
  }
  const radius = Math.max(3, height / 120);
  pen.fillStyle = COLOURS.text;
  places.forEach(([x, y], place) => {
    if (!known[place]) return;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
  });
}

// Names that would cover one another stand below each other.
function writeApart(pen, labels, size) {
  pen.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
  const placed = [];
  for (const { text, x, y } of labels) {
    const half = pen.measureText(text).width / 2;
    let down = y;
    while (placed.some((other) => Math.abs(other.y - down) < size && Math.abs(other.x - x) < other.half + half)) {
      down += size;
    }
    placed.push({ x, y: down, half });
    written(pen, text, x, down, { size });
  }
}

function path(pen, points) {
  pen.beginPath();
  points.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
}
