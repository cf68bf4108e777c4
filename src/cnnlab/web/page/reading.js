// Reads what the page carries: the network's graph, its weights and some images.

async function bytesOf(base64) {
  const binary = atob(base64);
  const packed = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function float32Of(half) {
  const exponents = Float32Array.from({ length: 32 }, (_, i) => 2 ** (i - 15));
  return Float32Array.from(half, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    if (exponent === 0) return sign * fraction * 2 ** -14;
    return sign * (exponent === 31 ? (fraction ? NaN : Infinity) : (1 + fraction) * exponents[exponent]);
  });
}

// The tensors of `layout`, a list of {shape, half}, one after another in `bytes`.
function tensorsOf(layout, bytes) {
  let at = 0;
  return layout.map(({ shape, half }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const length = size * (half ? 2 : 4);
    const own = bytes.slice(at, at + length).buffer;
    at += length;
    return { shape, data: half ? float32Of(new Uint16Array(own)) : new Float32Array(own) };
  });
}

// A network of the page: {name, classes, spec, nodes, tensors}.
export async function readNetwork(id) {
  const text = (name) => document.getElementById(`${id}-${name}`).textContent;
  const network = JSON.parse(text("graph"));
  return { ...network, tensors: tensorsOf(network.tensors, await bytesOf(text("weights"))) };
}

// The images of the page: {width, height, channels, labels, pixels: one Uint8Array of C x H x W each}.
export async function readImages() {
  const images = JSON.parse(document.getElementById("images-facts").textContent);
  const bytes = await bytesOf(document.getElementById("images-pixels").textContent);
  const size = images.shape.reduce((a, b) => a * b);
  return { ...images, pixels: images.labels.map((_, i) => bytes.subarray(i * size, (i + 1) * size)) };
}

export const readKernel = () => bytesOf(document.getElementById("kernel").textContent);

// The network's input: bytes normalized by channel, resized where the network wants it larger.
export function normalized(pixels, spec) {
  const [channels, side] = [spec.mean.length, spec.stored_size];
  const plane = side * side;
  const floats = new Float32Array(pixels.length);
  for (let channel = 0; channel < channels; channel++) {
    const [shift, scale] = [-spec.mean[channel] / spec.std[channel], 1 / (255 * spec.std[channel])];
    for (let i = channel * plane; i < (channel + 1) * plane; i++) floats[i] = shift + scale * pixels[i];
  }
  return spec.image_size === side ? floats : enlarged(floats, channels, side, spec.image_size);
}

// Bilinear interpolation; PyTorch's antialiasing changes nothing where the image grows.
function enlarged(x, channels, from, to) {
  const result = new Float32Array(channels * to * to);
  const steps = Array.from({ length: to }, (_, i) => {
    const at = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(at), from - 1);
    return [low, Math.min(low + 1, from - 1), at - low];
  });
  let out = 0;
  for (let channel = 0; channel < channels; channel++) {
    const plane = x.subarray(channel * from * from, (channel + 1) * from * from);
    for (const [top, bottom, down] of steps) {
      for (const [left, right, along] of steps) {
        const above = plane[top * from + left] * (1 - along) + plane[top * from + right] * along;
        const below = plane[bottom * from + left] * (1 - along) + plane[bottom * from + right] * along;
        result[out++] = above * (1 - down) + below * down;
      }
    }
  }
  return result;
}
