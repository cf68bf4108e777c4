// Building elements, and drawing maps of numbers on canvases.

// Creates an element: element("button", { class: "pen", onclick }, "Draw", child).
export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

// Blue below zero, orange above, the page's own ground at zero: distinct for color-blind readers too.
function signed(fraction) {
  const ground = isDark() ? [24, 27, 34] : [255, 255, 255];
  const end = fraction < 0 ? (isDark() ? [86, 156, 255] : [20, 88, 176]) : isDark() ? [255, 159, 67] : [202, 84, 0];
  const amount = Math.min(Math.abs(fraction), 1);
  return ground.map((value, i) => value + (end[i] - value) * amount);
}

const viridis = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function heat(fraction) {
  const at = Math.min(Math.max(fraction, 0), 1) * (viridis.length - 1);
  const low = Math.min(Math.floor(at), viridis.length - 2);
  return viridis[low].map((value, i) => value + (viridis[low + 1][i] - value) * (at - low));
}

// Draws H x W numbers, one canvas pixel each; `limit` is the value that has the full color.
export function drawMap(canvas, data, height, width, limit) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    const [red, green, blue] = signed(limit ? data[i] / limit : 0);
    image.data.set([red, green, blue, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Draws an image of C x H x W bytes, and over it, if given, H x W fractions as heat.
export function drawImage(canvas, pixels, channels, height, width, fractions = null) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const plane = height * width;
  for (let i = 0; i < plane; i++) {
    const color = [0, 1, 2].map((channel) => pixels[(channels === 1 ? 0 : channel) * plane + i]);
    const over = fractions ? heat(fractions[i]) : color;
    const mixed = color.map((value, k) => (fractions ? 0.45 * value + 0.55 * over[k] : value));
    image.data.set([...mixed, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A rectangle around pixels of a canvas that is shown larger, in fractions of its size.
export function outline(box, { top, left, bottom, right }, height, width) {
  box.style.top = `${(100 * top) / height}%`;
  box.style.left = `${(100 * left) / width}%`;
  box.style.height = `${(100 * (bottom - top + 1)) / height}%`;
  box.style.width = `${(100 * (right - left + 1)) / width}%`;
  box.hidden = false;
}

export const largestOf = (data) => data.reduce((top, value) => Math.max(top, Math.abs(value)), 0);

// A number in at most about six characters, with a real minus sign.
export function shown(value) {
  if (value === null || value === undefined) return "";
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = size !== 0 && size < 0.0005 ? value.toExponential(0) : value.toFixed(digits);
  return text.replace("-", "\u2212");
}
