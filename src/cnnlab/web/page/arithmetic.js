// How one unit of a network comes about: its inputs, its weights, and the sum or function of them, as plain data.

import { softmax } from "cnnlab/operations.js";

// Splits the index of a unit in the result of `node` into channel, row and column; vectors have channels only.
export function placeOf(node, unit) {
  if (node.shape.length < 3) return { channel: unit, y: 0, x: 0 };
  const [, height, width] = node.shape;
  return { channel: Math.floor(unit / (height * width)), y: Math.floor((unit % (height * width)) / width), x: unit % width };
}

export function unitAt(node, { channel, y, x }) {
  return node.shape.length < 3 ? channel : (channel * node.shape[1] + y) * node.shape[2] + x;
}

// The positions of a window on a map: rows of {y, x, value}, with value null outside of the map (padding).
function windowOf(map, channel, top, left, size, step = [1, 1]) {
  const [, height, width] = map.shape;
  return Array.from({ length: size[0] }, (_, i) =>
    Array.from({ length: size[1] }, (_, j) => {
      const [y, x] = [top + i * step[0], left + j * step[1]];
      const inside = y >= 0 && y < height && x >= 0 && x < width;
      return { y, x, value: inside ? map.data[(channel * height + y) * width + x] : null };
    }),
  );
}

// One sum per input channel: the kernel on its window; and their total with the bias.
function ofConvolution(node, [x], { weight, bias }, { channel, y, x: column }) {
  const [channels, perGroup, rows, columns] = weight.shape;
  const { stride, padding, dilation, groups } = node.arguments;
  const first = Math.floor(channel / (channels / groups)) * perGroup;
  const [top, left] = [y * stride[0] - padding[0], column * stride[1] - padding[1]];
  const parts = Array.from({ length: perGroup }, (_, k) => {
    const window = windowOf(x, first + k, top, left, [rows, columns], dilation);
    const start = (channel * perGroup + k) * rows * columns;
    const kernel = window.map((line, i) => line.map((_, j) => weight.data[start + i * columns + j]));
    const sum = window.flat().reduce((total, cell, i) => total + (cell.value ?? 0) * kernel.flat()[i], 0);
    return { channel: first + k, window, kernel, sum };
  });
  const offset = bias ? bias.data[channel] : 0;
  return { kind: "convolution", parts, bias: offset, result: parts.reduce((sum, part) => sum + part.sum, offset) };
}

function ofLinear(node, [x], { weight, bias }, { channel }) {
  const inner = weight.shape[1];
  const terms = Array.from({ length: inner }, (_, k) => {
    const factor = weight.data[channel * inner + k];
    return { unit: k, value: x.data[k], weight: factor, product: x.data[k] * factor };
  });
  const offset = bias ? bias.data[channel] : 0;
  return { kind: "linear", terms, bias: offset, result: terms.reduce((sum, term) => sum + term.product, offset) };
}

function ofBatchNorm(node, [x], weights, place) {
  const pick = (name, otherwise) => weights[name]?.data[place.channel] ?? otherwise;
  const [mean, variance] = [pick("running_mean"), pick("running_var")];
  const [gamma, beta, { eps }] = [pick("weight", 1), pick("bias", 0), node.arguments];
  const value = x.data[unitAt(node, place)];
  const result = (gamma * (value - mean)) / Math.sqrt(variance + eps) + beta;
  return { kind: "batch_norm", value, mean, variance, eps, gamma, beta, result };
}

function ofPool(node, [x], _, { channel, y, x: column }) {
  const { kernel, stride, padding, count_padding: counted, divisor } = node.arguments;
  const [top, left] = [y * stride[0] - padding[0], column * stride[1] - padding[1]];
  const window = windowOf(x, channel, top, left, kernel);
  const values = window.flat().flatMap(({ value }) => (value === null ? [] : [value]));
  if (node.operation === "max_pool2d") return { kind: "max", channel, window, result: Math.max(...values) };
  const [, height, width] = x.shape;
  const padded =
    (Math.min(top + kernel[0], height + padding[0]) - top) * (Math.min(left + kernel[1], width + padding[1]) - left);
  const count = divisor || (counted ? padded : values.length);
  return { kind: "mean", channel, window, count, result: values.reduce((a, b) => a + b, 0) / count };
}

