// Elements of HTML and SVG. Text comes in as text nodes only, so that no name of a class or a run can become markup.

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export function element(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function drawn(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

// A number with the text that people read; the element carries the number itself.
export function number(value, text) {
  return value === null || value === undefined ? "" : element("data", { value: String(value) }, text);
}

let sections = 0;

export function section(title, ...children) {
  const id = `section-${(sections += 1)}`;
  return element("section", { "aria-labelledby": id }, element("h2", { id }, title), ...children);
}

// Pairs of a label and a text.
export function facts(pairs) {
  return element(
    "dl",
    { class: "facts" },
    pairs.map(([label, text]) => element("div", {}, element("dt", {}, label), element("dd", {}, text))),
  );
}

// The large numbers at the head of a page: label, value and text, and a note below.
export function tiles(entries) {
  return element(
    "dl",
    { class: "tiles" },
    entries
      .filter(({ value }) => value !== null && value !== undefined)
      .map(({ label, value, text, note }) =>
        element(
          "div",
          {},
          element("dt", {}, label),
          element("dd", {}, number(value, text), note ? element("small", {}, note) : ""),
        ),
      ),
  );
}

export function notes(lines) {
  return lines.length
    ? element(
        "ul",
        { class: "notes", role: "note" },
        lines.map((line) => element("li", {}, line)),
      )
    : "";
}
