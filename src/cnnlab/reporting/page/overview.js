// Many runs: a table of groups, their results seed by seed, their curves, paired tests, and the runs one by one.

import { chart } from "report/chart.js";
import { dots } from "report/dots.js";
import { element, notes, number, section, tiles } from "report/elements.js";
import { ACCURACY, LOSS, count, duration, fixed, percent, probability, speed, spread } from "report/format.js";
import { cell, table } from "report/table.js";

const COLORS = 8;
const MEASURES = { "test/acc": "test accuracy", "val/acc": "validation accuracy" };
const CURVES = {
  "val/acc": { title: "validation accuracy, %", ...ACCURACY },
  "val/loss": { title: "validation loss", ...LOSS },
  "train/acc": { title: "training accuracy, %", ...ACCURACY },
  "train/loss": { title: "training loss", ...LOSS },
};

export function overview(content, addressOf) {
  const groups = content.groups.map((group, i) => ({ ...group, color: `var(--c${i % COLORS})`, shown: i < COLORS }));
  const comparison = element("div");
  const drawCurves = () => comparison.replaceChildren(...compared(groups.filter(({ shown }) => shown)));
  drawCurves();
  return [
    header(content, groups),
    section(
      "Configurations",
      element(
        "p",
        { class: "soft" },
        content.shared ? `All with ${content.shared}. ` : "",
        "Mean ± sample standard deviation over the seeds. Choose which ones are drawn below.",
      ),
      groupTable(content, groups, drawCurves),
    ),
    section(
      "Results by seed",
      dots(
        groups.map((group) => seeds(group, content)),
        `${MEASURES[content.measure]}; each dot is a run, the line is the mean, the bar ± one standard deviation`,
      ),
    ),
    section(
      "Curves",
      element("p", { class: "soft" }, "Mean over the seeds in a band of ± one standard deviation."),
      comparison,
    ),
    pairs(content),
    section("Runs", runTable(content, groups, addressOf)),
  ].filter(Boolean);
}

function header({ groups: plainGroups, runs, measure, notes: lines }, groups) {
  const known = groups.filter(({ numbers }) => numbers[measure] !== null);
  const best = known.sort((a, b) => b.numbers[measure] - a.numbers[measure])[0];
  const seconds = runs.reduce((sum, { numbers }) => sum + (numbers.train_seconds ?? 0), 0);
  const data = [...new Set(runs.map((run) => run.data))];
  const entries = [
    { label: "runs", value: runs.length, text: count(runs.length), note: unfinished(runs) },
    {
      label: "configurations",
      value: plainGroups.length,
      text: count(plainGroups.length),
      note: "that differ in more than the seed",
    },
    {
      label: `best ${MEASURES[measure]}`,
      value: best?.numbers[measure],
      text: best && percent(best.numbers[measure]),
      note: best && `${best.name}, ${best.numbers.n === 1 ? "one run" : `mean of ${best.numbers.n}`}`,
    },
    { label: "training time", value: seconds, text: duration(seconds), note: "of all runs together" },
  ];
  return element(
    "header",
    {},
    element(
      "h1",
      {},
      `${count(runs.length)} runs on ${data.length > 3 ? `${data.length} datasets` : data.join(", ")}`,
    ),
    tiles(entries),
    notes(lines),
  );
}

function unfinished(runs) {
  const rest = runs.filter(({ status }) => status !== "done").length;
  return rest ? `${rest} not complete` : "all complete";
}

const seeds = ({ name, color, numbers, done }, { runs, measure }) => ({
  name,
  color,
  mean: numbers[measure],
  std: numbers[`${measure}_std`],
  values: done
    .map((i) => ({ seed: runs[i].seed, value: runs[i].numbers[measure] }))
    .filter(({ value }) => value !== null && value !== undefined),
});

const valued = (value, text) =>
  value === null || value === undefined ? cell(null, "") : cell(value, text(value), number(value, text(value)));

const typed = (text) => (text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text);

const digits = (value) => String(Number(value.toPrecision(4)));

const remarks = ({ unfinished, limited }) => [unfinished, limited ? "limited" : ""].filter(Boolean).join(", ");

