// Writing out where a number comes from, as HTML.

import { say } from "cnnlab/strings.js";
import { element, shown } from "cnnlab/view.js";

const LARGEST = 12; // products of a fully connected layer that are listed

const formulas = {
  relu: (x) => `max(0, ${x})`,
  tanh: (x) => `tanh(${x})`,
  sigmoid: (x) => `1 / (1 + exp(\u2212(${x})))`,
  gelu: (x) => `${x} \u00b7 \u03a6(${x})`,
  hardtanh: (x) => `min(max(${x}, 0), 6)`,
};
const signs = { add: "+", sub: "\u2212", mul: "\u00b7", div: "/" };

function result(value) {
  return element("strong", { class: "result" }, ` = ${shown(value)}`);
}

// A table of numbers; cells of `shade`, if given, are colored by their product's sign and size.
export function grid(rows, { label, edit = null, shade = null } = {}) {
  const body = rows.map((row, i) =>
    element("tr", {}, ...row.map((value, j) => {
      const cell = element("td", { class: value === null ? "outside" : "" });
      if (edit) {
        cell.append(element("input", {
          type: "number", step: "any", value: value.toFixed(3), "aria-label": `${label} ${i}, ${j}`,
          onchange: (event) => edit(i, j, Number(event.target.value)),
        }));
      } else cell.textContent = shown(value);
      if (shade && value !== null) cell.style.setProperty("--amount", String(Math.min(Math.abs(shade(i, j)), 1).toFixed(2)));
      if (shade && value !== null && shade(i, j) < 0) cell.classList.add("negative");
      return cell;
    })));
  return element("figure", { class: "grid" }, element("table", {}, element("tbody", {}, ...body)),
    element("figcaption", {}, label));
}

function ofConvolution(sum, { part, onpart, edit }) {
  const chosen = sum.parts[part] ?? sum.parts[0];
  const values = chosen.window.map((row) => row.map(({ value }) => value));
  const products = values.map((row, i) => row.map((value, j) => (value === null ? null : value * chosen.kernel[i][j])));
  const top = Math.max(...products.flat().map((value) => Math.abs(value ?? 0)), 1e-9);
  const shade = (i, j) => (products[i][j] ?? 0) / top;
  const equation = element("div", { class: "equation" },
    grid(values, { label: `${say("window")}, ${say("channel")} ${chosen.channel}` }), element("span", {}, "\u00d7"),
    grid(chosen.kernel, { label: say("kernel"), edit }), element("span", {}, "="),
    grid(products, { label: say("sum") + ` ${shown(chosen.sum)}`, shade }));
  const terms = sum.parts.map((each, i) =>
    element("button", {
      class: "term", "aria-pressed": String(each === chosen), title: `${say("channel")} ${each.channel}`,
      onclick: () => onpart(i),
    }, shown(each.sum)));
  const joined = terms.flatMap((term, i) => (i ? [" + ", term] : [term]));
  const total = element("p", { class: "sum" }, ...joined, ` + ${say("bias")} ${shown(sum.bias)}`, result(sum.result));
  const hasPadding = sum.parts.some(({ window }) => window.flat().some(({ value }) => value === null));
  return [equation, element("p", { class: "note" }, say("kernelHint")),
    hasPadding ? element("p", { class: "note" }, say("padding")) : null, total];
}

function ofLinear(sum) {
  const sorted = [...sum.terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const listed = sorted.slice(0, LARGEST);
  const rest = sorted.slice(LARGEST).reduce((total, { product }) => total + product, 0);
  const rows = listed.map(({ unit, value, weight, product }) =>
    element("tr", {}, element("td", {}, String(unit)), ...[value, weight, product].map((number) => element("td", {}, shown(number)))));
  const heads = ["#", say("value"), "\u00d7 w", "="].map((text) => element("th", {}, text));
  return [
    element("table", { class: "terms" }, element("caption", {}, say("largestTerms", listed.length, sum.terms.length)),
      element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)),
    element("p", { class: "sum" }, `${listed.map(({ product }) => shown(product)).join(" + ")} + ${say("rest")} ${shown(rest)} + ${say("bias")} ${shown(sum.bias)}`,
      result(sum.result)),
  ];
}

function ofPool(sum) {
  const values = sum.window.map((row) => row.map(({ value }) => value));
  const top = Math.max(...values.flat().map((value) => Math.abs(value ?? 0)), 1e-9);
  const shade = sum.kind === "max" ? (i, j) => (values[i][j] === sum.result ? 1 : 0) : (i, j) => values[i][j] / top;
  const words = sum.kind === "max" ? say("maximum") : say("mean", sum.count);
  return [grid(values, { label: `${say("window")}, ${say("channel")} ${sum.channel}`, shade }), element("p", { class: "sum" }, words, result(sum.result))];
}

function ofBatchNorm({ value, mean, variance, eps, gamma, beta, result: number }) {
  const text = `${shown(gamma)} \u00b7 (${shown(value)} \u2212 ${shown(mean)}) / \u221a(${shown(variance)} + ${eps}) + ${shown(beta)}`;
  return [element("p", { class: "note" }, say("batchNorm")), element("p", { class: "sum" }, text, result(number))];
}

function ofNormalization(sum) {
  const text = `${shown(sum.value)} / (${sum.k} + ${sum.alpha} \u00b7 ${shown(sum.squares)} / ${sum.size})^${sum.beta}`;
  return [element("p", { class: "note" }, say("localNorm")), element("p", { class: "sum" }, text, result(sum.result))];
}

const writers = {
  convolution: ofConvolution,
  linear: ofLinear,
  max: ofPool,
  mean: ofPool,
  batch_norm: ofBatchNorm,
  local_response_norm: ofNormalization,
  function: (sum) => [element("p", { class: "sum" }, formulas[sum.name](shown(sum.value)), result(sum.result))],
  arithmetic: (sum) => [element("p", { class: "sum" }, sum.values.map(shown).join(` ${signs[sum.name]} `), result(sum.result))],
  copy: (sum) => [element("p", { class: "sum" }, sum.place === null ? say("outside") : say("copied"), result(sum.result))],
};

// The elements that explain `sum`, an object of arithmetic.js. `options` are for convolutions: the chosen input
// channel `part`, `onpart(number)` to choose another, and `edit(i, j, value)` to change the kernel.
export const written = (sum, options) => writers[sum.kind](sum, options).filter(Boolean);

// The probability of one class, written out.
export function writtenProbability({ top, powers, label, result: number }) {
  const total = powers.reduce((a, b) => a + b);
  const text = `exp(${shown(top + Math.log(powers[label]))}) / \u03a3 exp(logit) = ${shown(powers[label] / total)}`;
  return [element("p", { class: "note" }, say("probability")), element("p", { class: "sum" }, text, result(number))];
}
