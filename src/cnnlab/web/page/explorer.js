// The explorer: a trained network in a page. Connects the input, the network, one unit and the prediction.

import { probabilityOf } from "cnnlab/arithmetic.js";
import { Engine } from "cnnlab/engine.js";
import { InputPanel } from "cnnlab/input.js";
import { activationMap, lastMap, occlusion } from "cnnlab/maps.js";
import { NetworkView } from "cnnlab/network.js";
import { softmax } from "cnnlab/operations.js";
import { normalized, readImages, readKernel, readNetwork } from "cnnlab/reading.js";
import { receptiveField } from "cnnlab/receptive.js";
import { languages, say, speak, spoken } from "cnnlab/strings.js";
import { writtenProbability } from "cnnlab/sums.js";
import { UnitPanel } from "cnnlab/unit.js";
import { element, outline } from "cnnlab/view.js";

const SHOWN_CLASSES = 5;

// One network of the page with its own view and its own changes.
class Explored {
  constructor(network, kernel, page) {
    this.network = network;
    this.page = page;
    this.engine = new Engine(network, kernel);
    this.original = network.tensors.map(({ data }) => data);
    this.off = new Map();
    this.view = new NetworkView(this.engine, (index, channel) => page.chooseUnit(this, index, channel));
    this.bars = element("div", { class: "bars", role: "list" });
    this.sum = element("div", { class: "arithmetic" });
    this.title = element("h3", {}, `${network.name}, ${network.data}`);
    this.unit = new UnitPanel(this.engine, {
      onplace: (index, y, x) => this.#showField(index, y, x),
      ongo: (index, channel) => page.chooseUnit(this, index, channel),
      onedit: (tensor, at, value) => this.#edit(tensor, at, value),
      onswitch: (index, channel, off) => this.#switch(index, channel, off),
      isOff: (index, channel) => this.off.get(index)?.has(channel) ?? false,
    });
  }

  get isChanged() {
    return this.off.size > 0 || this.network.tensors.some(({ data }, i) => data !== this.original[i]);
  }

  run(pixels) {
    this.image = normalized(pixels, this.network.spec);
    this.#compute();
  }

  #compute() {
    this.results = this.engine.run(this.image, { change: (index, data) => this.#silence(index, data) });
    this.view.show(this.results);
    this.unit.show(this.results);
    this.#showBars();
    this.page.changed();
  }

  #silence(index, data) {
    const channels = this.off.get(index);
    if (!channels) return;
    const size = data.length / this.engine.nodes[index].shape[0];
    channels.forEach((channel) => data.fill(0, channel * size, (channel + 1) * size));
  }

  #edit(tensor, at, value) {
    if (!Number.isFinite(value)) return;
    const target = this.network.tensors[tensor];
    if (target.data === this.original[tensor]) target.data = target.data.slice();
    target.data[at] = value;
    this.#compute();
  }

  #switch(index, channel, off) {
    const channels = this.off.get(index) ?? new Set();
    if (off) channels.add(channel);
    else channels.delete(channel);
    if (channels.size) this.off.set(index, channels);
    else this.off.delete(index);
    this.#compute();
  }

  reset() {
    this.off.clear();
    this.network.tensors.forEach((tensor, i) => (tensor.data = this.original[i]));
    this.#compute();
  }

  #showField(index, y, x) {
    const [, height, width] = this.engine.nodes[0].shape;
    const isMap = this.engine.nodes[index].shape.length === 3;
    const field = isMap ? receptiveField(this.engine, index, y, x) : { top: 0, left: 0, bottom: height - 1, right: width - 1 };
    outline(this.page.input.field, field, height, width);
  }

  get logits() {
    return this.results.at(-1).data;
  }

  get best() {
    return this.logits.indexOf(Math.max(...this.logits));
  }

  #showBars() {
    const probabilities = softmax(this.logits);
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, SHOWN_CLASSES);
    const rows = order.map((label) => {
      const percent = `${(100 * probabilities[label]).toFixed(1)} %`;
      const name = this.network.classes[label];
      const bar = element("span", { class: "bar" });
      bar.style.setProperty("--part", String(probabilities[label]));
      const isTrue = name === this.page.label;
      return element("button", {
        class: isTrue ? "row true" : "row", role: "listitem", title: isTrue ? say("label") : name,
        onclick: () => this.sum.replaceChildren(...writtenProbability(probabilityOf(this.logits, label))),
      }, element("span", { class: "name" }, name), bar, element("span", { class: "percent" }, percent));
    });
    this.bars.replaceChildren(...rows);
    this.sum.replaceChildren();
  }
}

