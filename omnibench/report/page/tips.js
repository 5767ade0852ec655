// Details of a value: on pointing, on focus and on tapping. Listeners are the page's and not each
// value's, and the sentences are read when the first is asked for: there may be many thousands.
const tip = document.getElementById("tip");
let sentences = null;
let open = null;
let isPinned = false;

function lineOf(index) {
  sentences ??= JSON.parse(document.getElementById("sentences").textContent);
  const line = document.createElement("span");
  line.textContent = sentences[index];
  return line;
}

function showTip(cell) {
  if (open === cell) return;
  hideTip();
  tip.replaceChildren(...cell.dataset.details.split(" ").map(lineOf));
  tip.hidden = false;
  cell.setAttribute("aria-describedby", "tip");
  open = cell;
  place();
}

function hideTip() {
  if (!open) return;
  open.removeAttribute("aria-describedby");
  tip.hidden = true;
  open = null;
  isPinned = false;
}

// Beside its value, and unseen while that is scrolled away.
function place() {
  const [at, box, size] = [open, open.closest(".scroll"), tip].map((element) =>
    element.getBoundingClientRect(),
  );
  const isAway = at.bottom < Math.max(0, box.top) || at.top > Math.min(innerHeight, box.bottom);
  tip.style.visibility = isAway || at.right < box.left || at.left > box.right ? "hidden" : "";
  const isBelow = at.bottom + size.height <= innerHeight || at.top < size.height;
  const top = isBelow ? Math.min(at.bottom, innerHeight - size.height) : at.top - size.height;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  tip.style.top = `${Math.max(0, top)}px`;
}

const valueAt = (node) => node.closest?.("td[data-details]");
addEventListener("pointerover", ({ target, pointerType }) => {
  if (pointerType !== "mouse" || isPinned || tip.contains(target)) return;
  const cell = valueAt(target);
  if (cell) showTip(cell);
  else if (document.activeElement !== open) hideTip();
});
addEventListener("focusin", ({ target }) => {
  if (target.matches("td[data-details]")) showTip(target);
});
addEventListener("focusout", ({ target }) => {
  if (open === target) hideTip();
});
addEventListener("click", ({ target }) => {
  const cell = valueAt(target);
  if (!cell) return;
  const closes = open === cell && isPinned;
  hideTip();
  if (closes) return;
  moveStop(cell);
  showTip(cell);
  isPinned = true;
});
addEventListener("keydown", ({ key }) => {
  if (key === "Escape") hideTip();
});
addEventListener("pointerdown", ({ target }) => {
  if (open && !open.contains(target) && !tip.contains(target)) hideTip();
});
for (const kind of ["scroll", "resize"]) {
  addEventListener(kind, () => open && place(), true);
}

// One stop of the Tab key in each table; arrow keys go from value to value.
const stopOf = (table) => table.querySelector("td[tabindex]");
function makeStop(table) {
  const stop = stopOf(table);
  if (stop && !stop.hidden && !stop.parentElement.hidden) return;
  stop?.removeAttribute("tabindex");
  const first = table.querySelector("tr:not([hidden]) > td[data-details]:not([hidden])");
  if (first) first.tabIndex = 0;
}
function moveStop(cell) {
  stopOf(cell.closest("table"))?.removeAttribute("tabindex");
  cell.tabIndex = 0;
  cell.focus({ preventScroll: true });
}
for (const table of all("table")) {
  if (!table.querySelector("[data-details]")) continue;
  table.setAttribute("role", "grid");
  makeStop(table);
}

const NEXT = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};
// Return the nearest shown value in a direction.
function neighbour(cell, [down, right]) {
  let [row, column] = [cell.parentElement, cell.cellIndex];
  for (;;) {
    if (down) row = down > 0 ? row.nextElementSibling : row.previousElementSibling;
    column += right;
    const next = row?.cells[column];
    if (!next) return null;
    if (!row.hidden && !next.hidden && "details" in next.dataset) return next;
  }
}
addEventListener("keydown", (event) => {
  const cell = event.target.closest?.("td[data-details]");
  if (!cell || !(event.key in NEXT)) return;
  event.preventDefault();
  const next = neighbour(cell, NEXT[event.key]);
  if (!next) return;
  moveStop(next);
  next.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  requestAnimationFrame(() => showTip(next));
});
