"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const charts = Object.fromEntries(data.charts.map(chart => [chart.id, chart]));
const dark = matchMedia("(prefers-color-scheme: dark)");

// Claims: a filter hides what does not fit, and says how many are left.
const search = document.getElementById("search"), selects = [...search.form.querySelectorAll("select")];
function filterClaims() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const claims = [...document.querySelectorAll(".claim")];
  for (const claim of claims)
    claim.hidden = !selects.every(({ id, value }) => !value || claim.dataset[id.slice("by-".length)].split(", ").includes(value))
      || !words.every(word => claim.textContent.toLowerCase().includes(word));
  const left = claims.filter(claim => !claim.hidden).length;
  document.getElementById("shown").textContent = `${left} of ${claims.length} claims`;
}
search.form.addEventListener("input", filterClaims);
addEventListener("submit", event => event.preventDefault());  // no form leaves the page
// A link to a claim opens it.
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details")) { target.hidden = false; target.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", openTarget);
openTarget();
// On paper all charts are drawn, those that were not reached too.
addEventListener("beforeprint", () => document.querySelectorAll(".chart").forEach(drawChart));

// Charts: drawn when they come into view, and again when their controls change.
const DASHES = ["", "6 3", "2 2", "8 3 2 3", "4 1", "1 3"];
const HEIGHT = 300, LEFT = 58, RIGHT = 14, TOP = 8, BOTTOM = 36;
const short = number => String(Number(number.toPrecision(5)));
const ink = colour => dark.matches && colour === "#000000" ? "#ffffff" : colour;
// A function from numbers to pixels.
function scale(low, high, from, to, log) {
  const f = log ? Math.log10 : number => number, start = f(low), length = f(high) - start || 1;
  return number => from + (f(number) - start) / length * (to - from);
}
function ticks(low, high, log, least = 0) {
  if (log) {
    const decades = Math.log10(high / low), digits = decades > 2 ? [1] : decades > 1 ? [1, 2, 5] : [1, 2, 3, 4, 5, 7];
    const round = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const digit of digits) round.push(digit * 10 ** power);
    const inside = round.filter(tick => tick >= low && tick <= high);
    if (inside.length > 1) return inside;
  }
  const about = Math.max((high - low) / 6, least) || 1, power = 10 ** Math.floor(Math.log10(about));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(size => size >= about * 0.999);
  const multiples = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) multiples.push(i * step);
  return multiples;
}
// The points that a view has of some arms: [{line, x, mean, least, low, high}], where low ends at a logarithmic axis' floor.
// A line is an arm, or "ARM, seed K" where an arm's seeds are of two kinds.
const armOf = line => line.split(", seed ")[0];
function visible(view, arms, log) {
  const points = view.points, shown = new Set(arms.map(arm => arm.label)), values = [];
  const line = i => points.lines[points.line[i]], isShown = i => shown.has(armOf(line(i)));
  // A logarithmic axis ends at a tenth of the least mean, however far a band goes.
  const floor = log ? Math.min(...points.mean.filter((mean, i) => isShown(i) && mean > 0)) / 10 : -Infinity;
  points.mean.forEach((mean, i) => {
    if (isShown(i) && mean !== null && !(log && mean <= 0))
      values.push({ line: line(i), x: points.x[i], mean, least: points.low[i], low: Math.max(points.low[i], floor), high: points.high[i] });
  });
  return values.sort((one, other) => one.x - other.x);
}
function draw(element, view, arms, log) {
  const values = visible(view, arms, log), width = Math.max(element.clientWidth, 280);
  const shown = Object.fromEntries(arms.map(arm => [arm.label, arm]));
  // Arms of one colour are told apart by their dashes.
  const dash = arm => DASHES[arms.filter(other => other.colour === arm.colour).indexOf(arm) % DASHES.length];
  const published = view.published.filter(mark => mark.arm in shown);
  const overlays = view.curves.map(curve => ({ ...curve, arm: shown[curve.arms.find(arm => arm in shown)] })).filter(curve => curve.arm);
  element.dataset.drawn = view.title;
  element.dataset.marks = values.length;
  element.dataset.overlays = overlays.map(curve => curve.run).join(", ");
  if (!values.length) { element.textContent = "Nothing to draw: choose an arm."; return; }
  const heights = [...values.flatMap(value => [value.low, value.high]), ...published.map(mark => mark.y), ...overlays.flatMap(curve => curve.y)];
  const [low, high] = [Math.min(...heights), Math.max(...heights)], [first, last] = [values[0].x, values.at(-1).x];
  const x = scale(first, last, LEFT, width - RIGHT), y = scale(low, high, HEIGHT - BOTTOM, TOP, log);
  const path = points => "M" + points.map(point => point.map(number => number.toFixed(1)).join(",")).join("L");
  const axes = ticks(low, high, log).map(tick => `<path class="grid" d="M${LEFT} ${y(tick)}H${width - RIGHT}"/>
      <text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${short(tick)}</text>`).join("")
    + ticks(first, last, false, ["epoch", "layer"].includes(view.x) ? 1 : 0).map(tick =>
      `<text x="${x(tick)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${short(tick)}</text>`).join("")
    + `<text x="${(LEFT + width - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${view.x}</text>`;
  const curves = [...new Set(values.map(value => value.line))].map(line => {
    const mine = values.filter(value => value.line === line), arm = shown[armOf(line)], colour = ink(arm.colour);
    const band = [...mine.map(v => [x(v.x), y(v.high)]), ...mine.map(v => [x(v.x), y(v.low)]).reverse()];
    return `<path d="${path(band)}Z" fill="${colour}" opacity=".15"/>
      <path d="${path(mine.map(v => [x(v.x), y(v.mean)]))}" fill="none" stroke="${colour}" stroke-width="${line === arm.label ? 2 : 1}" stroke-dasharray="${dash(arm)}"/>`
      + (mine.length > 1 ? "" : `<circle cx="${x(mine[0].x)}" cy="${y(mine[0].mean)}" r="3" fill="${colour}"/>`);
  }).join("");
  const cross = (left, top, size, colour) => `d="M${left - size} ${top - size}l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}" stroke="${ink(colour)}"`;
  const crosses = published.map(mark => `<path ${cross(x(last), y(mark.y), 4, shown[mark.arm].colour)} stroke-width="2.5">
    <title>${mark.arm}, published: ${short(mark.y)}</title></path>`).join("");
  const overlaid = overlays.map(({ run, arm, ...curve }) => {
    const places = curve.x.map((epoch, i) => [x(epoch), y(curve.y[i])]), every = Math.ceil(places.length / 12);
    return `<g class="overlaid"><title>published: ${run}</title><path d="${path(places)}" fill="none" stroke="currentColor"/>`
      + places.filter((_, i) => i % every === 0).map(([left, top]) => `<path ${cross(left, top, 3, arm.colour)} stroke-width="1.5"/>`).join("") + "</g>";
  }).join("");
  const named = overlays.map(({ run, arm }) => `<li><svg width="30" height="10" aria-hidden="true"><path d="M0 5H30" stroke="currentColor"/><path ${cross(15, 5, 3, arm.colour)} stroke-width="1.5"/></svg> published: ${run}</li>`).join("");
  const legend = arms.map(arm => `<li><svg width="30" height="10" aria-hidden="true"><path d="M0 5H30" stroke="${ink(arm.colour)}" stroke-width="2" stroke-dasharray="${dash(arm)}"/></svg> ${arm.label}</li>`).join("");
  element.innerHTML = `<svg viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${view.title} by ${view.x}, one line for each arm">${axes}${curves}${overlaid}${crosses}<circle class="near" r="5" visibility="hidden"/></svg>
    <ul class="legend">${legend}${named}</ul><output class="tip"></output>`;
  const drawn = element.querySelector("svg"), near = element.querySelector(".near"), tip = element.querySelector(".tip");
  drawn.addEventListener("pointermove", event => {
    const box = drawn.getBoundingClientRect(), ratio = width / box.width;
    const distance = v => Math.hypot(x(v.x) - (event.clientX - box.left) * ratio, y(v.mean) - (event.clientY - box.top) * ratio);
    const value = values.reduce((nearest, other) => distance(other) < distance(nearest) ? other : nearest);
    near.setAttribute("cx", x(value.x));
    near.setAttribute("cy", y(value.mean));
    near.setAttribute("visibility", "visible");
    const facts = [["", value.line], [view.x, short(value.x)], ["mean", short(value.mean)], ["least", short(value.least)], ["largest", short(value.high)]];
    tip.innerHTML = facts.map(([name, text]) => `${name} <b>${text}</b>`).join(" ");
  });
}
function drawChart(element) {
  const chart = charts[element.dataset.chart], controls = document.querySelector(`[data-controls="${element.dataset.chart}"]`);
  const chosen = [...controls.querySelectorAll(".arm:checked")].map(box => box.value);
  const view = chart.views[controls.querySelector(".view").selectedIndex];
  draw(element, view, chart.arms.filter(arm => chosen.includes(arm.label)), controls.querySelector(".log").checked);
}
// Drawn before they are reached, on a phone below a screen of text as well.
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); drawChart(entry.target); }
}, { rootMargin: "1000px" });
document.querySelectorAll(".chart").forEach(element => seen.observe(element));
document.querySelectorAll("[data-controls]").forEach(form => {
  const element = document.querySelector(`article .chart[data-chart="${form.dataset.controls}"]`), select = form.querySelector(".view");
  const views = charts[form.dataset.controls].views;
  form.querySelector(".log").checked = views[0].log;
  form.addEventListener("change", event => {
    if (event.target === select) form.querySelector(".log").checked = views[select.selectedIndex].log;
    drawChart(element);
  });
});
dark.addEventListener("change", () => document.querySelectorAll(".chart[data-drawn]").forEach(drawChart));

