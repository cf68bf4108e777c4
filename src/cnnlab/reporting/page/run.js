// One run: what was trained on what, how it went, and what the trained network does.

import { calibration } from "report/calibration.js";
import { chart } from "report/chart.js";
import { FILES, confusion } from "report/confusion.js";
import { element, facts, notes, number, section, tiles } from "report/elements.js";
import { ACCURACY, LOSS, count, duration, fixed, percent, plain, rounded, short, speed } from "report/format.js";
import { cell, table } from "report/table.js";
import { sheetOf } from "report/thumbnails.js";

const SPLITS = { test: "test", val: "validation" };

export function runView(run, layers) {
  return [
    header(run),
    section("What was trained", facts(run.trained), command(run.command)),
    curves(run.curves),
    ...(run.evaluation ? evaluated(run.evaluation) : []),
    filters(run.filters),
    run.maps && run.evaluation ? section("Class-activation maps", ...maps(run.maps, run.evaluation)) : "",
    layers ? section("Layers", layerTable(layers)) : "",
    section("Environment", facts(run.environment), configuration(run.configuration)),
  ].filter(Boolean);
}

function header(run) {
  const { numbers } = run;
  const best = numbers.best_epoch
    ? `epoch ${numbers.best_epoch} of ${numbers.epochs}, by ${run.monitor ?? "val/acc"}`
    : "last weights";
  const entries = [
    { label: "test accuracy", value: numbers["test/acc"], read: percent, note: "one run" },
    { label: "validation accuracy", value: numbers["val/acc"], read: percent, note: best },
    {
      label: "training time",
      value: numbers.train_seconds,
      read: duration,
      note: numbers.images_per_second ? `${speed(numbers.images_per_second)} images/s` : "",
    },
    { label: "parameters", value: numbers.parameters, read: count },
    { label: "multiply-accumulates", value: numbers.macs, read: rounded, note: "per image" },
  ].filter(({ value }) => value !== null && value !== undefined);
  return element(
    "header",
    {},
    element("h1", {}, `${run.network} on ${run.data}`),
    element("p", { class: "lead" }, `${run.name}/${run.id}, seed ${run.seed}, ${run.status}`),
    tiles(entries.map(({ read, ...entry }) => ({ ...entry, text: read(entry.value) }))),
    notes(run.notes),
  );
}

