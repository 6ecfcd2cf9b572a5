"use strict";
// Searching, sorting and zooming only: without this the page shows all the same. No less-than sign and no ampersand, so that
// the page is well-formed XML too.
const tools = document.querySelector(".tools");
if (tools) {
  const groups = Array.from(document.querySelectorAll(".group"));
  const search = tools.querySelector("input");
  const counter = tools.querySelector("output");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase();
    const more = document.querySelector("#list > .more");
    if (more) more.open = true;
    groups.forEach((group) => { group.hidden = !group.textContent.toLowerCase().includes(words); });
    counter.textContent = groups.filter((group) => !group.hidden).length + " of " + groups.length;
  });
  tools.hidden = false;
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
    // A wheel counts lines or pixels, and a trackpad many small steps.
    const pixels = event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY;
    zoom(svg, 1.002 ** Math.min(Math.max(pixels, -120), 120), event.clientX, event.clientY);
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
document.querySelectorAll(".keys").forEach((keys) => { keys.hidden = false; });
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
  for (let around = target; around; around = around.parentElement) {
    if (around instanceof HTMLDetailsElement) around.open = true;
    around.hidden = false;
  }
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();
