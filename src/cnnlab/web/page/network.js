// The overview: one column per operation, from the image on the left to the classes on the right.

import { operationName, say } from "cnnlab/strings.js";
import { drawMap, element, largestOf, shown } from "cnnlab/view.js";

const MAPS = 8; // maps that a column shows before one asks for all
const VECTOR = 64; // numbers of a vector in one row of its picture

export class NetworkView {
  // `onchoose(index, channel)` is called when a map is clicked.
  constructor(engine, onchoose) {
    this.engine = engine;
    this.onchoose = onchoose;
    this.results = null;
    this.visible = new Set();
    this.columns = engine.nodes.map((node, index) => this.#column(node, index));
    this.row = element("div", { class: "columns" });
    this.row.append(...this.#grouped());
    if (!engine.nodes.some(({ module }) => module.includes("."))) this.row.classList.add("plain");
    this.jump = element("select", { onchange: () => this.columns[this.jump.value].root.scrollIntoView({ inline: "center", block: "nearest", behavior: "smooth" }) });
    this.root = element("div", { class: "network" }, this.row);
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { root: this.root, rootMargin: "300px" });
    this.columns.forEach(({ root }) => this.observer.observe(root));
  }

  // Columns of the same block stand under one heading.
  #grouped() {
    const groups = [];
    this.engine.nodes.forEach((node, index) => {
      const block = node.module.includes(".") ? node.module.split(".")[0] : "";
      if (!groups.length || groups.at(-1).block !== block || !block) groups.push({ block, members: [] });
      groups.at(-1).members.push(this.columns[index].root);
    });
    return groups.map(({ block, members }) =>
      element("div", { class: block ? "group" : "group plain" }, element("h3", {}, block || "\u00a0"),
        element("div", { class: "members" }, ...members)));
  }

  #column(node, index) {
    const title = element("h4", {}, node.name);
    const kind = element("p", { class: "kind" });
    const maps = element("div", { class: node.shape.length === 3 ? "maps" : "maps vector" });
    const more = element("button", { class: "more", hidden: true });
    const root = element("section", { class: "column", "aria-label": node.name, "data-index": index }, title, kind, maps, more);
    const column = { root, kind, maps, more, node, canvases: [] };
    if (node.shape.length === 3) {
      const add = (count) => {
        for (let channel = column.canvases.length; channel < count; channel++) column.canvases.push(this.#map(column, index, channel));
        more.hidden = column.canvases.length === node.shape[0];
        more.textContent = `+ ${node.shape[0] - column.canvases.length}`;
      };
      add(Math.min(MAPS, node.shape[0]));
      more.addEventListener("click", () => {
        add(node.shape[0]);
        this.#draw(index);
      });
    } else {
      const canvas = element("canvas", { class: "pixelated" });
      const button = element("button", { class: "map", "aria-label": node.name, onclick: () => this.onchoose(index, 0) }, canvas);
      column.canvases.push({ canvas, button });
      maps.append(button);
    }
    return column;
  }

  #map(column, index, channel) {
    const canvas = element("canvas", { class: "pixelated" });
    const label = `${column.node.name}, ${say("channel")} ${channel}`;
    const button = element("button", { class: "map", title: label, "aria-label": label, onclick: () => this.onchoose(index, channel) }, canvas);
    column.maps.append(button);
    return { canvas, button };
  }

  translate() {
    this.columns.forEach(({ kind, node }) => {
      kind.textContent = `${operationName(node.operation)} \u00b7 ${node.shape.join("\u00d7")}`;
    });
    this.jump.setAttribute("aria-label", say("jump"));
    this.jump.replaceChildren(...this.engine.nodes.map((node, i) => element("option", { value: i }, node.name)));
  }

  show(results) {
    this.results = results;
    this.visible.forEach((index) => this.#draw(index));
  }

  mark(index, channel) {
    this.columns.forEach((column, i) =>
      column.canvases.forEach(({ button }, c) =>
        button.setAttribute("aria-pressed", String(i === index && (c === channel || column.node.shape.length < 3)))));
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const index = Number(target.dataset.index);
      if (isIntersecting) {
        this.visible.add(index);
        if (this.results) this.#draw(index);
      } else this.visible.delete(index);
    }
  }

  #draw(index) {
    const { node, canvases } = this.columns[index];
    const { data } = this.results[index];
    const limit = largestOf(data);
    if (node.shape.length < 3) {
      const width = Math.min(data.length, VECTOR);
      const height = Math.ceil(data.length / width);
      const whole = new Float32Array(width * height);
      whole.set(data);
      drawMap(canvases[0].canvas, whole, height, width, limit);
      canvases[0].button.title = `${data.length} \u00d7 1, \u00b1${shown(limit)}`;
      return;
    }
    const [, height, width] = node.shape;
    const pixels = height * width;
    canvases.forEach(({ canvas }, channel) =>
      drawMap(canvas, data.subarray(channel * pixels, (channel + 1) * pixels), height, width, limit));
  }
}
