// The strokes of a drawing on paper or a screen with shadows: the steps of preprocessing/drawing.py in JavaScript.

const SPECK = 0.03; // the constants have the names and values of preprocessing/drawing.py
const SHADOW = 0.3;
const FAINTEST = 8;
const FRAME = 0.15;
const DEGREES = [2, 2, 2, 3, 4, 4, 4];
const OUTLIER = 4;
const SAMPLE = 4000;

const median = (values) => Float32Array.from(values).sort()[values.length >> 1];
const limitOf = (relief, least) => Math.max(OUTLIER * median(relief.map(Math.abs)), least);

// Solves the symmetric system `a` x = `b` by Gaussian elimination.
function solved(a, b) {
  const size = b.length;
  const rows = a.map((row, i) => [...row, b[i]]);
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let j = i + 1; j < size; j++) if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let j = i + 1; j < size; j++) {
      const factor = rows[j][i] / (rows[i][i] || 1e-12);
      for (let k = i; k <= size; k++) rows[j][k] -= factor * rows[i][k];
    }
  }
  const x = new Float64Array(size);
  for (let i = size - 1; i >= 0; i--) {
    let sum = rows[i][size];
    for (let k = i + 1; k < size; k++) sum -= rows[i][k] * x[k];
    x[i] = sum / (rows[i][i] || 1e-12);
  }
  return x;
}

// The coefficients of the columns `terms` that fit `gray` best at the positions `sample` (least squares).
function fitted(terms, gray, sample) {
  const a = terms.map((left) => terms.map((right) => sample.reduce((sum, at) => sum + left[at] * right[at], 0)));
  const b = terms.map((term) => sample.reduce((sum, at) => sum + term[at] * gray[at], 0));
  return solved(a, b);
}

// The difference of gray values from a smooth ground: strokes are above or below 0.
export function reliefOf(gray, height, width) {
  const along = (i, size) => (size > 1 ? (2 * i) / (size - 1) - 1 : 0);
  const ys = Float64Array.from(gray, (_, at) => along(Math.floor(at / width), height));
  const xs = Float64Array.from(gray, (_, at) => along(at % width, width));
  const terms = [];
  for (let degree = 0; degree <= Math.max(...DEGREES); degree++) {
    for (let i = 0; i <= degree; i++) terms.push(xs.map((x, at) => x ** i * ys[at] ** (degree - i)));
  }
  let ground = [...gray.keys()].filter((at) => Math.max(Math.abs(xs[at]), Math.abs(ys[at])) > 1 - FRAME);
  let relief = gray;
  for (const degree of DEGREES) {
    const used = terms.slice(0, ((degree + 1) * (degree + 2)) / 2);
    const every = Math.max(1, Math.floor(ground.length / SAMPLE));
    const factors = fitted(used, gray, ground.filter((_, i) => i % every === 0));
    relief = gray.map((value, at) => value - used.reduce((sum, term, i) => sum + factors[i] * term[at], 0));
    const limit = limitOf(relief, 2);
    ground = [...relief.keys()].filter((at) => Math.abs(relief[at]) <= limit);
  }
  return relief;
}

export function isDarkOnLight(relief) {
  const limit = limitOf(relief, FAINTEST);
  return relief.reduce((sum, value) => sum + (Math.abs(value) > limit ? value : 0), 0) < 0;
}

// The threshold that best separates two groups of values (Otsu, 1979).
function otsu(values) {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const step = (high - low) / 256 || 1 / 256;
  const counts = new Float64Array(256);
  values.forEach((value) => counts[Math.min(Math.floor((value - low) / step), 255)]++);
  const total = counts.reduce((sum, count, i) => sum + count * i, 0);
  let [below, sum, best, threshold] = [0, 0, -1, low];
  for (let i = 0; i < 255; i++) {
    below += counts[i];
    sum += counts[i] * i;
    const above = values.length - below;
    const between = below && above ? below * above * (sum / below - (total - sum) / above) ** 2 : -1;
    if (between > best) [best, threshold] = [between, low + (i + 1) * step];
  }
  return threshold;
}

// Groups of neighboring strokes: the label of each pixel, 0 for none, and the area of each label.
function grouped(strokes, height, width) {
  const labels = new Int32Array(strokes.length);
  const areas = [0];
  strokes.forEach((isStroke, start) => {
    if (!isStroke || labels[start]) return;
    const open = [start];
    labels[start] = areas.length;
    areas.push(0);
    while (open.length) {
      const at = open.pop();
      areas[labels[start]]++;
      const [y, x] = [Math.floor(at / width), at % width];
      for (let i = Math.max(y - 1, 0); i <= Math.min(y + 1, height - 1); i++) {
        for (let j = Math.max(x - 1, 0); j <= Math.min(x + 1, width - 1); j++) {
          const next = i * width + j;
          if (strokes[next] && !labels[next]) {
            labels[next] = labels[start];
            open.push(next);
          }
        }
      }
    }
  });
  return { labels, areas };
}

// Ink in [0, 1] of the strokes above the ground, without specks; null if there are none.
export function inkOf(relief, height, width) {
  const above = relief.filter((value) => value > FAINTEST);
  if (!above.length) return null;
  const threshold = otsu(above);
  const strokes = Uint8Array.from(relief, (value) => value > threshold);
  const { labels, areas } = grouped(strokes, height, width);
  const least = SPECK * areas.reduce((a, b) => Math.max(a, b), 0);
  let near = Uint8Array.from(labels, (label) => label > 0 && areas[label] >= least);
  for (let step = 0; step < 2; step++) {
    near = near.map((value, at) => {
      const x = at % width;
      const [left, right] = [x > 0 && near[at - 1], x < width - 1 && near[at + 1]];
      return value || left || right || near[at - width] || near[at + width] ? 1 : 0;
    });
  }
  const low = SHADOW * threshold;
  const high = median(relief.filter((value) => value > threshold));
  return relief.map((value, at) => (near[at] ? Math.min(Math.max((value - low) / Math.max(high - low, 1e-6), 0), 1) : 0));
}
