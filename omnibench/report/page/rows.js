// Which rows of a table are shown, and in which order.
const all = (selector, parent = document) => [...parent.querySelectorAll(selector)];
const textOf = (cell) => cell.textContent.trim();
const statusOf = (table) => document.getElementById(`${table.id}-s`);
const filterOf = (table) => document.getElementById(`${table.id}-f`);
const contents = new WeakMap(); // row -> its text, for filtering

function contentOf(row) {
  if (!contents.has(row)) {
    contents.set(row, [...row.cells].map(textOf).join(" ").toLowerCase());
  }
  return contents.get(row);
}

// Show the rows that hold every word and are selected: the first of a long table, until all are
// asked for. Return how many are selected.
function showRows(table) {
  const words = (filterOf(table)?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const most = "most" in table.dataset ? Number(table.dataset.most) : Infinity;
  const selects = selectedRows(table);
  table.classList.remove("cut");
  let [selected, matching] = [0, 0];
  for (const row of table.tBodies[0].rows) {
    const isSelected = selects(row);
    const matches = isSelected && words.every((word) => contentOf(row).includes(word));
    selected += isSelected;
    matching += matches;
    row.hidden = !matches || matching > most;
  }
  const more = document.getElementById(`${table.id}-m`);
  if (more) {
    more.hidden = matching <= most;
    more.textContent = `Show all ${matching.toLocaleString("en")} rows`;
  }
  const total = table.tBodies[0].rows.length;
  statusOf(table).textContent =
    matching < total ? `${matching.toLocaleString("en")} of ${total.toLocaleString("en")} rows` : "";
  hideTip();
  makeStop(table);
  return selected;
}

// Numbers are sorted by their order, texts by their letters; what has no number comes last.
const letters = new Intl.Collator("en", { numeric: true });
function sort(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const isNumeric = head.classList.contains("number");
  const before = head.getAttribute("aria-sort");
  const numberOf = (cell) => ("order" in cell.dataset ? Number(cell.dataset.order) : NaN);
  const key = isNumeric ? numberOf : textOf;
  const first = isNumeric && !("falling" in head.dataset) ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const direction = before === first ? other : first;
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
  rows.sort(([x], [y]) => {
    if (!isNumeric) return sign * letters.compare(x, y);
    return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const sorted of all("th[aria-sort]", table)) sorted.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", direction);
  table.classList.add("sorted");
  showRows(table);
  statusOf(table).textContent = `sorted by ${textOf(head)}, ${direction}`;
}

addEventListener("click", ({ target }) => {
  const button = target.closest(".sort, .more");
  if (!button) return;
  if (button.matches(".sort")) {
    sort(button.parentElement);
    return;
  }
  const table = document.getElementById(button.dataset.table);
  delete table.dataset.most;
  showRows(table);
  stopOf(table)?.focus();
});
addEventListener("input", ({ target }) => {
  if (target.dataset.filters) showRows(document.getElementById(target.dataset.filters));
});
