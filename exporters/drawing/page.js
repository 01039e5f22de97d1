"use strict";
// Lays out what is open (as layout.py does), draws it (as svg.py does), and answers clicks and keys. The data is made by page.py.
const { items, wires, sizes: S } = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const canvas = document.getElementById("canvas");
const view = document.getElementById("view");
const details = document.getElementById("details");
const open = new Set(items.flatMap((item, i) => (item.open ? [i] : [])));
const parent = items.map(() => null);
items.forEach((item, i) => item.rows?.cells.forEach(([, part]) => { if (part !== null) parent[part] = i; }));
let inside = new Map(); // open box -> where everything in it is
let selected = null;
let pan = { x: 0, y: 0, zoom: 1 };

// --- layout ---------------------------------------------------------------------------------------------------------------------

function measure(id) {
  const item = items[id];
  if (!open.has(id)) return { width: item.width, height: item.height };
  const { cells, links, rows } = item.rows;
  const sizes = cells.map(([, part]) => (part === null ? { width: 0, height: 0 } : measure(part)));
  const halves = sizes.map((size, i) => size.width / 2 + (cells[i][1] === null ? S.wireGap : S.cardGap));
  const x = columns(cells, links, rows, halves);
  const left = x.reduce((least, at, i) => Math.min(least, at - sizes[i].width / 2), Infinity);
  const right = x.reduce((most, at, i) => Math.max(most, at + sizes[i].width / 2), -Infinity);
  const width = Math.max(right - left + 2 * S.padding, item.width);
  const shift = (width - (right - left)) / 2 - left;
  const top = [], bottom = [], row = [];
  let y = S.header;
  rows.forEach((line, number) => {
    const height = Math.max(...line.map((cell) => sizes[cell].height));
    if (!height) y -= S.padding;
    top.push(y);
    bottom.push(y + height);
    y += height + S.rowGap;
    for (const cell of line) row[cell] = number;
  });
  const found = { width, height: bottom.at(-1) + S.padding, x: x.map((at) => at + shift), row, top, bottom, in: new Map(), out: new Map() };
  cells.forEach(([kind, , wire], i) => { if (kind === "in" || kind === "out") found[kind].set(wire, found.x[i] - width / 2); });
  inside.set(id, found);
  return found;
}

function columns(cells, links, rows, halves) {
  const above = cells.map(() => []), below = cells.map(() => []);
  const offset = (cell, side, wire) => inside.get(cells[cell][1])?.[side].get(wire) ?? 0;
  for (const [start, end, wire] of links) {
    const shift = offset(start, "out", wire) - offset(end, "in", wire);
    const weight = S.pull[(cells[start][0] === "pass") + (cells[end][0] === "pass")];
    below[start].push([end, -shift, weight]);
    above[end].push([start, shift, weight]);
  }
  const x = [];
  const put = (line, wanted, weights) =>
    placed(wanted, weights, line.map((cell) => halves[cell])).forEach((at, k) => { x[line[k]] = at; });
  for (const line of rows) put(line, line.map(() => 0), line.map(() => 1));
  for (let round = 0; round < S.rounds; round++) {
    const both = round >= 4, down = round % 2 === 0;
    for (const line of down ? rows : rows.toReversed()) {
      const wanted = [], weights = [];
      for (const cell of line) {
        let pulls = both ? [...above[cell], ...below[cell]] : (down ? above : below)[cell];
        if (cells[cell][0] === "item") pulls = [...pulls, [-1, 0, S.centre]];
        const weight = pulls.reduce((sum, pull) => sum + pull[2], 0);
        wanted.push(pulls.length ? pulls.reduce((sum, [other, by, w]) => sum + ((x[other] ?? 0) + by) * w, 0) / weight : x[cell]);
        weights.push(weight && cells[cell][0] !== "pass" ? weight : S.light);
      }
      put(line, wanted, weights);
    }
  }
  straighten(cells, rows, halves, x, above, below);
  return x;
}

