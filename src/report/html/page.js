"use strict";
// Sorting, filtering and zooming only: without this the page shows all the same. No less-than sign and no ampersand, so that
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
// The pictures: the wheel and the buttons zoom, dragging moves, and 0 fits the whole picture again.
const whole = (svg) => (svg.dataset.whole ||= svg.getAttribute("viewBox")).split(" ").map(Number);
const view = (svg) => svg.getAttribute("viewBox").split(" ").map(Number);
const show = (svg, box) => {
  const zoomed = whole(svg)[2] > box[2];
  svg.parentElement.classList.toggle("zoomed", zoomed);
  svg.setAttribute("viewBox", (zoomed ? box : whole(svg)).join(" "));
};
const fit = (svg) => show(svg, whole(svg));
// Zooms by a factor, around a point of the screen.
const zoom = (svg, factor, x, y) => {
  const [left, top, width, height] = view(svg);
  const point = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM().inverse());
  const least = whole(svg)[2] / 60;
  const by = Math.max(factor, least / width);
  show(svg, [point.x - (point.x - left) * by, point.y - (point.y - top) * by, width * by, height * by]);
};
const middle = (svg) => {
  const box = svg.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
};
const act = (svg, what) => {
  if (what === "fit") fit(svg);
  if (what === "in") zoom(svg, 1 / 1.4, ...middle(svg));
  if (what === "out") zoom(svg, 1.4, ...middle(svg));
};
let scrolled = -Infinity;
addEventListener("scroll", (event) => { scrolled = event.timeStamp; }, { passive: true });
for (const frame of document.querySelectorAll(".frame")) {
  const svg = frame.querySelector("svg");
  frame.addEventListener("wheel", (event) => {
    // A wheel that scrolls the page goes on to do so, and so does a wheel that would make the whole picture smaller.
    const scrolls = 300 > event.timeStamp - scrolled;
    const isWhole = event.deltaY > 0 ? !frame.classList.contains("zoomed") : false;
    if (scrolls || isWhole) return;
    event.preventDefault();
    zoom(svg, event.deltaY > 0 ? 1.15 : 1 / 1.15, event.clientX, event.clientY);
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    const what = { "0": "fit", "+": "in", "=": "in", "-": "out" }[event.key];
    if (what) act(svg, what);
  });
  let start = null;
  let moved = false;
  frame.addEventListener("pointerdown", (event) => {
    start = event.button === 0 ? { x: event.clientX, y: event.clientY, box: view(svg) } : null;
    moved = false;
  });
  frame.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x, y] = [event.clientX - start.x, event.clientY - start.y];
    if (!moved) {
      if (Math.hypot(x, y) > 4) frame.setPointerCapture(event.pointerId);
      else return;
    }
    moved = true;
    frame.classList.add("dragged");
    const scale = svg.getScreenCTM().a;
    const [left, top, width, height] = start.box;
    svg.setAttribute("viewBox", [left - x / scale, top - y / scale, width, height].join(" "));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    frame.addEventListener(end, () => { start = null; frame.classList.remove("dragged"); });
  }
  // A drag that ends on an arrow does not follow its link.
  frame.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, { capture: true });
  frame.addEventListener("dragstart", (event) => event.preventDefault());
}
for (const tools of document.querySelectorAll(".zoom")) {
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    for (const svg of tools.closest(".part").querySelectorAll(".frame svg")) {
      if (svg.getClientRects().length) act(svg, event.target.value);
    }
  });
}
// Paper shows everything: whole pictures, and what is closed on the screen.
let opened = [];
addEventListener("beforeprint", () => {
  document.querySelectorAll(".frame svg").forEach(fit);
  opened = Array.from(document.querySelectorAll("details:not([open])"));
  opened.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
// A link into the page opens what it leads to, and everything around that.
const reveal = () => {
  const target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  for (let closed = target; closed; closed = closed.parentElement) {
    if (closed instanceof HTMLDetailsElement) closed.open = true;
  }
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();