class Explorer {
  constructor(networks, images, kernel) {
    this.label = null;
    this.heatRun = 0;
    this.input = new InputPanel(images, networks[0].spec, (pixels, label) => this.#show(pixels, label));
    this.explored = networks.map((network) => new Explored(network, kernel, this));
    this.chosen = this.explored[0];
    this.heat = element("select", { onchange: () => this.#showHeat() });
    this.heatNote = element("p", { class: "note", role: "status" });
    this.resetButton = element("button", { class: "reset", hidden: true, onclick: () => this.explored.forEach((each) => each.reset()) });
    this.language = element("select", { "aria-label": "Language", onchange: () => this.#speak(this.language.value) },
      ...Object.entries(languages).map(([name, title]) => element("option", { value: name }, title)));
    this.truth = element("p", { class: "truth" });
    this.headings = Object.fromEntries(["input", "prediction", "network", "unit"].map((name) => [name, element("h2")]));
    this.fieldNote = element("p", { class: "note" });
    this.networkNote = element("p", { class: "note" });
    this.unitNote = element("p", { class: "note" });
    this.#build();
  }

  #build() {
    const { name, data } = this.chosen.network;
    const side = element("aside", {}, this.headings.input, this.input.root, this.truth, element("label", { class: "heat" }, this.heat),
      this.heatNote, this.headings.prediction,
      ...this.explored.map((each) => element("section", {}, this.explored.length > 1 ? each.title : null, each.bars, each.sum)));
    const views = this.explored.map((each) =>
      element("section", { "aria-label": each.network.name }, this.explored.length > 1 ? each.title.cloneNode(true) : null, each.view.root));
    const main = element("main", {},
      element("div", { class: "bar-line" }, this.headings.network, this.chosen.view.jump, this.resetButton),
      this.networkNote, ...views, this.headings.unit, this.unitNote, ...this.explored.map((each) => each.unit.root), this.fieldNote);
    const header = element("header", {}, element("h1", {}, name, element("small", {}, ` ${data}`)), this.language);
    document.body.prepend(header, element("div", { class: "layout" }, side, main));
    const wanted = document.body.dataset.language ?? "en";
    this.language.value = wanted;
    this.#speak(wanted);
    this.input.choose(0);
    const first = this.chosen.engine.nodes.findIndex(({ operation }) => operation === "conv2d");
    this.chooseUnit(this.chosen, Math.max(first, 0), 0);
  }

  #speak(name) {
    speak(name);
    Object.entries(this.headings).forEach(([key, heading]) => (heading.textContent = say(key)));
    this.networkNote.textContent = say("networkHint");
    this.fieldNote.textContent = say("receptive");
    this.unitNote.textContent = say("noUnit");
    this.resetButton.textContent = say("reset");
    const options = [["none", "none"], ["cam", "cam"], ["occlusion", "occlusion"]];
    const value = this.heat.value || "none";
    this.heat.replaceChildren(...options.map(([key, text]) => element("option", { value: key }, say(text))));
    this.heat.value = value;
    this.input.translate();
    this.explored.forEach((each) => {
      each.view.translate();
      if (each.results) each.unit.show(each.results);
    });
    if (this.input.pixels) this.#showTruth();
    document.documentElement.dataset.language = spoken();
  }

  #showTruth() {
    this.truth.textContent = this.label === null ? "" : `${say("label")}: ${this.label}`;
  }

  #show(pixels, label) {
    this.label = label;
    this.#showTruth();
    this.explored.forEach((each) => each.run(pixels));
    this.#showHeat();
  }

  chooseUnit(explored, index, channel) {
    this.explored.forEach((each) => each.view.mark(each === explored ? index : -1, channel));
    this.explored.forEach((each) => (each.unit.root.hidden = each !== explored));
    this.chosen = explored;
    this.unitNote.hidden = true;
    explored.unit.choose(index, channel);
    explored.unit.show(explored.results);
    explored.view.jump.value = index;
  }

  changed() {
    this.resetButton.hidden = !this.explored.some((each) => each.isChanged);
  }

  // Computes the chosen heat map; a later choice ends an earlier computation.
  async #showHeat() {
    const run = ++this.heatRun;
    const { engine, image, best, network } = this.chosen;
    const kind = this.heat.value;
    this.heatNote.textContent = "";
    if (kind === "none") {
      this.input.heat(null);
      return;
    }
    const compute = kind === "cam" ? activationMap : occlusion;
    const fractions = await compute(engine, image, best, () => run !== this.heatRun);
    if (!fractions) return;
    const hint = kind === "cam" ? say("camHint", engine.nodes[lastMap(engine)].name) : say("occlusionHint");
    this.heatNote.textContent = `${network.classes[best]}: ${hint}`;
    this.input.heat(this.#asStored(fractions));
  }

  // The heat of the network's input at the size of the stored image.
  #asStored(fractions) {
    const [, height, width] = this.chosen.engine.nodes[0].shape;
    const [, rows, columns] = this.input.images.shape;
    return Float32Array.from({ length: rows * columns }, (_, i) => {
      const [y, x] = [Math.floor(i / columns), i % columns];
      return fractions[Math.floor((y * height) / rows) * width + Math.floor((x * width) / columns)];
    });
  }
}

const ids = [...document.querySelectorAll("script[id$='-graph']")].map(({ id }) => id.replace("-graph", ""));
const [kernel, images, ...networks] = await Promise.all([readKernel(), readImages(), ...ids.map(readNetwork)]);
window.explorer = new Explorer(networks, images, kernel);
document.body.dataset.ready = "true";
