// Numbers as readable text, in the words of the terminal's tables.

// `value` with `digits` decimals; a tie goes to the even digit, as in Python.
export function fixed(value, digits) {
  const halves = value * 2 ** (digits + 1);
  if (!Number.isInteger(halves) || halves % 2 === 0) return value.toFixed(digits);
  const below = Math.floor(value * 10 ** digits);
  return ((below % 2 === 0 ? below : below + 1) / 10 ** digits).toFixed(digits);
}

export const percent = (fraction) => `${fixed(100 * fraction, 2)} %`;

export const count = (value) => value.toLocaleString("en-US");

export function duration(seconds) {
  const whole = Math.round(seconds);
  const two = (part) => String(part).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

export function speed(value) {
  return value >= 10 ? count(Math.round(value)) : String(Number(value.toPrecision(2)));
}

// Four significant digits: 0.02591, 1.250, 8.64e-5.
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : value.toPrecision(4);
}

export function rounded(value) {
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ]) {
    if (value >= 10 * size || (value >= size && unit !== "k")) {
      return `${(value / size).toPrecision(4).replace(/\.?0+$/, "")} ${unit}`;
    }
  }
  return count(value);
}

export function spread(mean, std) {
  return std === null || std === undefined ? percent(mean) : `${fixed(100 * mean, 2)} ± ${fixed(100 * std, 2)} %`;
}

// A value in four digits, and its standard deviation in two.
export function measured(mean, std) {
  return std === null || std === undefined ? short(mean) : `${short(mean)} ± ${Number(std.toPrecision(2))}`;
}

// A number beside an axis.
export const plain = (value) => String(Number(value.toPrecision(6)));

// How a chart shows an accuracy or a loss.
export const ACCURACY = { read: spread, tick: (value) => plain(100 * value) };
export const LOSS = { read: measured, tick: plain, zero: true, mayBeLogarithmic: true };

export function probability(p) {
  if (p === null) return "–";
  return p < 0.001 ? "< 0.001" : fixed(p, 3);
}
