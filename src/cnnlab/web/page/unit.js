// The panel of one unit: its map enlarged, its place on the image, and the arithmetic of its number.

import { arithmeticOf, placeOf, unitAt } from "cnnlab/arithmetic.js";
import { say, operationName } from "cnnlab/strings.js";
import { written } from "cnnlab/sums.js";
import { drawMap, element, largestOf, outline, shown } from "cnnlab/view.js";

export class UnitPanel {
  // Calls `onplace(index, y, x)` when a pixel is chosen, `ongo(index, channel)` to show another node,
  // `onedit(tensor, at, value)` when a kernel is changed, and `onswitch(index, channel, off)` when a channel is
  // switched off or on.
  constructor(engine, { onplace, ongo, onedit, onswitch, isOff }) {
    Object.assign(this, { engine, onplace, ongo, onedit, onswitch, isOff });
    this.chosen = null;
    this.part = 0;
    this.canvas = element("canvas", { class: "pixelated large", tabindex: "0", role: "application" });
    this.cell = element("div", { class: "field", hidden: true });
    this.stack = element("div", { class: "stack" }, this.canvas, this.cell);
    this.heading = element("h3", { "aria-live": "polite" });
    this.facts = element("p", { class: "note" });
    this.off = element("input", { type: "checkbox", onchange: () => this.onswitch(this.chosen.index, this.chosen.channel, this.off.checked) });
    this.offLabel = element("span");
    this.readout = element("output", { class: "readout" });
    this.arithmetic = element("div", { class: "arithmetic" });
    this.left = element("div", { class: "map-side" }, this.stack, this.readout, element("label", { class: "switch" }, this.off, this.offLabel));
    this.root = element("div", { class: "unit", hidden: true }, this.heading, this.facts, element("div", { class: "unit-body" }, this.left, this.arithmetic));
    this.canvas.addEventListener("click", (event) => this.#clicked(event));
    this.canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  choose(index, channel) {
    const { shape } = this.engine.nodes[index];
    this.part = 0;
    const [, height, width] = shape.length === 3 ? shape : [0, 1, 1];
    this.chosen = { index, channel, y: height >> 1, x: width >> 1 };
    this.root.hidden = false;
  }

  // Draws the panel for new results of the network.
  show(results) {
    this.results = results;
    if (!this.chosen) return;
    const { index, channel, y, x } = this.chosen;
    const node = this.engine.nodes[index];
    const { data } = results[index];
    const isMap = node.shape.length === 3;
    this.heading.textContent = isMap ? `${node.name}, ${say("channel")} ${channel}` : `${node.name} [${channel}]`;
    const sources = node.inputs.map((input) =>
      element("button", { class: "link", onclick: () => this.#go(input) }, this.engine.nodes[input].name));
    const facts = `${operationName(node.operation)}, ${say("shape")} ${node.shape.join(" \u00d7 ")}`;
    this.facts.replaceChildren(facts, ...(sources.length ? [`, ${say("from")} `, ...sources] : []));
    this.offLabel.textContent = ` ${say("off")}`;
    this.off.checked = this.isOff(index, channel);
    this.off.disabled = index === 0;
    const [height, width] = isMap ? node.shape.slice(1) : [Math.ceil(node.shape[0] / 32), Math.min(node.shape[0], 32)];
    this.size = [height, width];
    const start = isMap ? channel * height * width : 0;
    const values = new Float32Array(height * width);
    values.set(data.subarray(start, start + height * width));
    drawMap(this.canvas, values, height, width, largestOf(data));
    this.canvas.setAttribute("aria-label", this.heading.textContent);
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    const place = isMap ? [y, x] : [Math.floor(channel / width), channel % width];
    outline(this.cell, { top: place[0], left: place[1], bottom: place[0], right: place[1] }, height, width);
    this.#write(unitAt(node, this.chosen));
    this.onplace(index, y, x);
  }

  #write(unit) {
    const { index } = this.chosen;
    const node = this.engine.nodes[index];
    const value = this.results[index].data[unit];
    this.unit = unit;
    if (index === 0) {
      this.arithmetic.replaceChildren(element("p", { class: "sum" }, `${say("input")}: ${shown(value)}`));
      return;
    }
    const sum = arithmeticOf(this.engine, this.results, index, unit);
    const { channel } = placeOf(node, unit);
    const edit = (i, j, number) => {
      const [, perGroup, rows, columns] = this.engine.tensors[node.weights.weight].shape;
      this.onedit(node.weights.weight, ((channel * perGroup + this.part) * rows + i) * columns + j, number);
    };
    const onpart = (part) => {
      this.part = part;
      this.#write(unit);
    };
    const check = element("p", { class: "note check" }, `${say("exact")} ${shown(value)}`);
    this.arithmetic.replaceChildren(...written(sum, { part: this.part, onpart, edit }), check);
  }

  // Shows an input of the chosen node, at the same channel if it has one.
  #go(input) {
    const channels = this.engine.nodes[input].shape[0];
    this.ongo(input, Math.min(this.chosen.channel, channels - 1));
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [height, width] = this.size;
    const y = Math.min(Math.max(Math.floor(((event.clientY - box.top) * height) / box.height), 0), height - 1);
    const x = Math.min(Math.max(Math.floor(((event.clientX - box.left) * width) / box.width), 0), width - 1);
    return [y, x];
  }

  #clicked(event) {
    this.#move(...this.#at(event));
  }

  #move(y, x) {
    const node = this.engine.nodes[this.chosen.index];
    if (node.shape.length === 3) Object.assign(this.chosen, { y, x });
    else this.chosen.channel = Math.min(y * this.size[1] + x, node.shape[0] - 1);
    this.show(this.results);
  }

  #hover(event) {
    const [y, x] = this.#at(event);
    const node = this.engine.nodes[this.chosen.index];
    const unit = node.shape.length === 3 ? unitAt(node, { channel: this.chosen.channel, y, x }) : y * this.size[1] + x;
    const value = this.results[this.chosen.index].data[unit];
    this.readout.textContent = value === undefined ? "" : `(${y}, ${x}): ${shown(value)}`;
  }

  #key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [height, width] = this.size;
    const node = this.engine.nodes[this.chosen.index];
    const [y, x] = node.shape.length === 3
      ? [this.chosen.y, this.chosen.x]
      : [Math.floor(this.chosen.channel / width), this.chosen.channel % width];
    this.#move(Math.min(Math.max(y + step[0], 0), height - 1), Math.min(Math.max(x + step[1], 0), width - 1));
  }
}