function ofAdaptivePool(node, [x], _, { channel, y, x: column }) {
  const [[, height, width], [, rows, columns]] = [x.shape, node.shape];
  const limits = (i, size, count) => [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
  const [[top, bottom], [left, right]] = [limits(y, height, rows), limits(column, width, columns)];
  const window = windowOf(x, channel, top, left, [bottom - top, right - left]);
  const values = window.flat().map(({ value }) => value);
  if (node.operation === "adaptive_max_pool2d") return { kind: "max", channel, window, result: Math.max(...values) };
  return {
    kind: "mean", channel, window, count: values.length, result: values.reduce((a, b) => a + b, 0) / values.length,
  };
}

function ofNormalization(node, [x], _, { channel, y, x: column }) {
  const { size, alpha, beta, k } = node.arguments;
  const [channels, height, width] = x.shape;
  const at = (c) => x.data[(c * height + y) * width + column];
  const first = Math.max(channel - Math.floor(size / 2), 0);
  const last = Math.min(channel - Math.floor(size / 2) + size, channels);
  const neighbors = Array.from({ length: last - first }, (_, i) => ({ channel: first + i, value: at(first + i) }));
  const squares = neighbors.reduce((sum, { value }) => sum + value ** 2, 0);
  const result = at(channel) / (k + (alpha * squares) / size) ** beta;
  return { kind: "local_response_norm", value: at(channel), neighbors, squares, size, alpha, beta, k, result };
}

// Functions of one number.
function ofFunction(node, [x], _, place, result) {
  return { kind: "function", name: node.operation, value: x.data[unitAt(node, place)], result };
}

function ofArithmetic(node, inputs, { other }, place, result) {
  const pick = ({ data, shape }) => {
    if (data.length === 1) return data[0];
    const whole = shape.length < 3 || (shape[1] === node.shape[1] && shape[2] === node.shape[2]);
    return whole ? data[unitAt({ shape: node.shape }, place)] : data[place.channel];
  };
  const second = inputs[1] ?? other;
  const values = [pick(inputs[0]), second ? pick(second) : node.arguments.number];
  return { kind: "arithmetic", name: node.operation, values, learned: !inputs[1] && Boolean(other), result };
}

// Operations that only move numbers: which unit of which input this one is.
function ofCopy(node, inputs, _, place, result) {
  if (node.operation === "cat") {
    let channel = place.channel;
    let input = 0;
    while (channel >= inputs[input].shape[0]) channel -= inputs[input++].shape[0];
    return { kind: "copy", input, place: { ...place, channel }, result };
  }
  if (node.operation === "slice") {
    const names = ["channel", "y", "x"];
    const axis = names[node.arguments.axis];
    const moved = { ...place, [axis]: node.arguments.start + place[axis] * node.arguments.step };
    return { kind: "copy", input: 0, place: moved, result };
  }
  if (node.operation === "pad") {
    const [left, , top, , front] = node.arguments.pad;
    const moved = { channel: place.channel - front, y: place.y - top, x: place.x - left };
    const limits = inputs[0].shape;
    const inside = [moved.channel, moved.y, moved.x].every((value, i) => value >= 0 && value < limits[i]);
    return { kind: "copy", input: 0, place: inside ? moved : null, result };
  }
  return { kind: "copy", input: 0, place: placeOf({ shape: inputs[0].shape }, place.channel), result };
}

const explanations = {
  conv2d: ofConvolution,
  linear: ofLinear,
  batch_norm: ofBatchNorm,
  max_pool2d: ofPool,
  avg_pool2d: ofPool,
  adaptive_avg_pool2d: ofAdaptivePool,
  adaptive_max_pool2d: ofAdaptivePool,
  local_response_norm: ofNormalization,
  ...Object.fromEntries(["relu", "tanh", "sigmoid", "gelu", "hardtanh"].map((name) => [name, ofFunction])),
  ...Object.fromEntries(["add", "sub", "mul", "div"].map((name) => [name, ofArithmetic])),
  ...Object.fromEntries(["cat", "pad", "slice", "flatten"].map((name) => [name, ofCopy])),
};

// The arithmetic of unit `unit` of node `index`, given the results of `engine.run`. `result` of the returned object is
// computed from the parts that it shows, so that it can be compared with the network's own number.
export function arithmeticOf(engine, results, index, unit) {
  const node = engine.nodes[index];
  const inputs = node.inputs.map((input) => results[input]);
  const place = placeOf(node, unit);
  return explanations[node.operation](node, inputs, engine.weightsOf(node), place, results[index].data[unit]);
}

// The exponentials of the logits and their sum, for one class.
export function probabilityOf(logits, label) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - top));
  return { kind: "softmax", top, powers, label, result: softmax(logits)[label] };
}
