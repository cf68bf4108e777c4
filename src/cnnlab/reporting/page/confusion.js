// The confusion matrix, and the mistaken images behind each of its cells.

import { drawn, element, number } from "report/elements.js";
import { count, percent } from "report/format.js";
import { gallery } from "report/thumbnails.js";

export const FILES = { test: "test", val: "training" }; // in which an image has its number
const MOST_LABELED = 20; // with more classes, cells are too small for numbers
const MOST_PAIRS = 12; // most frequent confusions
const MOST_PAIRS_OF_MANY = 40; // where cells are too many for the keyboard
const FIRST = 24; // images that are shown before a cell is chosen

export function confusion({ classes, confusion: counts, mistakes, split }) {
  const tiles = gallery(mistakes.sheet, mistakes.rows);
  const heading = element("h3", { "aria-live": "polite" });
  const images = element("div", { class: "images" });
  const state = { chosen: null };

  function show(rows, words) {
    heading.textContent = words;
    images.replaceChildren(...rows.map((row) => image(row, tiles, classes, split)));
  }

  function choose(actual, predicted, control) {
    const rows = mistakes.rows.filter(([one, other]) => one === actual && other === predicted);
    const total = counts[actual][predicted];
    const shown = rows.length < total ? `, the ${rows.length} most confident shown` : "";
    show(rows, `${classes[actual]} taken for ${classes[predicted]}: ${images_(total)}${shown}`);
    state.chosen?.removeAttribute("aria-pressed");
    state.chosen = control;
    control.setAttribute("aria-pressed", "true");
  }

  show(mistakes.rows.slice(0, FIRST), mistakes.total ? "The most confident mistakes" : "No mistakes");
  const matrix = classes.length <= MOST_LABELED ? labeled(classes, counts, choose) : dense(classes, counts, choose);
  return element(
    "div",
    { class: "confusion" },
    element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "confusion matrix" }, matrix),
    element("div", { class: "behind" }, frequent(classes, counts, choose), heading, images),
  );
}

const images_ = (total) => (total === 1 ? "1 image" : `${count(total)} images`);

function image([actual, predicted, probability, index], tiles, classes, split) {
  const guess = `predicted ${classes[predicted]}, probability ${percent(probability)}`;
  const words = `${classes[actual]}, ${guess}, image ${index} of the ${FILES[split]} files`;
  return element(
    "figure",
    { title: words },
    tiles([actual, predicted, probability, index], words),
    element(
      "figcaption",
      {},
      element("span", {}, element("strong", {}, classes[actual]), ` → ${classes[predicted]}`),
      number(probability, percent(probability)),
    ),
  );
}

// One button per cell with mistakes; the cells of the diagonal have none behind them.
function labeled(classes, counts, choose) {
  const rows = counts.map((row, actual) => {
    const total = row.reduce((a, b) => a + b, 0) || 1;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, classes[actual]),
      row.map((value, predicted) => cell(value, value / total, actual, predicted, classes, choose)),
    );
  });
  const long = Math.max(...classes.map((name) => name.length)) > 3;
  return element(
    "table",
    { class: long ? "matrix long" : "matrix" },
    element("caption", {}, "Rows are true classes, columns predicted classes. Choose a cell to see its images."),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td"),
        classes.map((name) => element("th", { scope: "col" }, element("span", {}, name))),
      ),
    ),
    element("tbody", {}, rows),
  );
}

function cell(value, fraction, actual, predicted, classes, choose) {
  const hit = actual === predicted;
  const share = `${(hit ? 55 * fraction : value ? 12 + 43 * Math.sqrt(fraction) : 0).toFixed(1)}%`;
  if (hit || !value) {
    return element(
      "td",
      { class: hit ? "hit" : undefined, "--share": share },
      hit || value ? number(value, String(value)) : "",
    );
  }
  const button = element(
    "button",
    {
      type: "button",
      "aria-label": `${classes[actual]} taken for ${classes[predicted]}: ${images_(value)}`,
      onclick: () => choose(actual, predicted, button),
      onfocus: () => choose(actual, predicted, button),
    },
    number(value, String(value)),
  );
  return element("td", { class: "miss", "--share": share }, button);
}

// A matrix of many classes as a drawing. Its cells are chosen by the pointer; by the keyboard, the pairs beside it are.
function dense(classes, counts, choose) {
  const n = classes.length;
  const cells = counts.flatMap((row, actual) => {
    const total = row.reduce((a, b) => a + b, 0) || 1;
    return row.flatMap((value, predicted) => (value ? [mark(value, value / total, actual, predicted)] : []));
  });

  function mark(value, fraction, actual, predicted) {
    const hit = actual === predicted;
    const opacity = (hit ? fraction : Math.min(1, 0.25 + 3 * fraction)).toFixed(2);
    const words = `${classes[actual]}${hit ? "" : ` taken for ${classes[predicted]}`}: ${images_(value)}`;
    const place = { x: predicted, y: actual, width: 1, height: 1, "fill-opacity": opacity };
    const rectangle = drawn("rect", { class: hit ? "hit" : "miss", ...place }, drawn("title", {}, words));
    if (!hit) rectangle.addEventListener("click", () => choose(actual, predicted, rectangle));
    return rectangle;
  }

  const label = `confusion matrix of ${n} classes; rows are true classes, columns predicted classes`;
  return element(
    "figure",
    { class: "dense" },
    element("figcaption", {}, "Rows are true classes, columns predicted classes. Choose a cell to see its images."),
    drawn("svg", { viewBox: `0 0 ${n} ${n}`, role: "img", "aria-label": label }, cells),
  );
}

function frequent(classes, counts, choose) {
  const pairs = counts
    .flatMap((row, actual) => row.map((value, predicted) => ({ value, actual, predicted })))
    .filter(({ value, actual, predicted }) => value && actual !== predicted)
    .sort((a, b) => b.value - a.value)
    .slice(0, classes.length <= MOST_LABELED ? MOST_PAIRS : MOST_PAIRS_OF_MANY);
  if (!pairs.length) return "";
  const buttons = pairs.map(({ value, actual, predicted }) => {
    const button = element(
      "button",
      { type: "button", onclick: () => choose(actual, predicted, button) },
      `${classes[actual]} → ${classes[predicted]} ×`,
      number(value, count(value)),
    );
    return element("li", {}, button);
  });
  return element("ul", { class: "pairs", "aria-label": "most frequent confusions" }, buttons);
}