function command(lines) {
  if (!lines.length)
    return element("p", { class: "soft" }, "The record does not say with which command the run was started.");
  const text = lines.join("\n");
  const button = element("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });
  const code = element("code", {}, text);
  return element(
    "div",
    { class: "command" },
    element("h3", {}, "To repeat it"),
    element("pre", { tabindex: "0" }, code),
    button,
    element("p", { class: "soft" }, "Where this run is complete already, it is reported; fresh=true trains it again."),
  );
}

// The two curves of a metric, and those of the learning rate and the speed.
function curves({ columns, rows }) {
  if (!rows.length) return "";
  const of = (name) => {
    const [x, y] = [columns.indexOf("epoch"), columns.indexOf(name)];
    return y < 0 ? [] : rows.filter((row) => row[y] !== null).map((row) => [row[x], row[y]]);
  };
  const stages = (metric) => [
    { name: "training", color: "var(--c0)", dashed: true, points: of(`train/${metric}`) },
    { name: "validation", color: "var(--c1)", points: of(`val/${metric}`) },
  ];
  const one = (name, column, color) => [{ name, color, points: of(column) }];
  return section(
    "Curves",
    element("p", { class: "soft" }, "Point at a curve, or focus it and use the arrow keys, to read its values."),
    element(
      "div",
      { class: "pair" },
      chart({ title: "accuracy, %", series: stages("acc"), ...ACCURACY }),
      chart({ title: "loss", series: stages("loss"), ...LOSS }),
      chart({
        title: "learning rate",
        series: one("learning rate", "lr", "var(--c2)"),
        read: short,
        tick: plain,
        zero: true,
      }),
      chart({
        title: "images per second",
        series: one("training", "images_per_second", "var(--c6)"),
        read: speed,
        tick: rounded,
        zero: true,
      }),
    ),
    element("details", {}, element("summary", {}, "All epochs as a table"), epochs(columns, rows)),
  );
}

function epochs(columns, rows) {
  const read = (name, value) =>
    name.endsWith("/acc") ? percent(value) : Number.isInteger(value) ? count(value) : short(value);
  return table({
    caption: "epochs",
    columns: columns.map((label) => ({ label, numeric: true })),
    rows: rows.map((row) => ({
      cells: row.map((value, i) =>
        value === null ? cell(null, "") : cell(value, read(columns[i], value), number(value, read(columns[i], value))),
      ),
    })),
  });
}

function evaluated(evaluation) {
  const { split, accuracy, top5, mistakes, by_class: rows, classes } = evaluation;
  const total = rows.reduce((sum, row) => sum + row[3], 0);
  const more =
    top5 === null ? "" : ["; the true class is among the five most probable for ", number(top5, percent(top5))];
  return [
    section(
      "Mistakes",
      element(
        "p",
        { class: "soft" },
        number(accuracy, percent(accuracy)),
        ` of the ${count(total)} ${SPLITS[split]} images are right, `,
        number(mistakes.total, count(mistakes.total)),
        " are mistaken",
        ...[more].flat(),
        ".",
      ),
      confusion(evaluation),
    ),
    section("Classes", classTable(classes, rows)),
    section("Calibration", calibration(evaluation.calibration)),
  ];
}

function classTable(classes, rows) {
  const part = (value) => cell(value, percent(value), number(value, percent(value)));
  return table({
    caption: "precision, recall and F1 by class",
    filter: classes.length > 20 ? "cat recall<70" : null,
    columns: [
      { label: "class" },
      { label: "images", numeric: true },
      {
        label: "precision",
        numeric: true,
        title: "of the images predicted as this class, the fraction that belongs to it",
      },
      { label: "recall", numeric: true, title: "of the images of this class, the fraction that is found" },
      { label: "F1", numeric: true, title: "the harmonic mean of precision and recall" },
    ],
    rows: rows.map(([precision, recall, f1, images], i) => ({
      cells: [
        cell(classes[i]),
        cell(images, count(images), number(images, count(images))),
        part(precision),
        part(recall),
        part(f1),
      ],
    })),
  });
}

function filters(content) {
  if (!content) return "";
  const { layer, total, sheet } = content;
  const tile = sheetOf(sheet, 56);
  const shown = sheet.count < total ? `${sheet.count} of ${total} filters` : `${total} filters`;
  return section(
    "Filters",
    element(
      "p",
      { class: "soft" },
      `The ${shown} of the first convolution, ${layer}; gray is zero, and each has its own scale.`,
    ),
    element(
      "div",
      { class: "filters" },
      Array.from({ length: sheet.count }, (_, i) => tile(i, `filter ${i} of ${layer}`)),
    ),
  );
}

// Each example is a row of three tiles on the sheet: the image, and the maps of two classes.
function maps({ examples, sheet }, { classes, split }) {
  const tile = sheetOf(sheet, 84);
  const figures = examples.map(([actual, predicted, probability, index], place) => {
    const of = (i, words) => tile(3 * place + i, words);
    const right = actual === predicted;
    const title = `${classes[actual]}, image ${index} of the ${FILES[split]} files`;
    return element(
      "figure",
      {},
      element(
        "div",
        { class: "row" },
        of(0, title),
        of(1, `map of ${classes[predicted]}`),
        right ? "" : of(2, `map of ${classes[actual]}`),
      ),
      element(
        "figcaption",
        {},
        element("span", {}, element("strong", {}, classes[actual]), right ? "" : ` → ${classes[predicted]}`),
        number(probability, percent(probability)),
      ),
    );
  });
  const of = (wanted) => figures.filter((_, i) => (examples[i][0] === examples[i][1]) === wanted);
  const group = (words, shown) =>
    shown.length ? [element("h3", {}, words), element("div", { class: "maps" }, shown)] : [];
  return [
    element(
      "p",
      { class: "soft" },
      "Grad-CAM: where the last feature map speaks for a class, over the gray image. Each map has its own scale.",
    ),
    ...group("Right: the image, and the map of its class", of(true)),
    ...group("Mistaken: the image, the map of the predicted class, and that of the true class", of(false)),
  ];
}

function layerTable({ columns, rows, total }) {
  const numeric = new Set(["weights", "biases", "macs", "memory", "field"]);
  const labels = { macs: "MACs", memory: "memory, KiB", field: "receptive field" };
  const barred = new Set(["weights", "macs"]);
  const read = (name, value) =>
    name === "memory" ? fixed(value / 1024, 1) : typeof value === "number" ? count(value) : String(value ?? "");
  const cells = (row, sums) =>
    row.map((value, i) => {
      const name = columns[i];
      const text = value === 0 ? "" : read(name, value);
      const share = sums && barred.has(name) && sums[i] ? { share: value / sums[i] } : {};
      return { ...cell(value, text, typeof value === "number" && text ? number(value, text) : null), ...share };
    });
  return table({
    caption: "layers, in the order of the forward pass",
    columns: columns.map((name) => ({ label: labels[name] ?? name, numeric: numeric.has(name) })),
    rows: rows.map((row) => ({ cells: cells(row, total) })),
    total: cells(total, null),
  });
}

function configuration(pairs) {
  return element("details", {}, element("summary", {}, `Configuration, ${pairs.length} keys`), facts(pairs));
}
