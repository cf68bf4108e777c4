// The input panel: embedded images, a canvas to draw on, files that are opened, dropped or pasted.

import { prepared } from "cnnlab/drawing.js";
import { say } from "cnnlab/strings.js";
import { drawImage, element } from "cnnlab/view.js";

const CANVAS = 280; // pixels of the drawing canvas
const PEN = 22;

export class InputPanel {
  // `onchange(pixels, label)` is called with bytes of C x H x W, and the true class or null.
  constructor(images, spec, onchange) {
    this.images = images;
    this.spec = spec;
    this.onchange = onchange;
    this.canvas = element("canvas", { class: "pixelated input-image", "aria-hidden": "true" });
    this.field = element("div", { class: "field", hidden: true });
    this.note = element("p", { class: "note", role: "status" });
    this.strip = element("div", { class: "strip", role: "group" });
    this.buttons = images.pixels.map((pixels, i) => this.#thumbnail(pixels, i));
    this.strip.append(...this.buttons);
    this.pad = spec.drawing ? this.#drawingPad() : null;
    this.file = element("input", { type: "file", accept: "image/*", hidden: true, onchange: () => this.#opened() });
    this.openButton = element("button", { onclick: () => this.file.click() });
    this.drawButton = this.pad && element("button", { onclick: () => this.#showPad() });
    this.tools = element("div", { class: "tools" }, this.drawButton, this.openButton, this.file);
    this.shownImage = element("div", { class: "stack" }, this.canvas, this.field);
    this.root = element("div", { class: "input" }, this.shownImage, this.pad?.root, this.tools, this.strip, this.note);
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#read(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", (event) => this.#read(event.clipboardData.files[0]));
    this.translate();
  }

  translate() {
    this.openButton.textContent = say("open");
    this.note.textContent = say("choose");
    if (!this.pad) return;
    this.drawButton.textContent = say("draw");
    this.pad.clear.textContent = say("erase");
    this.pad.canvas.setAttribute("aria-label", say("drawHint"));
  }

  choose(index) {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
    this.#show(this.images.pixels[index], this.images.labels[index]);
  }

  #show(pixels, label) {
    if (this.pad) this.pad.root.hidden = true;
    this.shownImage.hidden = false;
    this.#use(pixels, label);
  }

  #use(pixels, label) {
    this.pixels = pixels;
    const [channels, height, width] = this.images.shape;
    drawImage(this.canvas, pixels, channels, height, width);
    this.onchange(pixels, label);
  }

  // Shows heat of H x W fractions over the image, or the image alone for null.
  heat(fractions) {
    const [channels, height, width] = this.images.shape;
    drawImage(this.canvas, this.pixels, channels, height, width, fractions);
  }

  #thumbnail(pixels, index) {
    const canvas = element("canvas", { class: "pixelated" });
    drawImage(canvas, pixels, ...this.images.shape);
    const label = this.images.labels[index];
    return element("button", { class: "thumbnail", title: label, "aria-label": label, onclick: () => this.choose(index) }, canvas);
  }

  #drawingPad() {
    const canvas = element("canvas", { class: "pad", width: CANVAS, height: CANVAS, role: "img", tabindex: "0" });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const clear = element("button", { onclick: () => this.#clearPad() });
    Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "white" });
    let last = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * CANVAS) / box.width, ((event.clientY - box.top) * CANVAS) / box.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = at(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const next = at(event);
      pen.beginPath();
      pen.moveTo(...last);
      pen.lineTo(...next);
      pen.stroke();
      last = next;
      this.#use(prepared(canvas, this.spec, { clean: true }), null);
    });
    canvas.addEventListener("pointerup", () => (last = null));
    return { canvas, clear, root: element("div", { hidden: true }, canvas, clear) };
  }

  #showPad() {
    this.buttons.forEach((button) => button.setAttribute("aria-pressed", "false"));
    this.pad.root.hidden = false;
    this.#clearPad();
    this.pad.canvas.focus();
  }

  #clearPad() {
    const pen = this.pad.canvas.getContext("2d");
    pen.fillStyle = "black";
    pen.fillRect(0, 0, CANVAS, CANVAS);
    this.#use(prepared(this.pad.canvas, this.spec, { clean: true }), null);
  }

  #opened() {
    this.#read(this.file.files[0]);
    this.file.value = "";
  }

  async #read(file) {
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      const scale = Math.min(1, 640 / Math.max(bitmap.width, bitmap.height));
      const canvas = element("canvas", {
        width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)),
      });
      canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      this.buttons.forEach((button) => button.setAttribute("aria-pressed", "false"));
      this.#show(prepared(canvas, this.spec), null);
      this.note.textContent = file.name;
    } catch {
      this.note.textContent = `${file.name}: not an image that this browser can read`;
    }
  }
}
