// Shows the page's content: one run, or many with a view of each behind its address.

import { element } from "report/elements.js";
import { overview } from "report/overview.js";
import { runView } from "report/run.js";

const content = JSON.parse(document.getElementById("content").textContent);
const page = document.getElementById("page");
const addressOf = (index) => `#run-${content.runs[index].id}`;

function show() {
  const many = content.runs.length > 1;
  const chosen = many ? content.runs.find(({ id }) => location.hash === `#run-${id}`) : content.runs[0];
  if (chosen === undefined) {
    page.replaceChildren(...overview(content, addressOf), foot());
    return;
  }
  const back = many ? [element("nav", {}, element("a", { href: "#" }, `← all ${content.runs.length} runs`))] : [];
  page.replaceChildren(...back, ...runView(chosen, content.layers[chosen.layers]), foot());
  if (many) scrollTo(0, 0);
}

const foot = () => element("footer", {}, `Written by cnnlab on ${content.made} from the records of the runs.`);

addEventListener("hashchange", show);
show();
