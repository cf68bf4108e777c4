// Curves over epochs whose values are read under the pointer, or with the arrow keys.

import { drawn, element, number } from "report/elements.js";

const HEIGHT = 240;
const MARGIN = { left: 56, right: 12, top: 10, bottom: 24 };
const WIDE = 20; // the axis is logarithmic above this ratio of the largest to the smallest value
let charts = 0;

function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function logarithmicTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    ticks.push(...[1, 2, 5].map((factor) => factor * 10 ** power));
  }
  const inside = ticks.filter((tick) => tick >= low && tick <= high);
  const powers = inside.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9);
  return inside.length > 6 && powers.length > 1 ? powers : inside;
}

function scaleOf(low, high, from, to, logarithmic) {
  const place = logarithmic ? Math.log : (value) => value;
  const span = place(high) - place(low) || 1;
  return (value) => from + ((place(Math.max(value, logarithmic ? low : -Infinity)) - place(low)) / span) * (to - from);
}

function rangeOf(values, zero, logarithmic) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (logarithmic) return [low / 1.2, high * 1.2];
  const space = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1;
  return [zero ? 0 : low - space, high + space];
}

// Series: {name, color, dashed, points: [[x, y, std]]}, x ascending. `read` makes text of a value and its
// standard deviation, which may be missing, and `tick` of an axis.
export function chart({ title, series, read, tick = read, zero = false, mayBeLogarithmic = false, xName = "epoch" }) {
  const shown = series.filter(({ points }) => points.length);
  if (!shown.length) return "";
  const values = shown.flatMap(({ points }) => points.map(([, y]) => y));
  const xs = [...new Set(shown.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const smallest = Math.min(...values);
  const logarithmic = mayBeLogarithmic && smallest > 0 && Math.max(...values) > WIDE * smallest;
  const plan = { shown, xs, range: rangeOf(values, zero, logarithmic), logarithmic, tick, xName };
  const id = `chart-${(charts += 1)}`;
  const svg = drawn("svg", {
    class: "chart",
    tabindex: "0",
    role: "slider",
    "aria-labelledby": id,
    "aria-valuemin": xs[0],
    "aria-valuemax": xs.at(-1),
    height: HEIGHT,
  });
  const legend = element("ul", { class: "legend" });
  const where = element("span", { class: "where" });
  const state = { at: xs.length - 1, geometry: null };

  function redraw(width) {
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    state.geometry = geometryOf(plan, width);
    svg.replaceChildren(...parts(plan, state.geometry), drawn("g", { class: "cursor" }));
    show(state.at, false);
  }

  function show(index, active = true) {
    state.at = Math.max(0, Math.min(xs.length - 1, index));
    const x = xs[state.at];
    const rows = shown.map((one) => ({ ...one, point: one.points.find(([at]) => at === x) ?? null }));
    where.textContent = `${xName} ${x}`;
    legend.replaceChildren(...rows.map((row) => entry(row, read)));
    svg.querySelector(".cursor").replaceChildren(...(active ? cursor(rows, x, state.geometry) : []));
    svg.setAttribute("aria-valuenow", x);
    const words = rows.filter(({ point }) => point).map(({ name, point }) => `${name} ${read(point[1])}`);
    svg.setAttribute("aria-valuetext", `${xName} ${x}: ${words.join(", ")}`);
  }

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * state.geometry.width;
    const distances = xs.map((x) => Math.abs(state.geometry.x(x) - at));
    show(distances.indexOf(Math.min(...distances)));
  });
  svg.addEventListener("pointerleave", () => show(xs.length - 1, false));
  svg.addEventListener("blur", () => show(xs.length - 1, false));
  svg.addEventListener("keydown", (event) => {
    const target = { ArrowLeft: state.at - 1, ArrowRight: state.at + 1, Home: 0, End: xs.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    show(target);
  });
  redraw(560);
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (width > 0 && width !== state.geometry.width) redraw(width);
  }).observe(svg);
  return element("figure", { class: "curves" }, element("figcaption", { id }, title, where), svg, legend);
}

function entry({ name, color, dashed, point }, read) {
  const text = point === null ? "–" : read(point[1], point[2] || null);
  return element(
    "li",
    {},
    element("span", { class: dashed ? "swatch dashed" : "swatch", "--color": color }),
    element("span", { class: "name" }, name),
    point === null ? text : number(point[1], text),
  );
}

function geometryOf({ xs, range: [low, high], logarithmic }, width) {
  const right = width - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const single = xs.length === 1 ? 1 : 0;
  return {
    width,
    right,
    bottom,
    x: scaleOf(xs[0] - single, xs.at(-1) + single, MARGIN.left, right, false),
    y: scaleOf(low, high, bottom, MARGIN.top, logarithmic),
  };
}

function parts({ shown, xs, range: [low, high], logarithmic, tick, xName }, { width, right, bottom, x, y }) {
  const heights = logarithmic ? logarithmicTicks(low, high) : linearTicks(low, high, 5);
  const steps =
    xs.length === 1 ? xs : linearTicks(xs[0], xs.at(-1), Math.min(xs.length, width / 70)).filter(Number.isInteger);
  const grid = heights.flatMap((value) => [
    drawn("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }),
    drawn("text", { class: "tick", x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, tick(value)),
  ]);
  const below = steps.map((value) =>
    drawn("text", { class: "tick", x: x(value), y: bottom + 18, "text-anchor": "middle" }, String(value)),
  );
  const last = drawn("text", { class: "tick", x: MARGIN.left - 8, y: bottom + 18, "text-anchor": "end" }, xName);
  return [...grid, ...below, last, ...shown.map((one) => band(one, x, y)), ...shown.map((one) => line(one, x, y))];
}

function line({ points, color, dashed }, x, y) {
  if (points.length === 1) return dot(points[0], color, x, y);
  const path = points.map(([at, value], i) => `${i ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return drawn("path", { class: dashed ? "line dashed" : "line", d: path, "--color": color });
}

function band({ points, color }, x, y) {
  if (points.length < 2 || !points.some(([, , std]) => std)) return drawn("g");
  const edge = (sign) =>
    points.map(([at, value, std]) => `${x(at).toFixed(1)} ${y(value + sign * (std ?? 0)).toFixed(1)}`);
  return drawn("path", { class: "band", d: `M${[...edge(1), ...edge(-1).reverse()].join("L")}Z`, "--color": color });
}

const dot = ([at, value], color, x, y) =>
  drawn("circle", { class: "dot", cx: x(at), cy: y(value), r: 4, "--color": color });

function cursor(rows, at, { x, y, bottom }) {
  return [
    drawn("line", { class: "ruler", x1: x(at), x2: x(at), y1: MARGIN.top, y2: bottom }),
    ...rows.filter(({ point }) => point).map(({ point, color }) => dot(point, color, x, y)),
  ];
}
