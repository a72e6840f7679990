// What if: the same samples chosen by another rule, or fewer of them, replayed by the server and moved through here.

import { brief, byId, el, fetched, here, percent, svg } from "./dom.js";

const WIDE = 400;
const TALL = 96;
const kept = new Map();
let shown = null;

async function replayed(rule) {
  if (!kept.has(rule)) kept.set(rule, await fetched(`runs/${here.run}/what-if?rule=${encodeURIComponent(rule)}`));
  return kept.get(rule);
}

function named(found, at) {
  return at === null ? "no answer" : found.classes[at].answer;
}

// How often each answer wins, from one sample on the left to all on the right, stacked.
function areas(found) {
  const sizes = found.sizes;
  if (sizes.length < 2) return null;
  const x = (i) => (WIDE * (sizes[i].size - 1)) / Math.max(1, found.samples - 1);
  let below = sizes.map(() => 0);
  const layers = found.classes.map((_, c) => {
    const above = below.map((share, i) => share + sizes[i].shares[c]);
    const out = above.map((share, i) => `${x(i).toFixed(1)},${(TALL * (1 - share)).toFixed(1)}`);
    const back = below.map((share, i) => `${x(i).toFixed(1)},${(TALL * (1 - share)).toFixed(1)}`).reverse();
    below = above;
    return svg("polygon", { points: [...out, ...back].join(" "), class: c === found.actual ? "class actual" : `class grey-${c % 4}` },
      svg("title", {}, found.classes[c].answer));
  });
  const at = svg("line", { id: "what-at", y1: 0, y2: TALL, x1: WIDE, x2: WIDE });
  return svg("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, preserveAspectRatio: "none", class: "areas", role: "img", "aria-label": "How often each answer wins as samples are added" }, layers, at);
}

function tell() {
  const found = shown;
  const size = found.sizes[Number(byId("samples").value) - 1];
  const same = size.chosen === found.actual;
  byId("samples-told").textContent = found.independent ? `the first ${size.size} of ${found.samples}` : `all ${found.samples}`;
  byId("what-answer").replaceChildren(
    el("span", { class: size.chosen === null ? "said none" : same ? "said same" : "said other" }, named(found, size.chosen)),
    el("span", { class: "soft" }, same ? "the same answer" : "another answer than the run gave"));
  byId("what-answer").dataset.same = same ? "yes" : "no";
  const rows = found.classes.map((one, c) => [one, c, size.shares[c]]).filter(([, , share]) => share > 0).sort((a, b) => b[2] - a[2]);
  const list = rows.map(([one, c, share]) => el("li", { class: c === found.actual ? "chosen" : null },
    el("span", { class: "said" }, one.answer), el("span", { class: "n" }, percent(share)),
    svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" }, svg("rect", { width: share, height: 1 }))));
  byId("what-list").replaceChildren(...list);
  const line = byId("what-at");
  if (line) {
    const x = (WIDE * (size.size - 1)) / Math.max(1, found.samples - 1);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
  const cost = size.tokens ? ` About ${brief(size.tokens)} of ${brief(found.sizes[found.sizes.length - 1].tokens)} tokens.` : "";
  const sets = size.exact ? `all sets of ${size.size}` : `400 random sets of ${size.size}`;
  byId("what-note").textContent = found.independent
    ? `Bars: how often each answer wins among ${sets} of the ${found.samples} samples.${cost}`
    : "These candidates were grown together, so fewer of them would not be what a smaller run gives; only the rule can change.";
}

async function replay(rule) {
  const slider = byId("samples");
  const before = shown ? shown.sizes[Number(slider.value) - 1]?.size : Infinity;
  shown = await replayed(rule);
  slider.max = String(shown.sizes.length);
  slider.closest("label").hidden = shown.sizes.length < 2;
  const at = shown.sizes.findIndex((size) => size.size >= before);
  slider.value = String(at < 0 ? shown.sizes.length : at + 1);
  const picture = areas(shown);
  byId("what-shares").replaceChildren(...(picture ? [picture] : []), el("ol", { id: "what-list", class: "answers" }));
  tell();
}

export async function whatIf() {
  const rule = byId("rule");
  if (!rule) return;
  rule.addEventListener("change", () => replay(rule.value));
  byId("samples").addEventListener("input", tell);
  await replay(rule.value);
}