function placed(wanted, weights, halves) {
  const offsets = [0];
  for (let k = 1; k < halves.length; k++) offsets.push(offsets[k - 1] + halves[k - 1] + halves[k]);
  const pools = [];
  wanted.forEach((want, k) => {
    let pool = [(want - offsets[k]) * weights[k], weights[k], 1];
    while (pools.length && pools.at(-1)[0] / pools.at(-1)[1] > pool[0] / pool[1]) {
      const before = pools.pop();
      pool = pool.map((part, j) => before[j] + part);
    }
    pools.push(pool);
  });
  return pools.flatMap(([total, weight, count]) => Array(count).fill(total / weight)).map((base, k) => base + offsets[k]);
}

function straighten(cells, rows, halves, x, above, below) {
  const before = new Map(), after = new Map();
  for (const line of rows) line.forEach((cell, k) => { if (k) { before.set(cell, line[k - 1]); after.set(line[k - 1], cell); } });
  const settle = (piece, low, high) => {
    let total = 0, weight = 0;
    for (const [cell, offset] of piece) {
      for (const [other, by, pull] of [...above[cell], ...below[cell]]) {
        if (piece.has(other)) continue;
        total += (x[other] + by - offset) * pull;
        weight += pull;
      }
      const card = cells[cell][0] === "item", middle = card ? S.centre : S.light;
      total += ((card ? 0 : x[cell]) - offset) * middle;
      weight += middle;
    }
    const place = Math.min(Math.max(total / weight, low), high);
    for (const [cell, offset] of piece) x[cell] = place + offset;
  };
  const paths = pathsOf(cells, rows, x, below);
  for (const path of [...paths, ...paths.toReversed(), ...paths]) {
    let piece = new Map(), low = -Infinity, high = Infinity;
    for (const [cell, offset] of path) {
      const left = before.get(cell), right = after.get(cell);
      const least = left === undefined ? -Infinity : x[left] + halves[left] + halves[cell] - offset;
      const most = right === undefined ? Infinity : x[right] - halves[right] - halves[cell] - offset;
      if (piece.size && Math.max(low, least) > Math.min(high, most)) {
        settle(piece, low, high);
        [piece, low, high] = [new Map(), -Infinity, Infinity];
      }
      piece.set(cell, offset);
      [low, high] = [Math.max(low, least), Math.min(high, most)];
    }
    settle(piece, low, high);
  }
}

function pathsOf(cells, rows, x, below) {
  const paths = [], pathOf = new Map();
  for (const cell of rows.flat()) {
    if (!pathOf.has(cell)) {
      pathOf.set(cell, [[cell, 0]]);
      paths.push(pathOf.get(cell));
    }
    const path = pathOf.get(cell), kind = cells[cell][0];
    let nearest = null;
    for (const [end, by] of below[cell]) {
      const other = cells[end][0], distance = Math.abs(x[end] + by - x[cell]);
      if (pathOf.has(end) || (kind !== other && [kind, other].every((k) => k === "item" || k === "pass"))) continue;
      if (!nearest || distance < nearest[0] || (distance === nearest[0] && end < nearest[1])) nearest = [distance, end, by, other];
    }
    if (nearest && ((kind === "pass" && nearest[3] === "pass") || nearest[0] < S.snap)) {
      path.push([nearest[1], path.at(-1)[1] - nearest[2]]);
      pathOf.set(nearest[1], path);
    }
  }
  return paths;
}

// --- drawing --------------------------------------------------------------------------------------------------------------------

