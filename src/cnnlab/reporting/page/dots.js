// The result of each seed as a dot, one line per group: what the spread behind a mean looks like.

import { drawn, element } from "report/elements.js";
import { percent, spread } from "report/format.js";

const ROW = 26;
const WIDTH = 640;

// Groups: {name, color, mean, std, values: [{seed, value}]}
export function dots(groups, title) {
  const shown = groups.filter(({ values }) => values.length);
  if (!shown.length) return "";
  const values = shown.flatMap(({ values: all }) => all.map(({ value }) => value));
  const ends = shown.flatMap(({ mean, std }) => (mean === null ? [] : [mean - (std ?? 0), mean + (std ?? 0)]));
  const [low, high] = [Math.min(...values, ...ends), Math.max(...values, ...ends)];
  const space = 0.08 * (high - low) || 0.01;
  const figure = element("figure", { class: "dots" });
  const svg = drawn("svg", { role: "img", "aria-label": title, height: ROW * shown.length + 30 });

  function redraw(width) {
    const left = Math.min(0.36 * width, 8 + 7.2 * Math.max(...shown.map(({ name }) => name.length)));
    const x = (value) => left + 14 + ((value - low + space) / (high - low + 2 * space)) * (width - left - 24);
    svg.setAttribute("viewBox", `0 0 ${width} ${ROW * shown.length + 30}`);
    svg.replaceChildren(
      ...axis(low, high, x, ROW * shown.length),
      ...shown.flatMap((group, i) => row(group, i, x, left, width)),
    );
  }

  redraw(WIDTH);
  new ResizeObserver(([{ contentRect }]) => contentRect.width && redraw(Math.round(contentRect.width))).observe(svg);
  figure.append(element("figcaption", {}, title), svg);
  return figure;
}

function axis(low, high, x, bottom) {
  return [low, (low + high) / 2, high].flatMap((value, i) => [
    drawn("line", { class: "grid", x1: x(value), x2: x(value), y1: 0, y2: bottom }),
    low === high && i
      ? drawn("g")
      : drawn(
          "text",
          {
            class: "tick",
            x: x(value),
            y: bottom + 18,
            "text-anchor": ["start", "middle", "end"][low === high ? 1 : i],
          },
          percent(value),
        ),
  ]);
}

function row({ name, color, mean, std, values }, index, x, left, width) {
  const y = ROW * (index + 0.5);
  const most = Math.floor(left / 7.2);
  const label = name.length > most ? `${name.slice(0, Math.max(1, most - 1))}…` : name;
  const words = drawn("title", {}, `${name}: ${mean === null ? "" : spread(mean, std)}`);
  const bar = mean !== null && std !== null && std > 0;
  return [
    drawn("text", { class: "label", x: left, y: y + 4, "text-anchor": "end" }, label, words),
    bar
      ? drawn("line", { class: "std", x1: x(mean - std), x2: x(mean + std), y1: y, y2: y, "--color": color })
      : drawn("g"),
    ...values.map(({ seed, value }) =>
      drawn(
        "circle",
        { class: "seed", cx: x(value), cy: y, r: 4.5, "--color": color },
        drawn("title", {}, `${name}, seed ${seed}: ${percent(value)}`),
      ),
    ),
    mean === null
      ? drawn("g")
      : drawn("line", { class: "mean", x1: x(mean), x2: x(mean), y1: y - 8, y2: y + 8, "--color": color }),
  ];
}
