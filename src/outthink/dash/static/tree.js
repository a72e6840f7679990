// The drawing of a search: marks laid out from left to right, joined by curves, grown as the search goes on.

import { address, cut, four, here, still, svg } from "./dom.js";

const SIZES = {
  text: { row: 34, column: 236, width: 184, height: 26 },
  dots: { row: 13, column: 92, width: 12, height: 12 },
  images: { row: 70, column: 96, width: 52, height: 52 },
};
const LEFT = 26;
const TOP = 46;
const MANY = 44;

export function laidOut(drawing) {
  const known = new Map(drawing.marks.map((mark) => [mark.id, { mark, below: [] }]));
  const tops = [];
  for (const { mark } of known.values()) {
    (known.get(mark.under)?.below ?? tops).push(mark.id);
  }
  const ends = [...known.values()].filter((one) => one.below.length === 0).length;
  const style = drawing.kind === "images" ? "images" : ends > MANY ? "dots" : "text";
  // Few columns leave room for more words in each box.
  const room = { 0: 480, 1: 480, 2: 310, 3: 236 }[drawing.columns.length] ?? SIZES.text.width;
  const size = style === "text" ? { ...SIZES.text, width: room, column: room + 52 } : SIZES[style];
  const places = new Map();
  let row = 0;
  const walk = tops.slice().reverse().map((id) => [id, false]);
  while (walk.length) {
    const [id, ready] = walk.pop();
    const { mark, below } = known.get(id);
    const x = LEFT + 46 + size.column * mark.column;
    if (!below.length) places.set(id, { x, y: TOP + size.row * (row++ + 0.5) });
    else if (ready) places.set(id, { x, y: (places.get(below[0]).y + places.get(below[below.length - 1]).y) / 2 });
    else {
      walk.push([id, true]);
      for (const child of below.slice().reverse()) walk.push([child, false]);
    }
  }
  const tall = TOP + size.row * Math.max(1, row) + 14;
  const heights = tops.map((id) => places.get(id).y);
  const middle = heights.length ? (Math.min(...heights) + Math.max(...heights)) / 2 : tall / 2;
  const columns = drawing.columns.length;
  const wide = LEFT + 46 + size.column * Math.max(0, columns - 1) + size.width + 34;
  return { known, tops, places, style, size, wide, tall, middle };
}

function curve(from, to) {
  const bend = (from.x + to.x) / 2;
  return `M${from.x},${from.y}C${bend},${from.y} ${bend},${to.y} ${to.x},${to.y}`;
}

function classes(mark) {
  const states = ["done", "failed", "dropped", "chosen", "path", "open"];
  return ["mark", ...states.filter((name) => mark[name])].join(" ");
}

function pill(mark, size) {
  const judged = mark.value ?? mark.score;
  const told = judged === null || judged === undefined ? "" : four(judged);
  const room = Math.floor((size.width - 18 - 6.6 * told.length) / 6.2);
  const sign = mark.chosen ? "★ " : mark.failed ? "! " : "";
  const words = mark.text || (mark.done ? "ends" : "…");
  const box = { x: 0, y: -size.height / 2, width: size.width, height: size.height, rx: 7 };
  return [
    svg("rect", { ...box, class: "paper" }),
    svg("rect", { ...box, class: "fill", "fill-opacity": 0.05 + 0.36 * (mark.shade ?? 0) }),
    svg("rect", { ...box, class: "frame" }),
    svg("text", { x: 10, y: 4 }, cut(sign + words, Math.max(4, room))),
    svg("text", { x: size.width - 9, y: 4, class: "told", "text-anchor": "end" }, told),
  ];
}

function dot(mark, most) {
  const radius = mark.visits && most ? 3 + 5 * Math.sqrt(mark.visits / most) : mark.chosen ? 6 : 4;
  return [
    svg("circle", { r: radius, cx: 6, class: "paper" }),
    svg("circle", { r: radius, cx: 6, class: "fill", "fill-opacity": 0.12 + 0.88 * (mark.shade ?? 0) }),
    svg("circle", { r: radius, cx: 6, class: "frame" }),
  ];
}