// The explorer: a function of x - offset and its derivative, in SVG, from tables made by the engine's own code.
const { functions, start, steps_per_unit: steps } = data.explorer;
const choose = document.getElementById("function"), alpha = document.getElementById("alpha"), offset = document.getElementById("offset");
for (const { label, name } of functions) choose.append(new Option(label, name));
const chosen = () => functions.find(({ name }) => name === choose.value);
choose.value = "elu";
function explore() {
  const { label, colour, tables } = chosen(), shift = Number(offset.value);
  alpha.disabled = tables.length === 1;
  document.getElementById("alpha-value").textContent = alpha.disabled ? "-" : Number(alpha.value).toFixed(1);
  document.getElementById("offset-value").textContent = shift.toFixed(1);
  const [values, slopes] = tables[alpha.disabled ? 0 : Math.round((alpha.value - alpha.min) / alpha.step)];
  const at = (table, x) => table[Math.round((x - shift - start) * steps)];
  const place = (x, y) => `${(320 + x * 320 / 6).toFixed(2)},${(220 - Math.max(-50, Math.min(50, y)) * 50).toFixed(2)}`;
  const path = table => "M" + Array.from({ length: 12 * steps + 1 }, (_, i) => -6 + i / steps).map(x => place(x, at(table, x))).join("L");
  const ticks = [-4, -2, 2, 4].map(x => `<text x="${320 + x * 320 / 6}" y="236" text-anchor="middle">${x}</text>`).join("")
    + [-1, 1, 2, 3, 4].map(y => `<text x="326" y="${216 - y * 50}">${y}</text>`).join("");
  document.getElementById("drawing").innerHTML = `<title id="drawing-title">${label} and its derivative</title>
    <line class="axis" x1="0" y1="220" x2="640" y2="220"/><line class="axis" x1="320" y1="0" x2="320" y2="320"/>${ticks}
    <path id="value" d="${path(values)}" fill="none" stroke="${ink(colour)}" stroke-width="2.5"/>
    <path id="slope" d="${path(slopes)}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="6 4"/>`;
  document.getElementById("readout").textContent =
    `At x = -1: value ${at(values, -1).toFixed(4)}, slope ${at(slopes, -1).toFixed(4)}.`;
}
choose.addEventListener("input", () => { alpha.value = chosen().alpha ?? alpha.value; });
choose.form.addEventListener("input", explore);  // after the line above, since the event comes from within
explore();