function element(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function draw() {
  inside = new Map();
  measure(0);
  view.replaceChildren();
  fill(view, 0, 0);
  mark();
}

function fill(group, id, depth) {
  const { width, height, x, row, top } = inside.get(id);
  if (depth) group.append(element("rect", { class: "frame", width, height, rx: 9 }));
  drawWires(group, id);
  if (depth) {
    const header = element("g", { class: "header" });
    header.innerHTML = `<rect class="grip" width="${width}" height="${S.header}" rx="9"/>` + items[id].header;
    group.append(...header.childNodes);
  }
  items[id].rows.cells.forEach(([, part], i) => {
    if (part === null) return;
    const item = items[part], opened = open.has(part);
    const size = opened ? inside.get(part) : item;
    const state = item.rows ? (opened ? ` open ${depth % 2 ? "even" : "odd"}` : " closed") : "";
    const child = element("g", {
      class: item.classes + state,
      transform: `translate(${(x[i] - size.width / 2).toFixed(1)} ${top[row[i]].toFixed(1)})`,
      "data-id": part, tabindex: 0, role: "button", "aria-label": item.label,
    });
    if (item.rows) child.setAttribute("aria-expanded", opened);
    if (opened) fill(child, part, depth + 1);
    else child.innerHTML = item.card;
    group.append(child);
  });
}

function drawWires(group, id) {
  const { x, row, top, bottom, height } = inside.get(id);
  const { cells, links } = items[id].rows;
  const starts = anchors(id, 0), ends = anchors(id, 1);
  for (const [start, end, wire] of links) {
    const [kind, upper] = cells[start], [endKind, lower] = cells[end];
    const fromX = starts.get(`${start} ${wire}`).toFixed(1), toX = ends.get(`${end} ${wire}`).toFixed(1);
    let y = top[row[start]];
    if (upper !== null) y += (inside.get(upper) ?? items[upper]).height;
    else if (kind === "in") y = 0;
    const turn = bottom[row[start]], toY = top[row[end]];
    const tip = lower !== null && !inside.get(lower)?.in.has(wire);
    const stop = toY - (tip ? S.tip : 0), middle = (turn + stop) / 2;
    let d = `M${fromX} ${y}V${turn}C${fromX} ${middle} ${toX} ${middle} ${toX} ${stop}`;
    if (endKind === "out") d += `V${height}`;
    group.append(element("path", { class: "wire", d, "data-wire": wire }));
    if (tip) group.append(element("path", { class: "tip", d: `M${toX} ${toY}l-3.5 ${-S.tip - 1}h7z`, "data-wire": wire }));
  }
}

function anchors(id, side) {
  const { x } = inside.get(id), { cells, links } = items[id].rows;
  const meeting = new Map(), found = new Map();
  for (const link of links) {
    const here = link[side], there = link[1 - side];
    if (!meeting.has(here)) meeting.set(here, new Map());
    const at = meeting.get(here);
    if (!at.has(link[2])) at.set(link[2], []);
    at.get(link[2]).push(x[there]);
  }
  for (const [cell, meets] of meeting) {
    const part = cells[cell][1], opened = part === null ? undefined : inside.get(part);
    const width = part === null ? 0 : (opened ?? items[part]).width;
    const ports = opened?.[side ? "in" : "out"] ?? new Map();
    const taken = [...meets.keys()].filter((wire) => ports.has(wire)).map((wire) => ports.get(wire));
    const free = [...meets].filter(([wire]) => !ports.has(wire));
    const wish = new Map(free.map(([wire, xs]) => [wire, xs.reduce((a, b) => a + b) / xs.length - x[cell]]));
    free.sort(([a], [b]) => wish.get(a) - wish.get(b));
    const pitch = Math.min(S.pitch, Math.max(width - 24, 0) / Math.max(free.length, 1));
    free.forEach(([wire], i) => {
      let place = (i - (free.length - 1) / 2) * pitch;
      if (opened) {
        const near = Math.min(Math.max(wish.get(wire), 12 - width / 2), width / 2 - 12);
        const spots = [near, ...taken.flatMap((port) => [port - S.pitch, port + S.pitch])];
        const apart = spots.filter((spot) => taken.every((port) => Math.abs(spot - port) >= S.pitch - 0.1));
        place = apart.reduce((best, spot) => (Math.abs(spot - near) < Math.abs(best - near) ? spot : best));
        taken.push(place);
      }
      found.set(`${cell} ${wire}`, x[cell] + place);
    });
    for (const wire of meets.keys()) if (ports.has(wire)) found.set(`${cell} ${wire}`, x[cell] + ports.get(wire));
  }
  return found;
}

// --- moving about ---------------------------------------------------------------------------------------------------------------

function move(x, y, zoom) {
  pan = { x, y, zoom: Math.min(Math.max(zoom, 0.03), 4) };
  view.setAttribute("transform", `translate(${pan.x} ${pan.y}) scale(${pan.zoom})`);
}

function zoomBy(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const zoom = Math.min(Math.max(pan.zoom * factor, 0.03), 4), by = zoom / pan.zoom;
  move(x - (x - pan.x) * by, y - (y - pan.y) * by, zoom);
}

function fit() {
  const { width, height } = inside.get(0);
  const zoom = Math.min(1, canvas.clientWidth / (width + 24), canvas.clientHeight / (height + 24));
  move((canvas.clientWidth - width * zoom) / 2, Math.max((canvas.clientHeight - height * zoom) / 2, 12), zoom);
}

/** From the top, at a size that can be read. */
function begin() {
  const { width, height } = inside.get(0);
  const zoom = Math.min(1, Math.max(0.5, canvas.clientWidth / (width + 24)));
  const { x } = inside.get(0), first = items[0].rows.rows[0];
  const middle = width * zoom > canvas.clientWidth ? first.reduce((sum, cell) => sum + x[cell], 0) / first.length : width / 2;
  move(canvas.clientWidth / 2 - middle * zoom, Math.max((canvas.clientHeight - height * zoom) / 2, 12), zoom);
}

const shown = (id) => view.querySelector(`[data-id="${id}"]`);

function place(id) {
  const box = shown(id).getBoundingClientRect(), frame = canvas.getBoundingClientRect();
  return { x: box.x - frame.x, y: box.y - frame.y, width: box.width, height: box.height };
}

/** Open or close a box; it stays where it is on the screen. */
function toggle(id) {
  const before = place(id);
  open.has(id) ? open.delete(id) : open.add(id);
  draw();
  const after = place(id);
  move(pan.x + before.x + before.width / 2 - after.x - after.width / 2, pan.y + before.y - after.y, pan.zoom);
  shown(id).focus({ preventScroll: true });
}

/** Open what is around an item, bring it to the middle, select it. */
function reveal(id) {
  for (let box = parent[id]; box !== null; box = parent[box]) open.add(box);
  draw();
  if (pan.zoom < 0.6) zoomBy(0.9 / pan.zoom);
  const at = place(id);
  move(pan.x + canvas.clientWidth / 2 - at.x - at.width / 2, pan.y + canvas.clientHeight / 3 - at.y, pan.zoom);
  select(id);
  shown(id).focus({ preventScroll: true });
}

// --- details --------------------------------------------------------------------------------------------------------------------

function select(id) {
  selected = id;
  mark();
  const tell = (name, text, ...children) => {
    const made = document.createElement(name);
    made.textContent = text;
    made.append(...children);
    return made;
  };
  details.replaceChildren();
  details.hidden = id === null;
  if (id === null) return;
  const item = items[id];
  const close = tell("button", "×");
  close.setAttribute("aria-label", "Close the details");
  close.onclick = () => select(null);
  details.append(close, tell("h2", item.title), tell("p", item.note));
  if (item.source) {
    details.append(tell("h3", "source"), tell("p", item.source));
    if (item.code) details.append(tell("pre", item.code));
  }
  if (item.module) details.append(tell("h3", "module"), tell("p", item.module));
  const table = (title, rows) => {
    if (!rows.length) return;
    const list = tell("dl", "");
    for (const [name, text, goals] of rows) {
      const value = tell("dd", text);
      for (const goal of goals ?? []) {
        const link = tell("button", items[goal].title);
        link.onclick = () => reveal(goal);
        value.append(" ", link);
      }
      list.append(tell("dt", name), value);
    }
    details.append(tell("h3", title), list);
  };
  table("inputs", item.reads.map((wire) => [wires[wire].name, wires[wire].type, wires[wire].from]));
  table("parameters and constants", item.params);
  table("attributes", item.attributes);
  table("outputs", item.writes.map((wire) => [wires[wire].name, wires[wire].type, wires[wire].to]));
}

/** Show which item is selected and which wires are its own. */
function mark() {
  for (const lit of view.querySelectorAll(".selected, .lit")) lit.classList.remove("selected", "lit");
  if (selected === null) return;
  shown(selected)?.classList.add("selected");
  const own = new Set([...items[selected].reads, ...items[selected].writes]);
  for (const path of view.querySelectorAll("[data-wire]")) if (own.has(+path.dataset.wire)) path.classList.add("lit");
}

// --- search ---------------------------------------------------------------------------------------------------------------------

const search = document.getElementById("search"), results = document.getElementById("results");

function find() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (item) => words.every((word) => item.text.toLowerCase().includes(word));
  const byName = (id) => words.every((word) => items[id].title.toLowerCase().includes(word));
  const found = words.length ? items.flatMap((item, i) => (i && fits(item) ? [i] : [])) : [];
  found.sort((a, b) => byName(b) - byName(a));
  results.replaceChildren(...found.slice(0, 40).map((id) => {
    const row = document.createElement("button");
    row.innerHTML = "<b></b> <span></span>";
    row.firstChild.textContent = items[id].title;
    row.lastChild.textContent = [items[id].note, items[id].module, items[id].source].filter(Boolean).join(" · ");
    row.onclick = () => { results.hidden = true; reveal(id); };
    return row;
  }));
  if (words.length && !found.length) results.textContent = "nothing is called that";
  if (found.length > 40) results.append(`… and ${found.length - 40} more`);
  results.hidden = !words.length;
}

