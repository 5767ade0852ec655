"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Dark or light, until the page is closed.
  const theme = document.getElementById("theme");
  const dark = () =>
    document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
  const tell = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    tell();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  tell();

  // Sorting: numbers by their order, texts by their letters; what has no number comes last.
  const text = (cell) => (cell.querySelector(".cell") || cell).textContent.trim();
  const number = (cell) => ("order" in cell.dataset ? Number(cell.dataset.order) : NaN);
  const letters = new Intl.Collator("en", { numeric: true });
  function sort(head) {
    const table = head.closest("table");
    const column = head.cellIndex;
    const numeric = head.classList.contains("number");
    const before = head.getAttribute("aria-sort");
    const key = numeric ? number : text;
    const first = numeric && !("falling" in head.dataset) ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = before === first ? other : first;
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
    rows.sort(([x], [y]) => {
      if (!numeric) return sign * letters.compare(x, y);
      return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
    for (const one of all("th[aria-sort]", table)) one.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    say(table, `sorted by ${text(head)}, ${direction}`);
  }
  const say = (table, words) => {
    document.getElementById(`${table.id}-s`).textContent = words;
  };
  for (const button of all(".sort")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }

  // Filtering: rows that hold every word.
  for (const input of all("input[data-filters]")) {
    const table = document.getElementById(input.dataset.filters);
    const rows = [...table.tBodies[0].rows].map((row) => [
      row,
      [...row.cells].map(text).join(" ").toLowerCase(),
    ]);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, content] of rows) {
        row.hidden = !words.every((word) => content.includes(word));
        shown += !row.hidden;
      }
      hide();
      enter(table);
      say(table, words.length ? `${shown} of ${rows.length} rows` : "");
    });
  }

  // Details of a value: on pointing, on focus and on tapping.
  let open = null;
  let pinned = false;
  function show(button) {
    if (open === button) return;
    hide();
    const tip = button.nextElementSibling;
    tip.classList.add("shown");
    button.setAttribute("aria-expanded", "true");
    open = button;
    place();
  }
  // Beside its value, and unseen while that is scrolled away.
  function place() {
    const tip = open.nextElementSibling;
    const [at, box, size] = [open, open.closest(".scroll"), tip].map((one) => one.getBoundingClientRect());
    const gone = at.bottom < Math.max(0, box.top) || at.top > Math.min(innerHeight, box.bottom);
    tip.style.visibility = gone || at.right < box.left || at.left > box.right ? "hidden" : "";
    const below = at.bottom + size.height <= innerHeight || at.top < size.height;
    tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
    tip.style.top = `${Math.max(0, below ? Math.min(at.bottom, innerHeight - size.height) : at.top - size.height)}px`;
  }
  function hide() {
    if (!open) return;
    open.nextElementSibling.classList.remove("shown");
    open.setAttribute("aria-expanded", "false");
    open = null;
    pinned = false;
  }
  // One listener for all values: a page may hold many thousands.
  const buttonAt = (node) => node.closest?.("td")?.querySelector(".cell");
  addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse" || pinned) return;
    const button = buttonAt(event.target);
    if (button) show(button);
    else if (document.activeElement !== open) hide();
  });
  addEventListener("focusin", (event) => {
    if (event.target.matches(".cell")) show(event.target);
  });
  addEventListener("focusout", (event) => {
    if (open === event.target) hide();
  });
  addEventListener("click", (event) => {
    const button = event.target.closest(".cell");
    if (!button) return;
    const close = open === button && pinned;
    hide();
    if (close) return;
    show(button);
    pinned = true;
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("pointerdown", (event) => {
    if (open && !open.parentElement.contains(event.target)) hide();
  });
  for (const kind of ["scroll", "resize"]) {
    addEventListener(kind, () => open && place(), true);
  }

  // One stop of the Tab key in each table; arrow keys go from value to value.
  function enter(table) {
    const cells = all(".cell", table);
    for (const cell of cells) cell.tabIndex = -1;
    const first = cells.find((cell) => !cell.closest("tr").hidden);
    if (first) first.tabIndex = 0;
  }
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  for (const table of all("table")) {
    enter(table);
    table.addEventListener("keydown", (event) => {
      const from = event.target.closest(".cell");
      if (!from || !(event.key in moves)) return;
      event.preventDefault();
      const [down, right] = moves[event.key];
      const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
      const row = rows[rows.indexOf(from.closest("tr")) + down];
      const cell = row && row.cells[from.parentElement.cellIndex + right];
      const to = cell && cell.querySelector(".cell");
      if (!to) return;
      for (const one of all(".cell", table)) one.tabIndex = -1;
      to.tabIndex = 0;
      to.focus({ preventScroll: true });
      to.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
      requestAnimationFrame(() => show(to));
    });
  }

  // The methods, ready to paste.
  const copy = document.getElementById("copy");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const prose = document.getElementById("prose");
    const words = all("p", prose).map((p) => p.textContent).join("\n\n");
    try {
      await navigator.clipboard.writeText(words);
      document.getElementById("copied").textContent = "copied";
    } catch {
      getSelection().selectAllChildren(prose);
      document.getElementById("copied").textContent = "selected: copy it with your keyboard";
    }
  });

  // Paper has no clicks: everything is unfolded for it.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });
})();
