"use strict";
// Sorting and filtering only: without this the page shows all the same. No less-than sign and no ampersand, so that
// the page is well-formed XML too.
const list = document.querySelector("#list");
const tools = document.querySelector(".tools");
if (tools) {
  const cards = Array.from(list.querySelectorAll(".finding"));
  const search = tools.querySelector("input[type=search]");
  const grades = Array.from(tools.querySelectorAll("input[type=checkbox]"));
  const order = tools.querySelector("select");
  const counter = tools.querySelector("output");
  const show = () => {
    const words = search.value.toLowerCase();
    const wanted = new Set(grades.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const card of cards) {
      const fits = wanted.has(card.dataset.grade) ? card.textContent.toLowerCase().includes(words) : false;
      card.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    counter.textContent = shown + " of " + cards.length;
  };
  const sort = () => {
    const by = order.value;
    const value = (card) => by === "relation" ? card.dataset.relation : -Number(card.dataset[by]);
    const compare = (a, b) => value(a) > value(b) ? 1 : value(b) > value(a) ? -1 : a.dataset.index - b.dataset.index;
    cards.sort(compare);
    list.append(...cards);
  };
  search.addEventListener("input", show);
  grades.forEach((box) => box.addEventListener("change", show));
  order.addEventListener("change", sort);
  tools.hidden = false;
  show();
}
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
      };
      const body = table.tBodies[0];
      const rows = Array.from(body.rows);
      rows.sort((a, b) => (key(a) > key(b) ? 1 : key(b) > key(a) ? -1 : 0) * (down ? -1 : 1));
      body.append(...rows);
    });
  });
}
// A link into the page opens what it leads to.
const reveal = () => {
  const target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", reveal);
reveal();