search.addEventListener("input", find);
search.addEventListener("focus", find);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") results.querySelector("button")?.click();
  if (event.key === "ArrowDown") { event.preventDefault(); results.querySelector("button")?.focus(); }
});
results.addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (step) { event.preventDefault(); (document.activeElement[step] ?? search).focus(); }
});

// --- mouse and keys -------------------------------------------------------------------------------------------------------------

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX, y: event.clientY, from: { ...pan }, moved: false };
  results.hidden = true;
});
window.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const x = event.clientX - drag.x, y = event.clientY - drag.y;
  drag.moved ||= Math.hypot(x, y) > 4;
  if (drag.moved) move(drag.from.x + x, drag.from.y + y, pan.zoom);
});
window.addEventListener("pointerup", () => setTimeout(() => { drag = null; }));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const frame = canvas.getBoundingClientRect();
  zoomBy(Math.exp(-event.deltaY / 500), event.clientX - frame.x, event.clientY - frame.y);
}, { passive: false });

/** Select; a box also opens or closes, an open one by its upper edge. */
function press(target, key) {
  const group = target.closest("[data-id]");
  if (!group) return select(null);
  const id = +group.dataset.id;
  if (items[id].rows && (key || !open.has(id) || target.closest(".grip, text"))) toggle(id);
  select(id);
}

