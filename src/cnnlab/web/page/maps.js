// Heat maps over the image that need only forward passes.

import { softmax } from "cnnlab/operations.js";

const scaled = (values) => {
  const top = values.reduce((a, b) => Math.max(a, b), 0);
  return values.map((value) => (top > 0 ? Math.max(value, 0) / top : 0));
};

// Lets the page breathe between forward passes.
const pause = () => new Promise((resolve) => setTimeout(resolve));

// For each place, how much the probability of `label` falls if a square around it is replaced by 0, the mean of the
// training data (Zeiler and Fergus, 2014). Returns H x W fractions, or null if `cancelled()` becomes true.
export async function occlusion(engine, image, label, cancelled) {
  const [channels, height, width] = engine.nodes[0].shape;
  const size = Math.max(3, Math.round(height / 5));
  const step = Math.max(1, Math.round(height / 14));
  const before = softmax(engine.run(image).at(-1).data)[label];
  const fall = new Float32Array(height * width);
  const count = new Float32Array(height * width);
  for (let top = -(size >> 1); top < height; top += step) {
    await pause();
    if (cancelled()) return null;
    for (let left = -(size >> 1); left < width; left += step) {
      const covered = image.slice();
      const each = (visit) => {
        for (let i = Math.max(top, 0); i < Math.min(top + size, height); i++) {
          for (let j = Math.max(left, 0); j < Math.min(left + size, width); j++) visit(i * width + j);
        }
      };
      each((at) => {
        for (let channel = 0; channel < channels; channel++) covered[channel * height * width + at] = 0;
      });
      const change = before - softmax(engine.run(covered).at(-1).data)[label];
      each((at) => {
        fall[at] += change;
        count[at] += 1;
      });
    }
  }
  return scaled(fall.map((value, at) => value / Math.max(count[at], 1)));
}

// The last node whose result is a map of more than one position.
export const lastMap = (engine) => engine.nodes.findLastIndex(({ shape }) => shape.length === 3 && shape[1] * shape[2] > 1);

// The sum of the last maps, each weighted by the fall of the logit of `label` if that map is set to 0
// (ablation CAM: Desai and Ramaswamy, 2020), enlarged to the image. Null if `cancelled()` becomes true.
export async function activationMap(engine, image, label, cancelled) {
  const index = lastMap(engine);
  const [channels, rows, columns] = engine.nodes[index].shape;
  const known = engine.run(image);
  const logit = known.at(-1).data[label];
  const pixels = rows * columns;
  const heat = new Float32Array(pixels);
  for (let channel = 0; channel < channels; channel++) {
    if (channel % 16 === 0) {
      await pause();
      if (cancelled()) return null;
    }
    const map = known[index].data.subarray(channel * pixels, (channel + 1) * pixels);
    if (map.every((value) => value === 0)) continue;
    const without = { ...known[index], data: known[index].data.slice() };
    without.data.fill(0, channel * pixels, (channel + 1) * pixels);
    const results = engine.run(image, { first: index + 1, known: known.with(index, without) });
    const weight = logit - results.at(-1).data[label];
    for (let i = 0; i < pixels; i++) heat[i] += weight * map[i];
  }
  const [, height, width] = engine.nodes[0].shape;
  return enlarged(scaled(heat), rows, columns, height, width);
}

// Bilinear interpolation.
function enlarged(values, rows, columns, height, width) {
  const at = (position, from, to) => {
    const exact = Math.min(Math.max(((position + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(exact);
    return [low, Math.min(low + 1, from - 1), exact - low];
  };
  return Float32Array.from({ length: height * width }, (_, i) => {
    const [top, bottom, down] = at(Math.floor(i / width), rows, height);
    const [left, right, along] = at(i % width, columns, width);
    const above = values[top * columns + left] * (1 - along) + values[top * columns + right] * along;
    const below = values[bottom * columns + left] * (1 - along) + values[bottom * columns + right] * along;
    return above * (1 - down) + below * down;
  });
}
