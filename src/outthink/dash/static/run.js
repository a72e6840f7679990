// One run: its state is asked for once, or streamed while it goes on; the drawing can be played from its beginning.

import { byId, cut, el, fetched, here, percent, still, stream } from "./dom.js";
import { member } from "./member.js";
import { answers, meters } from "./standing.js";
import { Tree } from "./tree.js";
import { whatIf } from "./what_if.js";

const PLAY_SECONDS = 5;
const drawing = byId("drawing");
const beat = byId("beat");
const play = byId("play");
const fit = byId("fit");
const part = byId("part");
let state = null;
let playing = null;

const tree = new Tree(drawing, (node) => member(node, state.part, (id) => tree.select(id)));

function told() {
  const shown = Number(beat.value);
  byId("beat-told").textContent = `${shown} of ${state.drawing.beats} ${state.drawing.beats === 1 ? "move" : "moves"}`;
}

function legend() {
  const { kind, keyed, left_out: left } = state.drawing;
  const said = [];
  if (kind === "images") said.push("From noise on the left to images on the right; the number is the score.");
  else if (kind === "search") said.push(keyed ? "The number is the search's key, lower goes first." : "The number is the value that the search backed up; the heavier the line, the more visits.");
  else said.push(`Each box is what one step wrote; the fuller, the better its score${state.judged ? "" : " (here: the more gave its answer)"}. Dashed boxes were dropped.`);
  said.push(`${state.members} members, ${state.finished} finished, ${state.judged} judged.`);
  if (state.effective !== null) said.push(`Effective size at the last resampling: ${state.effective.toFixed(1)}.`);
  if (left) said.push(`${left} more ends are not drawn.`);
  byId("legend").textContent = said.join(" ");
}

function update(now) {
  const atEnd = !state || Number(beat.value) >= state.drawing.beats;
  state = now;
  byId("state").textContent = now.state;
  byId("state").className = `state ${now.tone}`;
  byId("took").textContent = now.took;
  const leader = now.running ? now.answers[0] : null;
  if (leader) {
    byId("answer").textContent = cut(leader.answer, 160);
    byId("won").textContent = `Leads so far, with ${percent(leader.share)} of those that finished.`;
  }
  meters(now);
  answers(now);
  legend();
  byId("notes").replaceChildren(...now.notes.map((note) => el("li", {}, note)));
  beat.max = String(Math.max(1, now.drawing.beats));
  if (atEnd && !playing) beat.value = beat.max;
  tree.draw(now.drawing, playing || !atEnd ? Number(beat.value) : Infinity);
  if (!now.drawing.marks.length) drawing.replaceChildren(el("p", { class: "soft waiting" }, now.running ? "Waiting for the first step…" : "This run recorded no members."));
  byId("search").classList.toggle("still", now.drawing.beats < 2);
  fit.hidden = !tree.overflows;
  told();
  const answer = tree.drawing?.marks.find((mark) => mark.chosen);
  if (!now.running && answer && tree.current === null) tree.select(answer.id);
}

function stop() {
  clearInterval(playing);
  playing = null;
  play.textContent = "Play";
}

play.addEventListener("click", () => {
  if (playing) { stop(); return; }
  const beats = state.drawing.beats;
  const jump = still.matches ? beats : Math.max(1, Math.ceil(beats / 120));
  if (Number(beat.value) >= beats) beat.value = "0";
  play.textContent = "Stop";
  playing = setInterval(() => {
    beat.value = String(Math.min(beats, Number(beat.value) + jump));
    tree.show(Number(beat.value));
    told();
    if (Number(beat.value) >= beats) stop();
  }, Math.max(40, Math.min(700, (1000 * PLAY_SECONDS) / Math.max(1, beats))));
});

beat.addEventListener("input", () => { stop(); tree.show(Number(beat.value)); told(); });

fit.addEventListener("click", () => {
  tree.fitted = !tree.fitted;
  fit.setAttribute("aria-pressed", String(tree.fitted));
  tree.fit();
});

for (const button of document.querySelectorAll("[data-member]")) {
  button.addEventListener("click", () => { tree.select(Number(button.dataset.member)); drawing.scrollIntoView({ block: "center" }); drawing.focus({ preventScroll: true }); });
}

const asked = () => (part ? `?part=${encodeURIComponent(part.value)}` : "");
if (part) part.addEventListener("change", async () => { tree.current = null; update(await fetched(`runs/${here.run}/state${asked()}`)); });

// A phone shows boxes at their own size and scrolls; a wide page shows the whole search.
if (window.innerWidth < 700) fit.click();

if (here.running === "yes") {
  stream(`runs/${here.run}/live`, {
    state: update,
    ended() {
      // The answer, its reasons and the candidates stand in the page as the server writes it.
      location.reload();
      return "over";
    },
  });
} else {
  update(await fetched(`runs/${here.run}/state`));
  await whatIf();
}

const picks = [...document.querySelectorAll('input[name="node"]')];
for (const pick of picks) {
  pick.addEventListener("change", () => {
    const full = picks.filter((one) => one.checked).length >= 2;
    for (const one of picks) one.disabled = full && !one.checked;
  });
}
