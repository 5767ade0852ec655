// What is selected for the whole page. It stands in the address, so that the back button and a
// copied link work: "#task=x&dataset=y", with a section before it in "#figures&task=x".
const selectors = all("#selectors select");
const links = all('a[href^="#"]').map((link) => [link, link.hash.slice(1)]);
let selection = new Map();

function readAddress() {
  const parts = location.hash.slice(1).split("&").filter(Boolean);
  const pairs = parts.filter((part) => part.includes("="));
  const named = new URLSearchParams(pairs.join("&"));
  const chosen = new Map();
  for (const { name, options } of selectors) {
    const value = named.get(name);
    // A link from an earlier report may name what is no longer there.
    if (value && [...options].some((option) => option.value === value)) chosen.set(name, value);
  }
  return [parts.find((part) => !part.includes("=")) ?? "", chosen];
}

function addressOf(section, chosen = selection) {
  const pairs = [...chosen].map((pair) => pair.map(encodeURIComponent).join("="));
  return `#${[section, ...pairs].filter(Boolean).join("&")}`;
}

// A table, a figure or a column is out where it is of something else than what is selected.
const isOut = (element) =>
  [...selection].some(([facet, value]) => {
    const values = element.dataset[facet];
    return values !== undefined && !values.split("\n").includes(value);
  });

// Return what is selected, as it stands in addresses and as people read it.
function namesOf(facet) {
  const selector = selectors.find(({ name }) => name === facet);
  return [selection.get(facet), textOf(selector.selectedOptions[0])];
}

// Return a function that tells whether a row is of what is selected.
function selectedRows(table) {
  const conditions = all("th[data-facet]", table)
    .filter((head) => selection.has(head.dataset.facet))
    .map((head) => [head.cellIndex, namesOf(head.dataset.facet)]);
  return (row) =>
    conditions.every(([column, names]) => {
      const text = textOf(row.cells[column]);
      // A row of none, as of chance, is of all; a metric may stand behind its definition.
      return !text || names.some((name) => text === name || text.endsWith(`/${name}`));
    });
}

// Hide columns of what is not selected; return whether any is left of those that are of something.
function showColumns(table) {
  const heads = [...table.tHead.rows[0].cells];
  const hidden = heads.map(isOut);
  heads.forEach((head, column) => {
    if (head.hidden === hidden[column]) return;
    for (const row of table.rows) row.cells[column].hidden = hidden[column];
  });
  const concerned = heads.filter((head) => [...selection.keys()].some((f) => f in head.dataset));
  return concerned.length === 0 || concerned.some((head) => !head.hidden);
}

// Return whether anything is left of a part: rows of a table, lines of an answer.
function showInside(part) {
  const lines = all(".line", part);
  for (const line of lines) line.hidden = isOut(line);
  if (lines.length) return lines.some((line) => !line.hidden);
  const table = part.querySelector("table");
  if (!table) return true;
  const hasColumns = showColumns(table);
  return showRows(table) > 0 && hasColumns;
}

function showSelection() {
  for (const selector of selectors) selector.value = selection.get(selector.name) ?? "";
  document.getElementById("unselect").hidden = !selection.size;
  for (const [link, section] of links) link.setAttribute("href", addressOf(section));
  let [shown, total] = [0, 0];
  for (const section of all("main > section")) {
    const parts = all(".part", section);
    for (const part of parts) part.hidden = isOut(part) || !showInside(part);
    const left = parts.filter((part) => !part.hidden).length;
    section.hidden = parts.length > 0 && left === 0;
    if (section.id !== "answers") [shown, total] = [shown + left, total + parts.length];
    const link = links.find(([, id]) => id === section.id);
    if (link) link[0].parentElement.hidden = section.hidden;
  }
  document.getElementById("selected").textContent = selection.size
    ? `${shown} of ${total} tables and figures`
    : "";
}

function select(chosen) {
  if (addressOf("", chosen) === addressOf("")) return;
  selection = chosen;
  showSelection();
}

// Without a selection the browser itself goes to a section.
function followAddress() {
  const [section, chosen] = readAddress();
  select(chosen);
  const target = section && selection.size ? document.getElementById(section) : null;
  if (!target) return;
  target.scrollIntoView();
  target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

function choose(chosen) {
  select(chosen);
  history.pushState(null, "", addressOf(""));
}

if (selectors.length) {
  document.getElementById("selectors").hidden = false;
  document.getElementById("selectors").addEventListener("change", () => {
    const pairs = selectors.map(({ name, value }) => [name, value]);
    choose(new Map(pairs.filter(([, value]) => value)));
  });
  document.getElementById("unselect").addEventListener("click", () => {
    choose(new Map());
    selectors[0].focus();
  });
  addEventListener("hashchange", followAddress);
  followAddress();
}