function picture(mark, size) {
  const box = { x: 0, y: -size.height / 2, width: size.width, height: size.height };
  if (!mark.picture) return [svg("circle", { cx: size.width / 2, r: 3.5, class: "fork" })];
  return [
    svg("image", { ...box, href: address(`runs/${here.run}/pictures/${mark.id}.png`) }),
    svg("rect", { ...box, class: "frame" }),
    svg("text", { x: size.width / 2, y: size.height / 2 + 12, "text-anchor": "middle", class: "told" },
      `${mark.chosen ? "★ " : ""}${mark.score === undefined || mark.score === null ? "" : four(mark.score)}`),
  ];
}

export class Tree {
  constructor(place, choose) {
    this.place = place;
    this.choose = choose;
    this.groups = new Map();
    this.written = new Map();
    this.current = null;
    this.fitted = true;
    this.edges = svg("g", { class: "edges" });
    this.lines = svg("g", { class: "lines" });
    this.marks = svg("g", { class: "marks", role: "presentation" });
    this.root = svg("circle", { r: 6, class: "root" }, svg("title", {}, "The question"));
    this.svg = svg("svg", { class: "tree", role: "presentation" }, this.lines, this.edges, this.root, this.marks);
    place.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.fit()).observe(place);
  }

  draw(drawing, beat = Infinity) {
    this.drawing = drawing;
    if (!drawing.marks.length) return;
    if (!this.svg.isConnected) {
      this.place.replaceChildren(this.svg);
      this.place.setAttribute("role", "listbox");
    }
    const layout = laidOut(drawing);
    this.layout = layout;
    const most = Math.max(0, ...drawing.marks.map((mark) => mark.visits ?? 0));
    this.svg.setAttribute("viewBox", `0 0 ${layout.wide} ${layout.tall}`);
    this.svg.setAttribute("class", `tree ${layout.style}${drawing.kind === "search" ? " search" : ""}`);
    this.root.setAttribute("transform", `translate(${LEFT},${layout.middle})`);
    for (const id of this.groups.keys()) {
      if (!layout.known.has(id)) { this.groups.get(id).remove(); this.groups.delete(id); this.written.delete(id); }
    }
    for (const { mark } of layout.known.values()) this.mark(mark, layout, most);
    this.join(layout, most);
    this.ruled(drawing, layout);
    this.show(beat);
    this.fit();
  }

  mark(mark, layout, most) {
    let group = this.groups.get(mark.id);
    const { x, y } = layout.places.get(mark.id);
    const now = JSON.stringify([mark, layout.style, layout.size.width, most]);
    if (!group) {
      group = svg("g", { id: `mark-${mark.id}`, role: "option", "data-node": mark.id, "aria-selected": "false",
        on: { click: () => this.select(mark.id) } });
      this.groups.set(mark.id, group);
      this.marks.append(group);
    }
    if (this.written.get(mark.id) !== now) {
      const parts = layout.style === "images" ? picture(mark, layout.size) : layout.style === "dots" ? dot(mark, most) : pill(mark, layout.size);
      const hidden = mark.hidden ? [svg("text", { x: layout.size.width + 6, y: 4, class: "hidden" }, `+${mark.hidden}`)] : [];
      group.replaceChildren(svg("title", {}, mark.said), ...parts, ...hidden);
      group.setAttribute("aria-label", mark.said);
      this.written.set(mark.id, now);
    }
    group.setAttribute("class", `${classes(mark)}${this.current === mark.id ? " current" : ""}`);
    group.style.transform = `translate(${x}px, ${y}px)`;
  }

  join(layout, most) {
    const paths = [];
    for (const { mark } of layout.known.values()) {
      const to = layout.places.get(mark.id);
      const above = layout.places.get(mark.under);
      const from = above ? { x: above.x + layout.size.width, y: above.y } : { x: LEFT, y: layout.middle };
      const heavy = mark.path ? 2.6 : most ? 1 + 3 * Math.sqrt((mark.visits ?? 0) / most) : 1.3;
      paths.push(svg("path", { d: curve(from, to), class: mark.path ? "edge path" : "edge", "stroke-width": heavy, "data-edge": `${mark.under ?? "root"}-${mark.id}`, "data-beat": mark.beat }));
    }
    // The answer's line last, above the others.
    paths.sort((a, b) => a.classList.contains("path") - b.classList.contains("path"));
    this.edges.replaceChildren(...paths);
  }

  ruled(drawing, layout) {
    const at = (column) => LEFT + 46 + layout.size.column * column;
    const every = Math.ceil(drawing.columns.length / 40);
    const heads = drawing.columns.map((level, column) => (column % every ? null
      : svg("text", { x: at(column), y: 18, class: "head" }, layout.style === "dots" ? String(level) : `step ${level}`)));
    const ruled = layout.style === "text" ? drawing.resampled.map(([column, said]) => svg("g", { class: "resampled" },
      svg("title", {}, `Resampled: ${said}`),
      svg("line", { x1: at(column) + layout.size.width + 20, x2: at(column) + layout.size.width + 20, y1: 30, y2: layout.tall - 8 }),
      svg("text", { x: at(column) + layout.size.width + 12, y: 34, "text-anchor": "end" }, said.split(",")[0]))) : [];
    this.lines.replaceChildren(...heads.filter(Boolean), ...ruled);
  }

  show(beat) {
    this.beat = beat;
    for (const { mark } of this.layout?.known.values() ?? []) {
      this.groups.get(mark.id).classList.toggle("later", mark.beat > beat);
    }
    for (const path of this.edges.children) path.classList.toggle("later", Number(path.dataset.beat) > beat);
  }

  fit() {
    if (!this.layout) return;
    const { wide, tall } = this.layout;
    const room = this.place.clientWidth - 14;
    const scale = this.fitted ? Math.min(1, room / wide) : 1;
    this.overflows = room < wide;
    this.svg.style.width = `${wide * scale}px`;
    this.svg.style.height = `${tall * scale}px`;
  }

  select(id) {
    const mark = this.layout?.known.get(id)?.mark;
    if (!mark) return;
    this.groups.get(this.current)?.classList.remove("current");
    this.groups.get(this.current)?.setAttribute("aria-selected", "false");
    this.current = id;
    const group = this.groups.get(id);
    group.classList.add("current");
    group.setAttribute("aria-selected", "true");
    this.place.setAttribute("aria-activedescendant", group.id);
    this.reveal(id);
    this.choose(id);
  }

  // Scrolls the drawing and never the page.
  reveal(id) {
    const { wide, size, places } = this.layout;
    const scale = this.svg.clientWidth / wide;
    const { x, y } = places.get(id);
    const { place } = this;
    const near = (at, from, room, edge) => (at - edge < from ? Math.max(0, at - edge) : at + edge > from + room ? at + edge - room : from);
    place.scrollTo({
      left: near((x + size.width / 2) * scale, place.scrollLeft, place.clientWidth, size.width * scale),
      top: near(y * scale, place.scrollTop, place.clientHeight, 2 * size.height),
      behavior: still.matches ? "auto" : "smooth",
    });
  }

  pressed(event) {
    if (!this.layout || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = [...this.layout.known.values()].map((one) => one.mark).filter((mark) => mark.beat <= this.beat);
    const mark = this.layout.known.get(this.current)?.mark;
    let next = null;
    if (event.key === "ArrowRight") next = mark ? this.layout.known.get(mark.id).below[0] : shown[0]?.id;
    else if (event.key === "ArrowLeft") next = mark?.under;
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const beside = shown.filter((one) => !mark || one.column === mark.column)
        .sort((a, b) => this.layout.places.get(a.id).y - this.layout.places.get(b.id).y);
      const at = beside.findIndex((one) => one.id === mark?.id);
      next = beside[Math.min(beside.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)))]?.id;
    } else return;
    event.preventDefault();
    if (next !== null && next !== undefined) this.select(next);
  }
}
