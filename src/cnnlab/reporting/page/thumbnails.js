// The images of a sheet, each as an element of its own.

import { element } from "report/elements.js";

const SIDE = 64; // of an image on the page, in CSS pixels

// An address of the sheet that is short, as every image repeats it.
function addressOf(url) {
  const [head, body] = url.split(",");
  const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] }));
}

// Returns a function of an index and of words for those who do not see the image.
export function sheetOf(sheet, side = SIDE) {
  const address = addressOf(sheet.url);
  const rows = Math.ceil(sheet.count / sheet.columns);
  return (index, words) => {
    const tile = element("span", { class: "tile", role: "img", "aria-label": words });
    tile.style.width = tile.style.height = `${side}px`;
    tile.style.backgroundImage = `url("${address}")`;
    tile.style.backgroundSize = `${sheet.columns * side}px ${rows * side}px`;
    const [left, top] = [index % sheet.columns, Math.floor(index / sheet.columns)];
    tile.style.backgroundPosition = `${-left * side}px ${-top * side}px`;
    return tile;
  };
}

// The mistaken images of a run; `rows` are in the order of the sheet.
export function gallery(sheet, rows) {
  if (sheet === null) return () => "";
  const tile = sheetOf(sheet);
  const places = new Map(rows.map((row, place) => [row[3], place]));
  return (row, words) => tile(places.get(row[3]), words);
}
