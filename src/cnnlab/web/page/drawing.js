// Bringing a drawn or opened image to the form of the training data, as preprocessing/ does in Python.

import { inkOf, isDarkOnLight, reliefOf } from "cnnlab/ground.js";

const WORKING_SIZE = 256; // as in preprocessing/drawing.py
const STROKE = 2.2;

// The gray values of RGBA bytes, as Pillow computes them, on white where they are transparent.
function grays(rgba) {
  return Float32Array.from({ length: rgba.length / 4 }, (_, i) => {
    const [red, green, blue, alpha] = rgba.subarray(4 * i, 4 * i + 4);
    const opaque = (value) => (value * alpha + 255 * (255 - alpha)) / 255;
    return (299 * opaque(red) + 587 * opaque(green) + 114 * opaque(blue)) / 1000;
  });
}

function hasLightBorder(gray, height, width) {
  const border = [];
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      if (i === 0 || j === 0 || i === height - 1 || j === width - 1) border.push(gray[i * width + j]);
    }
  }
  border.sort((a, b) => a - b);
  return border[Math.floor(border.length / 4)] > gray.reduce((top, value) => Math.max(top, value), 0) / 2;
}

// Resizes H x W numbers by averaging the area of each new pixel.
function reduced(data, height, width, rows, columns) {
  const result = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const [top, bottom] = [(i * height) / rows, ((i + 1) * height) / rows];
      const [left, right] = [(j * width) / columns, ((j + 1) * width) / columns];
      let [sum, area] = [0, 0];
      for (let y = Math.floor(top); y < Math.min(Math.ceil(bottom), height); y++) {
        for (let x = Math.floor(left); x < Math.min(Math.ceil(right), width); x++) {
          const part = (Math.min(y + 1, bottom) - Math.max(y, top)) * (Math.min(x + 1, right) - Math.max(x, left));
          sum += part * data[y * width + x];
          area += part;
        }
      }
      result[i * columns + j] = sum / area;
    }
  }
  return result;
}

// The pixels by which strokes have to grow on each side to be STROKE of 20 pixels thick; 0 if they are.
function missing(ink, height, width) {
  const distance = Float32Array.from(ink, (value) => (value > 0.5 ? Infinity : 0));
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : distance[y * width + x]);
  const relax = (y, x, sign) => {
    const sides = Math.min(at(y - sign, x), at(y, x - sign)) + 1;
    const corners = Math.min(at(y - sign, x - sign), at(y - sign, x + sign)) + Math.SQRT2;
    distance[y * width + x] = Math.min(distance[y * width + x], sides, corners);
  };
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) relax(y, x, 1);
  for (let y = height - 1; y >= 0; y--) for (let x = width - 1; x >= 0; x--) relax(y, x, -1);
  const inside = distance.filter((value) => value > 0);
  // Across a stroke of width w, the distances to its edge are 1, 2, ..., w/2, ..., 2, 1, on average w/4 + 1/2.
  const thickness = inside.length ? (4 * inside.reduce((a, b) => a + b, 0)) / inside.length - 2 : 1;
  return Math.max(Math.round(((STROKE * Math.max(height, width)) / 20 - thickness) / 2), 0);
}

// The largest value within `radius` of each pixel, in an image that is larger by `radius` on each side.
function dilated(ink, height, width, radius) {
  const columns = width + 2 * radius;
  const result = new Float32Array((height + 2 * radius) * columns);
  for (let i = -radius; i <= radius; i++) {
    for (let j = -radius; j <= radius; j++) {
      if (i * i + j * j > radius * radius + 0.5) continue;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const to = (y + radius + i) * columns + x + radius + j;
          result[to] = Math.max(result[to], ink[y * width + x]);
        }
      }
    }
  }
  return result;
}

// Strokes centered in a square of `side` pixels: uint8, light on black; all black if nothing is drawn.
function centered(ink, height, width, side, { box, center }) {
  const result = new Uint8Array(side * side);
  if (!ink) return result;
  let [top, left, bottom, right] = [height, width, -1, -1];
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      if (ink[i * width + j] > 0.25) {
        [top, bottom] = [Math.min(top, i), Math.max(bottom, i)];
        [left, right] = [Math.min(left, j), Math.max(right, j)];
      }
    }
  }
  if (bottom < 0) return result;
  const [rows, columns] = [bottom - top + 1, right - left + 1];
  let cut = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    cut.set(ink.subarray((top + i) * width + left, (top + i) * width + right + 1), i * columns);
  }
  const grow = missing(cut, rows, columns);
  if (grow >= 1) cut = dilated(cut, rows, columns, grow);
  const sides = [rows, columns].map((length) => length + 2 * Math.max(grow, 0));
  const scale = box / Math.max(...sides);
  const [tall, wide] = sides.map((length) => Math.max(1, Math.round(length * scale)));
  const small = reduced(cut, ...sides, tall, wide);
  const peak = small.reduce((a, b) => Math.max(a, b), 1e-6);
  let [mass, y, x] = [0, tall / 2, wide / 2];
  if (center === "mass") {
    [y, x] = [0, 0];
    small.forEach((value, at) => {
      mass += value;
      y += value * (Math.floor(at / wide) + 0.5);
      x += value * ((at % wide) + 0.5);
    });
    [y, x] = [y / mass, x / mass];
  }
  const down = Math.min(Math.max(Math.round(side / 2 - y), 0), side - tall);
  const along = Math.min(Math.max(Math.round(side / 2 - x), 0), side - wide);
  small.forEach((value, at) => {
    result[(down + Math.floor(at / wide)) * side + along + (at % wide)] = Math.round((255 * value) / peak);
  });
  return result;
}

// A drawing's ink. A `clean` one is light on black, as on the page's own canvas.
function drawn(gray, height, width, clean) {
  const scale = Math.min(1, WORKING_SIZE / Math.max(height, width));
  const [rows, columns] = [height, width].map((length) => Math.max(1, Math.round(length * scale)));
  const small = scale < 1 ? reduced(gray, height, width, rows, columns) : gray;
  let relief = clean ? small : reliefOf(small, rows, columns);
  if (!clean && isDarkOnLight(relief)) relief = relief.map((value) => -value);
  return [inkOf(relief, rows, columns), rows, columns];
}

// The pixels of a canvas as the network's data stores them: uint8 of C x side x side.
export function prepared(canvas, spec, { clean = false } = {}) {
  const side = spec.stored_size;
  const { width, height } = canvas;
  if (spec.drawing && !(width === side && height === side)) {
    const rgba = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return centered(...drawn(grays(rgba), height, width, clean), side, spec.drawing);
  }
  const scale = side / Math.min(width, height);
  const square = document.createElement("canvas");
  square.width = square.height = side;
  const pen = square.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "white";
  pen.fillRect(0, 0, side, side);
  const [wide, tall] = [width * scale, height * scale];
  pen.drawImage(canvas, (side - wide) / 2, (side - tall) / 2, wide, tall);
  const rgba = pen.getImageData(0, 0, side, side).data;
  if (spec.mean.length === 1) {
    const gray = grays(rgba);
    const invert = spec.drawing && hasLightBorder(gray, side, side);
    return Uint8Array.from(gray, (value) => Math.round(invert ? 255 - value : value));
  }
  const plane = side * side;
  return Uint8Array.from({ length: 3 * plane }, (_, i) => rgba[4 * (i % plane) + Math.floor(i / plane)]);
}
