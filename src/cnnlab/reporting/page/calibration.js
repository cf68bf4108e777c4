// Calibration: how often the network is right where it is confident by so much.

import { drawn, element, number } from "report/elements.js";
import { count, percent } from "report/format.js";

const SIDE = 300;
const MARGIN = { left: 44, bottom: 34, top: 8, right: 16 };
const COUNTS = 44; // height of the bars that count images

export function calibration({ ece, bins }) {
  const reading = element("p", { class: "reading", "aria-live": "polite" }, "Point at a bar to read it.");
  const inner = SIDE - MARGIN.left - MARGIN.right;
  const x = (value) => MARGIN.left + inner * value;
  const y = (value) => MARGIN.top + inner * (1 - value);
  const most = Math.max(...bins.map(([images]) => images));
  const top = y(0) + 12;
  const bars = bins.flatMap(([images, confidence, accuracy], i) => {
    if (!images) return [];
    const low = i / bins.length;
    const high = (i + 1) / bins.length;
    const words = `confidence ${percent(confidence)}: ${percent(accuracy)} correct of ${count(images)} images`;
    const read = () => {
      reading.textContent = words;
    };
    const width = x(high) - x(low) - 1.5;
    const tall = Math.max(1, (COUNTS * images) / most);
    return [
      drawn(
        "g",
        { class: "bin", tabindex: "0", role: "img", "aria-label": words, onpointerenter: read, onfocus: read },
        drawn("rect", { class: "hover", x: x(low), width: width + 1.5, y: y(1), height: top + COUNTS - y(1) }),
        drawn("rect", {
          class: "accuracy",
          x: x(low),
          width,
          y: y(accuracy),
          height: Math.max(1, y(0) - y(accuracy)),
        }),
        drawn("line", {
          class: "gap",
          x1: x(low) + width / 2,
          x2: x(low) + width / 2,
          y1: y(accuracy),
          y2: y(confidence),
        }),
        drawn("rect", { class: "count", x: x(low), width, y: top + COUNTS - tall, height: tall }),
      ),
    ];
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
    drawn("line", { class: "grid", x1: x(0), x2: x(1), y1: y(value), y2: y(value) }),
    drawn("text", { class: "tick", x: x(0) - 6, y: y(value) + 4, "text-anchor": "end" }, String(100 * value)),
    drawn("text", { class: "tick", x: x(value), y: top + COUNTS + 16, "text-anchor": "middle" }, String(100 * value)),
  ]);
  const height = top + COUNTS + MARGIN.bottom;
  const axis = drawn("text", { class: "tick", x: x(0.5), y: height - 2, "text-anchor": "middle" }, "confidence, %");
  const svg = drawn(
    "svg",
    { class: "calibration", viewBox: `0 0 ${SIDE} ${height}`, role: "group", "aria-label": "reliability diagram" },
    ticks,
    axis,
    bars,
    drawn("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
  );
  return element(
    "div",
    { class: "reliability" },
    element(
      "figure",
      {},
      element("figcaption", {}, "accuracy in %, by confidence; below, the number of images"),
      svg,
      reading,
    ),
    element(
      "div",
      { class: "prose" },
      element("p", { class: "large" }, number(ece, percent(ece)), element("small", {}, "expected calibration error")),
      element(
        "p",
        {},
        "Of the images to which a well calibrated network gives a confidence of 80 %, it has 80 % right: its bars end " +
          "on the dashed line. The error is the mean distance to that line, weighted by the number of images.",
      ),
    ),
  );
}
