// Runs the script of a page, and zooms, drags and fits its picture. The argument is the page.
"use strict";
const assert = require("node:assert/strict");
const page = require("node:fs").readFileSync(process.argv[2], "utf8");
const script = page.match(/<script>([\s\S]*)<\/script>/)[1];
const whole = page.match(/<svg[^>]* viewBox="([^"]*)"/)[1];

const SCREEN = 800;
const listening = () => {
  const listeners = {};
  return {
    addEventListener: (name, listener) => { (listeners[name] ||= []).push(listener); },
    send: (name, event = {}) => {
      const sent = { timeStamp: 1e6, prevented: false, preventDefault() { this.prevented = true; }, ...event };
      (listeners[name] || []).forEach((listener) => listener(sent));
      return sent;
    },
  };
};
const classes = new Set();
const classList = {
  add: (name) => classes.add(name),
  remove: (name) => classes.delete(name),
  contains: (name) => classes.has(name),
  toggle: (name, isOn) => (isOn ? classes.add(name) : classes.delete(name)),
};
const attributes = { viewBox: whole };
const box = () => attributes.viewBox.split(" ").map(Number);
const scale = () => SCREEN / box()[2];
const svg = {
  dataset: {},
  getAttribute: (name) => attributes[name],
  setAttribute: (name, value) => { attributes[name] = value; },
  getBoundingClientRect: () => ({ x: 0, y: 0, width: SCREEN, height: box()[3] * scale() }),
  getClientRects: () => [0],
  getScreenCTM: () => ({ a: scale(), inverse: () => (x, y) => ({ x: box()[0] + x / scale(), y: box()[1] + y / scale() }) }),
};
const frame = { ...listening(), classList, querySelector: () => svg, setPointerCapture: () => {} };
svg.parentElement = frame;
const part = { querySelectorAll: () => [svg] };
const tools = { ...listening(), hidden: true, closest: () => part };
const keys = { hidden: true };
const details = { open: false };
const found = {
  ".frame": [frame], ".frame svg": [svg], ".zoom": [tools], ".keys": [keys], "details:not([open])": [details],
};
const document = { querySelector: () => null, querySelectorAll: (selector) => found[selector] || [] };
class DOMPoint {
  constructor(x, y) { this.x = x; this.y = y; }
  matrixTransform(matrix) { return matrix(this.x, this.y); }
}
const page_events = listening();
new Function("document", "addEventListener", "DOMPoint", "location", "HTMLDetailsElement", script)(
  document, page_events.addEventListener, DOMPoint, { hash: "" }, class {},
);

const near = (left, right) => assert.ok(Math.abs(left - right) < 1e-6, `${left} is not ${right}`);
const press = (value) => tools.send("click", { target: { value } });
const [left, top, width, height] = box();
assert.ok(!tools.hidden && !keys.hidden, "the buttons are shown");

press("in");
near(box()[2], width / 1.4);
near(box()[0] + box()[2] / 2, left + width / 2);
assert.ok(classes.has("zoomed"));
press("out");
assert.equal(attributes.viewBox, whole);
assert.ok(!classes.has("zoomed"), "the whole picture is not zoomed");
press("out");
assert.equal(attributes.viewBox, whole, "the picture gets no smaller than the frame");

// The point under the wheel stays where it is.
const wheel = frame.send("wheel", { deltaY: -100, deltaMode: 0, clientX: 200, clientY: 0 });
assert.ok(wheel.prevented);
near(box()[0] + 200 / scale(), left + width / 4);
assert.ok(box()[2] < width);
for (let turns = 0; turns < 200; turns += 1) frame.send("wheel", { deltaY: -100, deltaMode: 0, clientX: 0, clientY: 0 });
near(box()[2], width / 60);
frame.send("keydown", { key: "0" });
assert.equal(attributes.viewBox, whole);
assert.ok(!frame.send("wheel", { deltaY: 100, deltaMode: 0, clientX: 0, clientY: 0 }).prevented, "the page scrolls");
page_events.send("scroll", { timeStamp: 1e6 });
assert.ok(!frame.send("wheel", { deltaY: -100, deltaMode: 0, timeStamp: 1e6 + 100 }).prevented, "a scrolling wheel scrolls on");

frame.send("keydown", { key: "+" });
const before = box();
frame.send("pointerdown", { button: 0, clientX: 10, clientY: 10 });
frame.send("pointermove", { clientX: 90, clientY: 10, pointerId: 1 });
near(box()[0], before[0] - 80 / scale());
assert.ok(classes.has("dragged"));
frame.send("pointerup");
assert.ok(!classes.has("dragged"));
assert.ok(frame.send("click").prevented, "a drag follows no link");

page_events.send("beforeprint");
assert.equal(attributes.viewBox, whole, "paper shows the whole picture");
assert.ok(details.open);
page_events.send("afterprint");
assert.ok(!details.open);
near(box()[1], top);
near(box()[3], height);
