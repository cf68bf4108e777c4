// The part of the input image on which a unit depends.

const whole = ({ shape }) => ({ top: 0, left: 0, bottom: (shape[1] ?? 1) - 1, right: (shape[2] ?? 1) - 1 });

function through(node, region) {
  const { kernel, stride, padding, dilation = [1, 1] } = node.arguments;
  return {
    top: region.top * stride[0] - padding[0],
    left: region.left * stride[1] - padding[1],
    bottom: region.bottom * stride[0] - padding[0] + (kernel[0] - 1) * dilation[0],
    right: region.right * stride[1] - padding[1] + (kernel[1] - 1) * dilation[1],
  };
}

// What a region of a node's result needs of its input; both as {top, left, bottom, right}, ends included.
function before(engine, node, region) {
  const input = engine.nodes[node.inputs[0]];
  switch (node.operation) {
    case "conv2d": {
      const [, , ...kernel] = engine.tensors[node.weights.weight].shape;
      return through({ arguments: { ...node.arguments, kernel } }, region);
    }
    case "max_pool2d":
    case "avg_pool2d":
      return through(node, region);
    case "adaptive_avg_pool2d":
    case "adaptive_max_pool2d": {
      const first = (i, size, count) => Math.floor((i * size) / count);
      const last = (i, size, count) => Math.ceil(((i + 1) * size) / count) - 1;
      const [[, height, width], [, rows, columns]] = [input.shape, node.shape];
      return {
        top: first(region.top, height, rows),
        left: first(region.left, width, columns),
        bottom: last(region.bottom, height, rows),
        right: last(region.right, width, columns),
      };
    }
    case "slice": {
      const { axis, start, step } = node.arguments;
      if (axis === 0) return region;
      const [low, high] = axis === 1 ? ["top", "bottom"] : ["left", "right"];
      return { ...region, [low]: start + region[low] * step, [high]: start + region[high] * step };
    }
    case "pad": {
      const [left, , top] = node.arguments.pad;
      return {
        top: region.top - top, bottom: region.bottom - top, left: region.left - left, right: region.right - left,
      };
    }
    case "linear":
    case "flatten":
      return whole(input);
    default:
      return region;
  }
}

// The receptive field of the unit at (y, x) of node `index`, cut at the image's border.
export function receptiveField(engine, index, y, x) {
  const regions = new Map([[index, { top: y, left: x, bottom: y, right: x }]]);
  for (let at = index; at > 0; at--) {
    const region = regions.get(at);
    if (!region) continue;
    const node = engine.nodes[at];
    node.inputs.forEach((input) => {
      const gate = engine.nodes[input].shape[1] !== node.shape[1] && ["mul", "add"].includes(node.operation);
      const needed = gate ? whole(engine.nodes[input]) : before(engine, node, region);
      const known = regions.get(input);
      regions.set(
        input,
        known
          ? {
              top: Math.min(known.top, needed.top),
              left: Math.min(known.left, needed.left),
              bottom: Math.max(known.bottom, needed.bottom),
              right: Math.max(known.right, needed.right),
            }
          : needed,
      );
    });
  }
  const limits = whole(engine.nodes[0]);
  const field = regions.get(0);
  return {
    top: Math.max(field.top, 0),
    left: Math.max(field.left, 0),
    bottom: Math.min(field.bottom, limits.bottom),
    right: Math.min(field.right, limits.right),
  };
}
