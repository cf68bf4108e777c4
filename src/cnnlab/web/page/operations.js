// The operations of a network on one image, from their definitions. A map is a Float32Array of C x H x W numbers.
//
// Each operation takes the node of the graph, its inputs as {data, shape}, and the tensors of its weights, and returns
// the result's numbers. Convolutions and fully connected layers are products of matrices (matmul.js).

const erfCoefficients = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];

// The error function, by formula 7.1.26 of Abramowitz and Stegun, to 1.5e-7.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = erfCoefficients.reduceRight((total, coefficient) => (total + coefficient) * t, 0);
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const mapped = (x, change) => x.data.map(change);

// Writes the columns of im2col: one row per channel and kernel position, one column per output pixel.
export function windows(x, first, count, kernel, args, size, target, width) {
  const [, height, side] = x.shape;
  const [stride, padding, dilation] = [args.stride, args.padding, args.dilation ?? [1, 1]];
  let row = 0;
  for (let channel = first; channel < first + count; channel++) {
    const plane = channel * height * side;
    for (let i = 0; i < kernel[0]; i++) {
      for (let j = 0; j < kernel[1]; j++, row++) {
        for (let y = 0; y < size[0]; y++) {
          const from = y * stride[0] - padding[0] + i * dilation[0];
          if (from < 0 || from >= height) continue;
          const line = plane + from * side;
          const out = row * width + y * size[1];
          for (let column = 0; column < size[1]; column++) {
            const at = column * stride[1] - padding[1] + j * dilation[1];
            if (at >= 0 && at < side) target[out + column] = x.data[line + at];
          }
        }
      }
    }
  }
}

function conv2d(node, [x], { weight, bias }, matmul) {
  const [channels, perGroup, ...kernel] = weight.shape;
  const { groups } = node.arguments;
  const [, ...size] = node.shape;
  const [rows, inner, pixels] = [channels / groups, perGroup * kernel[0] * kernel[1], size[0] * size[1]];
  const result = new Float32Array(channels * pixels);
  for (let group = 0; group < groups; group++) {
    const filters = weight.data.subarray(group * rows * inner, (group + 1) * rows * inner);
    const fill = (target, width) =>
      windows(x, group * perGroup, perGroup, kernel, node.arguments, size, target, width);
    if (rows === 1) depthwise(filters, inner, pixels, fill, result, group);
    else result.set(matmul.product(filters, rows, inner, pixels, fill), group * rows * pixels);
  }
  if (bias) {
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < pixels; i++) result[channel * pixels + i] += bias.data[channel];
    }
  }
  return result;
}

// One filter on its own channels: a product with one row is not worth a matrix.
function depthwise(filter, inner, pixels, fill, result, channel) {
  const columns = new Float32Array(inner * pixels);
  fill(columns, pixels);
  for (let k = 0; k < inner; k++) {
    for (let i = 0; i < pixels; i++) result[channel * pixels + i] += filter[k] * columns[k * pixels + i];
  }
}

function linear(node, [x], { weight, bias }) {
  const [rows, inner] = weight.shape;
  const result = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += weight.data[row * inner + k] * x.data[k];
    result[row] = sum + (bias ? bias.data[row] : 0);
  }
  return result;
}

function batchNorm(node, [x], { weight, bias, running_mean: mean, running_var: variance }) {
  const pixels = x.data.length / x.shape[0];
  const result = new Float32Array(x.data.length);
  for (let channel = 0; channel < x.shape[0]; channel++) {
    const scale = (weight ? weight.data[channel] : 1) / Math.sqrt(variance.data[channel] + node.arguments.eps);
    const shift = (bias ? bias.data[channel] : 0) - mean.data[channel] * scale;
    for (let i = channel * pixels; i < (channel + 1) * pixels; i++) result[i] = x.data[i] * scale + shift;
  }
  return result;
}

// Calls `visit(channel, y, x, rows, columns)` with the window of each output pixel, cut at the border of the map.
function pooled(node, x, combine) {
  const [channels, height, width] = x.shape;
  const { kernel, stride, padding } = node.arguments;
  const [, outHeight, outWidth] = node.shape;
  const result = new Float32Array(channels * outHeight * outWidth);
  let at = 0;
  for (let channel = 0; channel < channels; channel++) {
    const plane = x.data.subarray(channel * height * width, (channel + 1) * height * width);
    for (let i = 0; i < outHeight; i++) {
      const top = i * stride[0] - padding[0];
      for (let j = 0; j < outWidth; j++) {
        const left = j * stride[1] - padding[1];
        const rows = [Math.max(top, 0), Math.min(top + kernel[0], height)];
        const columns = [Math.max(left, 0), Math.min(left + kernel[1], width)];
        const inPadding = [
          Math.min(top + kernel[0], height + padding[0]) - top,
          Math.min(left + kernel[1], width + padding[1]) - left,
        ];
        result[at++] = combine(plane, width, rows, columns, inPadding);
      }
    }
  }
  return result;
}

function largest(plane, width, rows, columns) {
  let value = -Infinity;
  for (let i = rows[0]; i < rows[1]; i++) {
    for (let j = columns[0]; j < columns[1]; j++) value = Math.max(value, plane[i * width + j]);
  }
  return value;
}

function total(plane, width, rows, columns) {
  let sum = 0;
  for (let i = rows[0]; i < rows[1]; i++) {
    for (let j = columns[0]; j < columns[1]; j++) sum += plane[i * width + j];
  }
  return sum;
}