canvas.addEventListener("click", (event) => { if (!drag?.moved) press(event.target, false); });
document.addEventListener("keydown", (event) => {
  const typing = event.target === search;
  if (event.key === "Escape") { results.hidden = true; search.blur(); select(null); }
  else if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  else if ((event.key === "Enter" || event.key === " ") && event.target.closest?.("[data-id]")) press(event.target, true);
  else if (event.key === "/") search.focus();
  else if (event.key === "+" || event.key === "=") zoomBy(1.25);
  else if (event.key === "-") zoomBy(0.8);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
});
view.addEventListener("focusin", (event) => {
  const group = event.target.closest("[data-id]");
  if (!group || !group.matches(":focus-visible")) return;
  const at = place(+group.dataset.id), dx = Math.max(0, 12 - at.x) || Math.min(0, canvas.clientWidth - 12 - at.x - at.width);
  const dy = Math.max(0, 12 - at.y) || Math.min(0, canvas.clientHeight - 12 - at.y - Math.min(at.height, 80));
  if (dx || dy) move(pan.x + dx, pan.y + dy, pan.zoom);
});

const actions = {
  "open-all": () => { items.forEach((item, i) => { if (item.rows) open.add(i); }); draw(); begin(); },
  "close-all": () => { open.clear(); open.add(0); draw(); begin(); },
  "zoom-in": () => zoomBy(1.25),
  "zoom-out": () => zoomBy(0.8),
  fit,
};
for (const [id, action] of Object.entries(actions)) document.getElementById(id).addEventListener("click", action);
window.addEventListener("resize", () => { if (selected === null) begin(); });

draw();
begin();
