// What stands beside the drawing: meters of what was spent, bars of answers, a strip of scores.

import { brief, byId, count, cut, el, four, percent, svg } from "./dom.js";

function bar(share, name = "bar") {
  return svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", class: name, "aria-hidden": "true" },
    svg("rect", { x: 0, y: 0, width: Math.min(1, Math.max(0, share)), height: 1 }));
}

export function meters(state) {
  byId("meters").replaceChildren(...state.meters.map((meter) => {
    const used = meter.used === null ? "not known" : meter.name === "seconds" ? meter.used.toFixed(1) : count(meter.used);
    const told = meter.most === null ? used : `${used} of ${brief(meter.most)}`;
    const full = meter.most !== null && meter.used >= meter.most ? "bar full" : "bar";
    return el("div", { class: "meter", "data-meter": meter.name },
      el("span", { class: "n big" }, told), el("span", { class: "soft" }, meter.title),
      meter.most === null ? null : bar((meter.used ?? 0) / meter.most, full));
  }));
  const all = state.roles.reduce((sum, one) => sum + one.spent, 0);
  if (!all) { byId("roles").replaceChildren(); return; }
  let at = 0;
  const stretches = state.roles.map((one, i) => {
    const share = one.spent / all;
    const rect = svg("rect", { x: at, y: 0, width: share, height: 1, class: `role-${i % 4}` });
    at += share;
    return rect;
  });
  const names = state.roles.map((one, i) => el("li", {}, el("i", { class: `swatch role-${i % 4}` }), `${one.role} `,
    el("span", { class: "n" }, `${brief(one.spent)} (${percent(one.spent / all)})`)));
  byId("roles").replaceChildren(
    svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", class: "stack", "aria-hidden": "true" }, stretches),
    el("ul", { class: "legend" }, names));
}

export function answers(state) {
  const rows = state.answers.map((one) => el("li", { class: one.chosen ? "chosen" : null },
    el("span", { class: "said" }, cut(one.answer || "(nothing)", 110)),
    el("span", { class: "n" }, percent(one.share)),
    bar(one.share),
    el("span", { class: "soft" }, `${one.count} ${one.count === 1 ? "candidate" : "candidates"}${one.best === null ? "" : `, best score ${four(one.best)}`}`)));
  const nothing = el("li", { class: "soft" }, state.drawing.kind === "images" ? "Images have no answers to count; their scores are below." : "Nobody has finished yet.");
  byId("answers").replaceChildren(...(rows.length ? rows : [nothing]));
  strip(state);
}

function strip(state) {
  const known = state.scores;
  if (known.length < 2) { byId("scores").replaceChildren(); return; }
  const values = known.map((one) => one.score);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const across = (score) => 10 + 380 * (high > low ? (score - low) / (high - low) : 0.5);
  // Dots that would lie over each other are stacked.
  const heaps = new Map();
  const dots = known.slice().sort((a, b) => a.score - b.score || a.chosen - b.chosen).map((one) => {
    const x = Math.round(across(one.score) / 8) * 8;
    const n = heaps.get(x) ?? 0;
    heaps.set(x, n + 1);
    return { x, n, one };
  });
  const tallest = Math.max(...heaps.values());
  const step = Math.min(8, 72 / tallest);
  const tall = 20 + step * tallest;
  const drawn = dots.map(({ x, n, one }) => svg("circle", { cx: x, cy: tall - 18 - step * n, r: one.chosen ? 5 : 3.2, class: one.chosen ? "chosen" : null },
    svg("title", {}, `Member ${one.node}: ${four(one.score)}${one.chosen ? ", the answer" : ""}`)));
  const said = `Scores of ${known.length} finished members, from ${four(low)} to ${four(high)}`;
  byId("scores").replaceChildren(el("h3", {}, "Scores of those that finished"),
    svg("svg", { viewBox: `0 0 400 ${tall}`, class: "strip", role: "img", "aria-label": said },
      svg("line", { x1: 4, x2: 396, y1: tall - 12, y2: tall - 12 }), drawn,
      svg("text", { x: 4, y: tall }, four(low)),
      high > low ? svg("text", { x: 396, y: tall, "text-anchor": "end" }, four(high)) : null));
}