const maxPool = (node, [x]) => pooled(node, x, largest);

function averagePool(node, [x]) {
  const { count_padding: counted, divisor } = node.arguments;
  return pooled(node, x, (plane, width, rows, columns, inPadding) => {
    const inside = (rows[1] - rows[0]) * (columns[1] - columns[0]);
    return total(plane, width, rows, columns) / (divisor || (counted ? inPadding[0] * inPadding[1] : inside));
  });
}

// Windows of different sizes that together cover the map (PyTorch's rule).
function adaptive(combine) {
  return (node, [x]) => {
    const [channels, height, width] = x.shape;
    const [, rows, columns] = node.shape;
    const result = new Float32Array(channels * rows * columns);
    const limits = (i, size, count) => [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
    let at = 0;
    for (let channel = 0; channel < channels; channel++) {
      const plane = x.data.subarray(channel * height * width, (channel + 1) * height * width);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          result[at++] = combine(plane, width, limits(i, height, rows), limits(j, width, columns));
        }
      }
    }
    return result;
  };
}

function mean(plane, width, rows, columns) {
  return total(plane, width, rows, columns) / ((rows[1] - rows[0]) * (columns[1] - columns[0]));
}

// Each number divided by a power of the squares of its neighbors in `size` channels (Krizhevsky et al., 2012, 3.3).
function localResponseNorm(node, [x]) {
  const { size, alpha, beta, k } = node.arguments;
  const [channels, height, width] = x.shape;
  const pixels = height * width;
  const before = Math.floor(size / 2);
  const result = new Float32Array(x.data.length);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      let squares = 0;
      for (let c = Math.max(channel - before, 0); c < Math.min(channel - before + size, channels); c++) {
        squares += x.data[c * pixels + pixel] ** 2;
      }
      const at = channel * pixels + pixel;
      result[at] = x.data[at] / (k + (alpha * squares) / size) ** beta;
    }
  }
  return result;
}

const sigmoid = (node, [x]) => mapped(x, (value) => 1 / (1 + Math.exp(-value)));

function gelu(node, [x]) {
  const inner = node.arguments.tanh
    ? (value) => Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3))
    : (value) => erf(value / Math.SQRT2);
  return mapped(x, (value) => 0.5 * value * (1 + inner(value)));
}

function hardtanh(node, [x]) {
  const { low, high } = node.arguments;
  return mapped(x, (value) => Math.min(Math.max(value, low), high));
}

// Two maps of C x H x W, or one and a gate of C x 1 x 1, or one and a number or weights.
function arithmetic(combine) {
  return (node, inputs, { other }) => {
    let [first, second] = [inputs[0], inputs[1] ?? other];
    if (!second) return mapped(first, (value) => combine(value, node.arguments.number));
    const swapped = second.data.length > first.data.length;
    if (swapped) [first, second] = [second, first];
    const repeat = first.data.length / second.data.length;
    return mapped(first, (value, i) => {
      const partner = second.data[Math.floor(i / repeat)];
      return swapped ? combine(partner, value) : combine(value, partner);
    });
  };
}

function concatenate(node, inputs) {
  const result = new Float32Array(node.shape.reduce((a, b) => a * b));
  let at = 0;
  for (const { data } of inputs) {
    result.set(data, at);
    at += data.length;
  }
  return result;
}

// `pad` holds the numbers of left, right, top, bottom, front and back, which may be negative.
function pad(node, [x]) {
  const [left, , top, , front] = node.arguments.pad;
  const [channels, height, width] = node.shape;
  const result = new Float32Array(channels * height * width).fill(node.arguments.value);
  const [depth, rows, columns] = x.shape;
  for (let c = Math.max(front, 0); c < Math.min(front + depth, channels); c++) {
    for (let i = Math.max(top, 0); i < Math.min(top + rows, height); i++) {
      for (let j = Math.max(left, 0); j < Math.min(left + columns, width); j++) {
        result[(c * height + i) * width + j] = x.data[((c - front) * rows + i - top) * columns + j - left];
      }
    }
  }
  return result;
}

function slice(node, [x]) {
  const { axis, start, step } = node.arguments;
  const result = new Float32Array(node.shape.reduce((a, b) => a * b));
  const [channels, height, width] = node.shape;
  const at = (c, i, j) => (c * x.shape[1] + i) * x.shape[2] + j;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const from = [c, i, j];
        from[axis] = start + from[axis] * step;
        result[(c * height + i) * width + j] = x.data[at(...from)];
      }
    }
  }
  return result;
}

export const operations = {
  conv2d,
  linear,
  batch_norm: batchNorm,
  max_pool2d: maxPool,
  avg_pool2d: averagePool,
  adaptive_avg_pool2d: adaptive(mean),
  adaptive_max_pool2d: adaptive(largest),
  local_response_norm: localResponseNorm,
  relu: (node, [x]) => mapped(x, (value) => Math.max(value, 0)),
  tanh: (node, [x]) => mapped(x, Math.tanh),
  sigmoid,
  gelu,
  hardtanh,
  add: arithmetic((a, b) => a + b),
  sub: arithmetic((a, b) => a - b),
  mul: arithmetic((a, b) => a * b),
  div: arithmetic((a, b) => a / b),
  cat: concatenate,
  pad,
  slice,
  flatten: (node, [x]) => x.data,
};

export function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Float64Array.from(logits, (value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / sum);
}
