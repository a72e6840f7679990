// The list of runs: those at work stand above it and move; new ones are announced, never pushed under a reader's eyes.

import { address, byId, el, here, stream } from "./dom.js";

const board = byId("at-work");
const news = byId("news");
const newest = Number(here.newest ?? 0);

function card(run) {
  return el("a", { class: "working", href: address(`runs/${run.id}`) },
    el("span", { class: "state live" }, "running"),
    el("span", { class: "question" }, run.question),
    el("span", { class: "told" },
      el("span", {}, run.method), el("span", { class: "n" }, run.spent), el("span", { class: "n" }, `step ${run.steps}`),
      el("span", { class: "n" }, run.took)));
}

stream("live", {
  news(told) {
    if (board) {
      board.replaceChildren(...told.running.map(card));
      board.hidden = told.running.length === 0;
    }
    if (told.newest > newest && (newest > 0 || !byId("runs"))) {
      news.replaceChildren(el("a", { href: address(""), class: "button" }, "There are newer runs: show them"));
    }
  },
});
