// Bringing a drawn or opened image to the form of the training data, as preprocessing/ does in Python.

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

// Ink in [0, 1]: how far a pixel is from the ground, in parts of the way to a stroke.
function inkOf(gray, height, width) {
  const sign = hasLightBorder(gray, height, width) ? -1 : 1;
  const sorted = Float32Array.from(gray).sort();
  const ground = sorted[Math.floor(sorted.length / 2)];
  const relief = gray.map((value) => Math.max(sign * (value - ground), 0));
  const above = relief.filter((value) => value > 8).sort();
  if (!above.length) return null;
  const stroke = above[Math.floor(0.75 * above.length)];
  return relief.map((value) => Math.min(Math.max((value - 0.3 * stroke) / (0.6 * stroke), 0), 1));
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
  const cut = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    cut.set(ink.subarray((top + i) * width + left, (top + i) * width + right + 1), i * columns);
  }
  const scale = box / Math.max(rows, columns);
  const [tall, wide] = [rows, columns].map((length) => Math.max(1, Math.round(length * scale)));
  const small = reduced(cut, rows, columns, tall, wide);
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

// The pixels of a canvas as the network's data stores them: uint8 of C x side x side.
export function prepared(canvas, spec) {
  const side = spec.stored_size;
  const { width, height } = canvas;
  if (spec.drawing && !(width === side && height === side)) {
    const rgba = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return centered(inkOf(grays(rgba), height, width), height, width, side, spec.drawing);
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
