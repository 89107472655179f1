"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const charts = Object.fromEntries(data.charts.map(chart => [chart.id, chart]));
const dark = matchMedia("(prefers-color-scheme: dark)");

// Claims: a filter hides what does not fit, and says how many are left.
const filters = { source: "by-source", verdict: "by-verdict", kind: "by-kind" };
const search = document.getElementById("search");
function filterClaims() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Object.entries(filters).map(([key, id]) => [key, document.getElementById(id).value]);
  const claims = [...document.querySelectorAll(".claim")];
  for (const claim of claims)
    claim.hidden = !wanted.every(([key, value]) =>
      !value || (key === "source" ? claim.dataset.source.split(", ").includes(value) : claim.dataset[key] === value))
      || !words.every(word => claim.textContent.toLowerCase().includes(word));
  const left = claims.filter(claim => !claim.hidden).length;
  document.getElementById("shown").textContent = `${left} of ${claims.length} claims`;
}
for (const id of Object.values(filters)) document.getElementById(id).addEventListener("change", filterClaims);
search.addEventListener("input", filterClaims);
document.querySelector("form.filters").addEventListener("submit", event => event.preventDefault());
// A link to a claim opens it.
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details")) { target.hidden = false; target.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", openTarget);
openTarget();
addEventListener("beforeprint", () => document.querySelectorAll("details.claim").forEach(claim => { claim.open = true; }));

// Charts: drawn when they come into view, and again when their controls change.
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1], [1, 3]];
function spec(chart, view, arms, log) {
  const points = view.points, shown = new Set(arms.map(arm => arm.label));
  const values = [];
  // A logarithmic axis ends at a tenth of the least mean, however far a band goes.
  const floor = log ? Math.min(...points.mean.filter((mean, i) => shown.has(points.arms[points.arm[i]]) && mean > 0)) / 10 : -Infinity;
  points.arm.forEach((place, i) => {
    const arm = points.arms[place], mean = points.mean[i];
    if (shown.has(arm) && mean !== null && !(log && mean <= 0))
      values.push({ arm, x: points.x[i], mean, least: points.low[i], low: Math.max(points.low[i], floor), high: points.high[i] });
  });
  const last = Math.max(...values.map(value => value.x), 0);
  const published = view.published.filter(mark => shown.has(mark.arm)).map(mark => ({ ...mark, x: last }));
  const colour = { field: "arm", type: "nominal", title: "Arm", scale: { domain: arms.map(a => a.label), range: arms.map(a => a.colour) }, legend: { orient: "bottom", columns: 3, symbolType: "stroke", symbolOpacity: 1, symbolStrokeWidth: 2, symbolSize: 300 } };
  const dash = { field: "arm", type: "nominal", title: "Arm", scale: { domain: arms.map(a => a.label), range: arms.map(a => DASHES[a.dash % DASHES.length]) }, legend: { orient: "bottom", columns: 3, symbolType: "stroke", symbolOpacity: 1, symbolStrokeWidth: 2, symbolSize: 300 } };
  const whole = view.x === "epoch" || view.x === "layer";
  const x = { field: "x", type: "quantitative", title: view.x, axis: whole ? { tickMinStep: 1, format: "d" } : {}, scale: { nice: false, zero: false } };
  const y = { type: "quantitative", title: view.title, scale: log ? { type: "log", nice: false } : { type: "linear", zero: false } };
  // Of the nearest point, Vega-Lite 6 reads fields without a format from the wrong object (its pull request 9707).
  const tooltip = [{ field: "arm", title: "arm", type: "nominal", formatType: "trim", format: "" }, { field: "x", title: view.x, format: ".5~g" },
    { field: "mean", title: "mean", format: ".5~g" }, { field: "least", title: "least", format: ".5~g" }, { field: "high", title: "largest", format: ".5~g" }];
  const layer = [
    { mark: { type: "area", opacity: 0.15 }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: colour } },
    { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y: { ...y, field: "mean" }, color: colour, strokeDash: dash } },
    { mark: { type: "point", filled: true, size: 30 }, params: [{ name: "over", select: { type: "point", on: "pointerover", nearest: true, clear: "pointerout" } }],
      encoding: { x, y: { ...y, field: "mean" }, color: colour, tooltip, opacity: { condition: { param: "over", empty: false, value: 1 }, value: 0.25 } } },
  ];
  if (published.length)
    layer.push({ data: { values: published }, mark: { type: "point", shape: "cross", angle: 45, filled: true, size: 90 },
      encoding: { x, y: { ...y, field: "y" }, color: colour, tooltip: [{ field: "arm" }, { field: "y", title: "published", format: ".6~g" }] } });
  const ink = dark.matches ? "#e8eaed" : "#1b1b1b", lines = dark.matches ? "#495057" : "#dde1e5";
  return { $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: "container", height: 300, data: { values }, layer,
    description: `${view.title} by ${view.x}, one line for each arm`,
    config: { background: null, axis: { labelColor: ink, titleColor: ink, gridColor: lines, domainColor: ink, tickColor: ink }, legend: { labelColor: ink, titleColor: ink, labelLimit: 240 }, view: { stroke: null } } };
}
function drawChart(element) {
  const chart = charts[element.dataset.chart];
  const controls = document.querySelector(`[data-controls="${element.dataset.chart}"]`);
  let view, arms = chart ? chart.arms : [], log;
  if (!chart || !chart.views.length) { element.textContent = "Not run yet."; element.style.minHeight = 0; return; }
  if (element.dataset.view) {
    view = chart.views.find(each => each.title === element.dataset.view) || chart.views[0];
    log = view.log;
  } else {
    view = chart.views[controls.querySelector(".view").selectedIndex];
    const chosen = [...controls.querySelectorAll(".arm:checked")].map(box => box.value);
    arms = arms.filter(arm => chosen.includes(arm.label));
    log = controls.querySelector(".log").checked;
  }
  const embedded = vegaEmbed(element, spec(chart, view, arms, log), { actions: false, renderer: "svg" });
  embedded.then(result => {
    const drawn = element.querySelector("svg");
    if (drawn) { drawn.setAttribute("role", "img"); drawn.setAttribute("aria-label", `${view.title} by ${view.x}`); }
    element.dataset.drawn = view.title;
    element.dataset.marks = result.view.data("source_0") ? result.view.data("source_0").length : 0;
  });
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
  form.addEventListener("submit", event => event.preventDefault());
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
    <path id="value" d="${path(values)}" fill="none" stroke="${dark.matches && colour === "#000000" ? "#ffffff" : colour}" stroke-width="2.5"/>
    <path id="slope" d="${path(slopes)}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="6 4"/>`;
  document.getElementById("readout").textContent =
    `At x = -1: value ${at(values, -1).toFixed(4)}, slope ${at(slopes, -1).toFixed(4)}.`;
}
for (const control of [choose, alpha, offset]) control.addEventListener("input", explore);
choose.addEventListener("input", () => {
  const given = chosen().alpha;
  if (given !== null) alpha.value = given;
  explore();
});
explore();
