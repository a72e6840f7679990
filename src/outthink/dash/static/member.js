// What one member wrote: what was there before in grey, what its own step added in ink.

import { address, byId, el, fetched, four, here } from "./dom.js";

let asked = 0;

export async function member(node, part, select) {
  const mine = ++asked;
  const query = part ? `?part=${encodeURIComponent(part)}` : "";
  const found = await fetched(`runs/${here.run}/members/${node}${query}`);
  if (mine !== asked) return;
  const facts = [["Score", found.score], ["Weight", found.weight]].filter(([, value]) => value !== null);
  const line = found.ancestors.slice(-6).map((one) => el("button", { type: "button", class: "link", "aria-label": `Member ${one}`, on: { click: () => select(one) } }, String(one)));
  const own = found.text.slice(found.before.length);
  const parts = [
    el("h3", {}, `Member ${found.node}`, el("span", { class: "soft" }, ` step ${found.level}`)),
    facts.length ? el("dl", { class: "facts" }, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "n" }, four(value))])) : null,
    found.answer === null ? null : el("p", {}, el("span", { class: "soft" }, "Answer "), el("strong", {}, found.answer)),
    found.picture ? el("img", { src: address(`runs/${here.run}/pictures/${found.node}.png`), alt: found.said, class: "large" }) : null,
    found.text ? el("pre", { class: "text", tabindex: "0" }, el("span", { class: "before" }, found.before), own) : found.picture ? null : el("p", { class: "soft" }, "Nothing was seen of it."),
    line.length ? el("p", { class: "ancestors" }, el("span", { class: "soft" }, "from "), line) : null,
  ];
  byId("member").replaceChildren(...parts.filter(Boolean));
}
