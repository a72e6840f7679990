// The keyboard on every page: "/" goes to the search field; arrows, j and k move in the list of runs.

const list = document.getElementById("runs");
const words = document.getElementById("words");
const typing = (target) => target instanceof HTMLElement && target.matches("input, select, textarea, [contenteditable]");

function move(by) {
  const links = [...list.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by));
  links[next].focus();
  links[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && words && !typing(event.target)) {
    event.preventDefault();
    words.focus();
    words.select();
    return;
  }
  if (!list || (typing(event.target) && event.target !== words)) return;
  const inField = event.target === words;
  const by = { ArrowDown: 1, ArrowUp: -1, ...(inField ? {} : { j: 1, k: -1 }) }[event.key];
  const inList = list.contains(document.activeElement);
  if (by && (inList || inField || document.activeElement === document.body || document.activeElement.id === "main")) {
    event.preventDefault();
    move(by);
  } else if (inList && (event.key === "Home" || event.key === "End")) {
    event.preventDefault();
    move(event.key === "Home" ? -1e9 : 1e9);
  }
});

const filters = document.getElementById("filters");
if (filters) {
  for (const select of filters.querySelectorAll("select")) select.addEventListener("change", () => filters.requestSubmit());
  // Fields that say nothing stay out of the address.
  filters.addEventListener("submit", () => {
    for (const field of filters.elements) if (field.name && !field.value) field.disabled = true;
  });
}