// One column per number; those that no group has are left out.
function groupTable({ columns }, groups, changed) {
  const accuracy = (field, label) => ({
    label,
    numeric: true,
    of: ({ numbers }) => valued(numbers[field], (value) => spread(value, numbers[`${field}_std`]).replace(" %", "")),
  });
  const measured = (field, label, text, title) => ({
    label,
    numeric: true,
    title,
    of: ({ numbers }) => valued(numbers[field], text),
  });
  const shown = [
    ...columns.map((label, i) => ({
      label,
      of: (group) => cell(typed(group.cells[i]), group.cells[i], i === 0 ? choice(group, changed) : null),
    })),
    measured("n", "n", String, "complete runs"),
    { label: "remarks", of: ({ numbers }) => cell(remarks(numbers)) },
    accuracy("val/acc", "val %"),
    accuracy("test/acc", "test %"),
    accuracy("test/acc_last", "last %"),
    measured("best_epoch", "best", digits, "epoch of the best validation result"),
    measured("epochs", "epochs", digits),
    measured("train_seconds", "minutes", (value) => fixed(value / 60, 1)),
    measured("images_per_second", "images/s", speed),
  ].filter(({ of }, i) => i < columns.length || groups.some((group) => of(group).text !== ""));
  return table({
    caption: "configurations",
    filter: "lenet test>97",
    columns: shown,
    rows: groups.map((group) => ({ cells: shown.map(({ of }) => of(group)) })),
  });
}

function choice(group, changed) {
  const input = element("input", {
    type: "checkbox",
    "aria-label": `draw ${group.name}`,
    checked: group.shown,
    onchange: () => {
      group.shown = input.checked;
      changed();
    },
  });
  return element(
    "label",
    { class: "choice" },
    input,
    element("span", { class: "swatch", "--color": group.color }),
    group.cells[0],
  );
}

function compared(groups) {
  const drawnCurves = Object.entries(CURVES).map(([metric, look]) =>
    chart({
      ...look,
      series: groups.map(({ name, color, curves }) => ({ name, color, points: curves[metric] ?? [] })),
    }),
  );
  const curves = drawnCurves.filter(Boolean);
  return curves.length
    ? [element("div", { class: "pair" }, curves)]
    : [element("p", {}, "No configuration is chosen, or none has epochs.")];
}

function pairs({ pairs: rows, measure, groups }) {
  if (rows === null)
    return section(
      "Paired tests",
      element("p", { class: "soft" }, `Up to 8 configurations are compared in pairs, and these are ${groups.length}.`),
    );
  if (!rows.length) return "";
  const points = (value) => `${value < 0 ? "−" : "+"}${fixed(Math.abs(100 * value), 2)}`;
  return section(
    "Paired tests",
    element(
      "p",
      { class: "soft" },
      `The ${MEASURES[measure]} on the seeds that both have, first minus second, in percentage points. p is that of the ` +
        "pair's own two-sided paired t-test, and not corrected for the number of pairs.",
    ),
    table({
      caption: "paired tests",
      filter: rows.length > 10 ? "lenet p<0.05" : null,
      columns: [
        { label: "first" },
        { label: "second" },
        { label: "seeds", numeric: true },
        { label: "difference", numeric: true },
        { label: "p", numeric: true },
      ],
      rows: rows.map(({ first, second, seeds: n, difference, std, p }) => ({
        cells: [
          cell(first),
          cell(second),
          cell(n, String(n), number(n, String(n))),
          valued(difference, (value) => `${points(value)} ± ${fixed(100 * std, 2)}`),
          p === null ? cell(null, "–") : valued(p, probability),
        ],
      })),
    }),
  );
}

function runTable({ runs }, groups, addressOf) {
  const nameOf = new Map(groups.flatMap(({ runs: members, name, color }) => members.map((i) => [i, { name, color }])));
  const rows = runs.map((run, i) => {
    const { name, color } = nameOf.get(i);
    const link = element("a", { href: addressOf(i) }, element("span", { class: "swatch", "--color": color }), run.id);
    const { numbers } = run;
    return {
      cells: [
        cell(run.id, `${run.name}/${run.id}`, link),
        cell(name),
        cell(Number(run.seed), run.seed),
        cell(run.status),
        valued(numbers["val/acc"], (value) => fixed(100 * value, 2)),
        valued(numbers["test/acc"], (value) => fixed(100 * value, 2)),
        valued(numbers.best_epoch, String),
        valued(numbers.epochs, String),
        valued(numbers.train_seconds, (value) => fixed(value / 60, 1)),
      ],
    };
  });
  return table({
    caption: "runs",
    filter: "lenet seed=1 test>97",
    columns: [
      { label: "run" },
      { label: "configuration" },
      { label: "seed", numeric: true },
      { label: "status" },
      { label: "val %", numeric: true },
      { label: "test %", numeric: true },
      { label: "best", numeric: true },
      { label: "epochs", numeric: true },
      { label: "minutes", numeric: true },
    ],
    rows,
  });
}
