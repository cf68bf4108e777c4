// Products of matrices of float32 numbers, by the WebAssembly kernel of kernel.wat or, without SIMD, in JavaScript.

const PAGE = 65536; // bytes of a page of WebAssembly memory

const padded = (size, step) => Math.ceil(size / step) * step;

export class Matmul {
  // `bytes`: the compiled kernel, or null to compute in JavaScript.
  constructor(bytes) {
    this.kernel = null;
    if (bytes) {
      try {
        this.kernel = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
      } catch {
        this.kernel = null; // an old browser
      }
    }
  }

  // C = A B: `a` holds M rows of K numbers, `fill` writes K rows of `width` numbers of B; C uses the first N of each.
  // Returns M rows of N numbers.
  product(a, m, k, n, fill) {
    const width = padded(n, 8);
    if (!this.kernel) return this.#plain(a, m, k, n, width, fill);
    const rows = padded(m, 4);
    const size = 4 * (rows * k + k * width + rows * width);
    const memory = this.kernel.memory;
    if (memory.buffer.byteLength < size) memory.grow(Math.ceil((size - memory.buffer.byteLength) / PAGE));
    const left = new Float32Array(memory.buffer, 0, rows * k);
    const right = new Float32Array(memory.buffer, 4 * rows * k, k * width);
    const result = new Float32Array(memory.buffer, 4 * (rows * k + k * width), rows * width);
    left.set(a);
    left.fill(0, m * k);
    right.fill(0);
    fill(right, width);
    result.fill(0);
    this.kernel.multiply(0, right.byteOffset, result.byteOffset, rows, width, k);
    if (width === n) return result.slice(0, m * n);
    const compact = new Float32Array(m * n);
    for (let row = 0; row < m; row++) compact.set(result.subarray(row * width, row * width + n), row * n);
    return compact;
  }

  #plain(a, m, k, n, width, fill) {
    const b = new Float32Array(k * width);
    fill(b, width);
    const c = new Float32Array(m * n);
    for (let row = 0; row < m; row++) {
      for (let inner = 0; inner < k; inner++) {
        const factor = a[row * k + inner];
        if (factor === 0) continue;
        for (let column = 0; column < n; column++) c[row * n + column] += factor * b[inner * width + column];
      }
    }
    return c;
  }
}
