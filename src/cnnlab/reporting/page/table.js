// Tables that people sort by a click on a heading and filter by typing.

import { element } from "report/elements.js";

const CONDITION = /^(.+?)(!=|<=|>=|=|<|>)(.+)$/;
const TESTS = {
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

// A cell: `value` sorts, `text` is read and filtered, `show` is put into the table in place of the text.
export const cell = (value, text = String(value ?? ""), show = null) => ({ value, text, show });

const compared = new Intl.Collator("en", { numeric: true });

function order(a, b) {
  const missing = (value) => value === null || value === undefined || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  return typeof a === "number" && typeof b === "number" ? a - b : compared.compare(String(a), String(b));
}

// Whether a row fits all words: a text that occurs in it, or a condition on a column, such as seed=1 or test>97.
function fits(row, words, columns) {
  return words.every((word) => {
    const [, label, sign, wanted] = CONDITION.exec(word) ?? [];
    const index = label === undefined ? -1 : columns.findIndex((column) => plain(column.label) === plain(label));
    if (index < 0) return row.cells.some(({ text }) => text.toLowerCase().includes(word));
    const { text } = row.cells[index];
    const numbers = [Number.parseFloat(text.replaceAll(",", "").replace("−", "-").replace(/^< /, "")), Number(wanted)];
    if (!numbers.some(Number.isNaN)) return TESTS[sign](...numbers);
    return sign.includes("=") && TESTS[sign](text.toLowerCase(), wanted);
  });
}

const plain = (label) => label.toLowerCase().replace(/[^\p{L}\p{N}.]/gu, "");

// Columns: {label, numeric, title}; rows: {cells, class}. `total` is a last row of cells that stays there, `filter` an
// example of what can be typed, or null.
export function table({ caption, columns, rows, total = null, filter = null, sort = null }) {
  const body = element("tbody");
  const built = rows.map((row) => ({ ...row, line: lineOf(row, columns) }));
  const status = element("output", { class: "matches", "aria-live": "polite" });
  const state = { sort, words: [] };

  function update() {
    const shown = built.filter((row) => fits(row, state.words, columns));
    if (state.sort !== null) {
      const { column, descending } = state.sort;
      const missing = (row) => [null, undefined, ""].includes(row.cells[column].value);
      shown.sort((a, b) => {
        const sign = descending && !missing(a) && !missing(b) ? -1 : 1;
        return sign * order(a.cells[column].value, b.cells[column].value);
      });
    }
    body.replaceChildren(...shown.map((row) => row.line));
    status.textContent = `${shown.length} of ${built.length}`;
    headings.forEach((heading, index) => {
      const direction = state.sort?.descending ? "descending" : "ascending";
      heading.setAttribute("aria-sort", state.sort?.column === index ? direction : "none");
    });
  }

  function sortBy(column) {
    const descendsFirst = Boolean(columns[column].numeric);
    const again = state.sort?.column === column;
    state.sort = { column, descending: again ? !state.sort.descending : descendsFirst };
    update();
  }

  const headings = columns.map(({ label, numeric, title }, index) =>
    element(
      "th",
      { scope: "col", class: numeric ? "number" : undefined, title },
      element("button", { type: "button", onclick: () => sortBy(index) }, label),
    ),
  );
  const foot = total && element("tfoot", {}, lineOf({ cells: total }, columns));
  const grid = element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, headings)),
    body,
    foot,
  );
  const scrolled = element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": caption }, grid);
  update();
  return element("div", { class: "table" }, filter ? filterOf(caption, filter, status, state, update) : "", scrolled);
}

function filterOf(caption, example, status, state, update) {
  const input = element("input", {
    type: "search",
    placeholder: `filter, as ${example}`,
    "aria-label": `filter: ${caption}`,
    oninput: () => {
      state.words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      update();
    },
  });
  return element("div", { class: "filter" }, input, status);
}

function lineOf({ cells, class: kind }, columns) {
  return element(
    "tr",
    { class: kind },
    cells.map(({ text, show, share }, index) => {
      const { numeric } = columns[index];
      const bar = share === undefined ? {} : { "--share": `${100 * share}%` };
      const look = [numeric ? "number" : "", share === undefined ? "" : "bar"].join(" ").trim();
      return element(
        index ? "td" : "th",
        { scope: index ? undefined : "row", class: look || undefined, ...bar },
        show ?? text,
      );
    }),
  );
}
