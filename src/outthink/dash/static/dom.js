// Elements as values. Text only ever becomes text: there is no way here to turn a string into markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : document.createTextNode(child));
  }
  return element;
}

export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

export const byId = (id) => document.getElementById(id);
export const here = document.body.dataset;
export const address = (path) => `${here.at}/${path}`;

export async function fetched(path) {
  const reply = await fetch(address(path), { headers: { accept: "application/json" } });
  if (!reply.ok) throw new Error(`${path}: status ${reply.status}`);
  return reply.json();
}

// A stream that is closed while nobody looks at the page, and opened again when somebody does.
export function stream(path, handlers) {
  let source = null;
  let over = false;
  const close = () => { if (source) source.close(); source = null; };
  const open = () => {
    if (source || over || document.hidden) return;
    source = new EventSource(address(path));
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        if (handler(JSON.parse(event.data)) === "over") { over = true; close(); }
      });
    }
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  open();
}

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
export const count = (value) => grouped.format(value);

export function brief(value) {
  for (const [unit, letter] of [[1e6, "M"], [1e3, "k"]]) {
    if (value >= unit) return `${(value / unit).toFixed(value / unit < 100 ? 1 : 0)}${letter}`;
  }
  return value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(2);
}

export function four(value) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

export const percent = (share) => (share > 0 && share < 0.01 ? "<1%" : `${Math.round(100 * share)}%`);
export const cut = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`);
export const still = matchMedia("(prefers-reduced-motion: reduce)");
