// The console's page: asks the gateway's routes every few seconds and shows what they say.
// Whatever comes from the mesh becomes text by textContent, never markup.
"use strict";

const EACH_MS = 3000;
const ANSWER_MS = 10000;
const STAGES = ["final", "first_token", "first_segment", "first_audio", "first_frame"];
const SERVICES = ["gateway", "orchestrator", "speech-pool", "tool-executor", "session-store"];
const state = { key: "", paused: false, chosen: "", turn: "", metric: "", open: new Set(), shown: new Map(), timer: 0 };

const byId = (id) => document.getElementById(id);

// ---------------------------------------------------------------- building what is shown

function make(tag, given = {}, ...children) {
  const { text, classes, on, data, ...attributes } = given;
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = String(text);
  if (classes) node.classList.add(...classes.split(" ").filter(Boolean));
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const [name, value] of Object.entries(data || {})) node.dataset[name] = value;
  if (on) node.addEventListener("click", on);
  node.append(...children);
  return node;
}

// A table of columns [heading, cell(row), "number"?]; a cell is a node or text.
function table(caption, columns, rows, ofRow = () => ({})) {
  const head = make("tr", {}, ...columns.map(([name, , kind]) => make("th", { text: name, scope: "col", classes: kind || "" })));
  const body = rows.map((row) => make("tr", ofRow(row), ...columns.map(([, cell, kind]) => {
    const value = cell(row);
    return value instanceof Node ? make("td", { classes: kind || "" }, value) : make("td", { text: value ?? "", classes: kind || "" });
  })));
  return make("table", { "aria-label": caption }, make("thead", {}, head), make("tbody", {}, ...body));
}

const empty = (text, command) => make("p", { classes: "empty", text }, ...(command ? [" ", make("code", { text: command })] : []));

// Shows nodes in a place if what they are made of has changed; keeps the focus.
function show(id, source, build) {
  const text = JSON.stringify(source);
  if (state.shown.get(id) === text) return;
  state.shown.set(id, text);
  const focused = document.activeElement?.dataset?.focus;
  byId(id).replaceChildren(...[build()].flat());
  if (focused) [...byId(id).querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused)?.focus();
}

const whole = (number) => (number === null || number === undefined ? "" : Math.round(number).toLocaleString());
const percent = (part, all) => `${all > 0 ? Math.min(100, (100 * part) / all) : 0}%`;
const clock = (iso) => new Date(iso).toLocaleTimeString();

function length(ms) {
  if (ms === null || ms === undefined) return "";
  const seconds = ms / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

function piece(classes, start, duration, all, title) {
  const node = make("span", { classes: `piece ${classes}`, title });
  node.style.left = percent(start, all);
  node.style.width = percent(duration, all);
  return node;
}

const legend = (names, classOf) => make("div", { classes: "legend" },
  ...names.map((name) => make("span", {}, make("span", { classes: `swatch ${classOf(name)}` }), name.replaceAll("_", " "))));

// ---------------------------------------------------------------- the calls

function showCalls(calls) {
  show("calls", [calls, state.chosen], () => {
    if (!calls.length) return empty("No call yet. Make one from another terminal:", 'voicemesh call --text "What is my balance?"');
    return table("calls", [
      ["began", (call) => clock(call.began), "whole"],
      ["session", (call) => make("button", { type: "button", classes: "link", text: call.session, data: { focus: call.session }, on: () => choose(call.session) })],
      ["state", (call) => make("span", { text: call.state + (call.reason ? `: ${call.reason.replaceAll("_", " ")}` : ""), classes: call.state === "live" ? "live" : "soft" })],
      ["length", (call) => length(call.duration_ms), "number"],
      ["scenario", (call) => call.scenario],
      ["agents", (call) => call.agents.join(", ")],
      ["turns", (call) => call.turns, "number"],
      ["median to first frame", (call) => (call.first_frame_ms === null ? "" : `${whole(call.first_frame_ms)} ms`), "number"],
      ["cost", (call) => (call.cost ? `${Number(call.cost.total).toFixed(4)} ${call.cost.currency}` : ""), "number"],
      ["errors", (call) => (call.failed_spans ? make("span", { text: call.failed_spans, classes: "bad-text" }) : ""), "number"],
    ], calls, (call) => (call.session === state.chosen ? { classes: "chosen" } : {}));
  });
}

function choose(session) {
  state.chosen = session;
  state.turn = "";
  state.open.clear();
  history.replaceState(null, "", session ? `#${encodeURIComponent(session)}` : location.pathname);
  refresh();
}

function showCall(call) {
  byId("call").hidden = !state.chosen;
  byId("call-title").textContent = `Call ${state.chosen}`;
  const requests = byId("requests").checked;
  show("call-body", [call, requests, state.turn, [...state.open]], () => {
    if (!state.chosen) return [];
    if (call.problem) return empty(call.problem);
    return call.traces.flatMap((trace) => [
      make("p", { classes: "hint", text: `${clock(trace.began)}, ${length(trace.duration_ms)}, ${trace.spans.length} spans${trace.dropped_spans ? `, ${trace.dropped_spans} more did not fit` : ""}${trace.complete ? "" : "; not complete: the call goes on, or its end was not told"}` }),
      ...turnBars(trace), ...spanBars(trace, requests),
    ]);
  });
}

function turnBars(trace) {
  const answers = trace.spans.filter((span) => span.name === "answer");
  if (!answers.length) return [];
  const longest = Math.max(...answers.map((span) => span.duration_ms));
  const stages = (answer) => trace.spans.filter((span) => span.parent === answer.id && span.name.startsWith("stage_"));
  const ms = (answer, stage) => stages(answer).find((span) => span.name === `stage_${stage}`)?.duration_ms;
  return [
    make("h3", { text: "Turns, from the end of speech to the first frame (milliseconds)" }),
    legend(STAGES, (stage) => `stage_${stage}`),
    table("turns", [
      ["turn", (span) => turnButton(span.attributes["voicemesh.turn"])],
      ["agent", (span) => span.attributes["gen_ai.agent.name"]],
      ["outcome", (span) => make("span", { text: [span.attributes["voicemesh.outcome"], span.attributes["error.type"]].filter(Boolean).join(": "), classes: span.failed ? "bad-text" : "" })],
      ["parts", (span) => make("div", { classes: "track", "aria-hidden": "true" },
        ...stages(span).map((stage) => piece(stage.name, stage.start_ms - span.start_ms, stage.duration_ms, longest, `${stage.name.slice(6)}: ${whole(stage.duration_ms)} ms`)))],
      ...STAGES.map((stage) => [stage.replaceAll("_", " "), (span) => whole(ms(span, stage)), "number"]),
      ["sum", (span) => make("strong", { text: whole(span.duration_ms) }), "number"],
    ], answers),
  ];
}

function turnButton(turn) {
  return make("button", { type: "button", classes: "link", text: turn, data: { focus: `turn ${turn}` }, "aria-pressed": state.turn === turn, on: () => chooseTurn(turn) });
}

function chooseTurn(turn) {
  state.turn = state.turn === turn ? "" : turn;
  refresh();
}

// From when to when spans are drawn: the chosen turn, or all of the trace.
function windowOf(trace) {
  const own = trace.spans.filter((span) => state.turn && span.attributes["voicemesh.turn"] === state.turn);
  if (!own.length) return { from: 0, all: trace.duration_ms };
  const from = Math.min(...own.map((span) => span.start_ms));
  return { from, all: Math.max(...own.map((span) => span.start_ms + span.duration_ms)) - from };
}

function spanBars(trace, requests) {
  const { from, all } = windowOf(trace);
  const inside = (span) => span.start_ms < from + all && span.start_ms + span.duration_ms > from;
  const shown = trace.spans.filter((span) => inside(span) && (requests || !span.name.includes("/") || span.failed));
  const rows = [];
  const depths = new Map(trace.spans.map((span) => [span.id, -1]));
  const visible = new Set(shown);
  for (const span of trace.spans) {  // parents come before children
    depths.set(span.id, (depths.get(span.parent) ?? -1) + (visible.has(span) ? 1 : 0));
  }
  for (const span of shown) {
    const service = SERVICES.includes(span.service) ? span.service : "";
    const name = make("button", { type: "button", classes: "link", text: shortName(span.name), title: span.name, data: { focus: span.id }, "aria-expanded": state.open.has(span.id), on: () => toggle(span.id) });
    const label = make("span", {}, make("span", { classes: `swatch ${service}`, title: span.service }), name);
    label.style.paddingLeft = `${Math.min(depths.get(span.id), 12) * 12}px`;
    rows.push(make("tr", {},
      make("td", {}, label),
      make("td", {}, make("div", { classes: "track", "aria-hidden": "true" }, drawn(span, service, from, all))),
      make("td", { classes: "number", text: whole(span.start_ms - from) }),
      make("td", { classes: `number ${span.failed ? "bad-text" : ""}`, text: span.duration_ms.toFixed(span.duration_ms < 10 ? 2 : 0) })));
    if (state.open.has(span.id)) rows.push(make("tr", {}, make("td", { colspan: 4, classes: "attributes" }, ...attributeLines(span))));
  }
  const heads = ["span", "", "begins, ms", "takes, ms"].map((text, at) => make("th", { text, scope: "col", classes: at > 1 ? "number" : "" }));
  const title = state.turn ? `Spans while turn ${state.turn} went on` : "Spans of the whole call; choose a turn above to see it closer";
  return [
    make("h3", { text: title }), legend(SERVICES, (name) => name),
    make("table", { classes: "spans", "aria-label": "spans" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)),
  ];
}

// The part of a span that lies in the window.
function drawn(span, service, from, all) {
  const begin = Math.max(0, span.start_ms - from);
  const end = Math.min(all, span.start_ms + span.duration_ms - from);
  return piece(`${service} ${span.failed ? "failed" : ""}`, begin, end - begin, all, `${span.service}: ${span.name}`);
}

// Of a request the service and method, without the package.
const shortName = (name) => (name.includes("/") ? name.slice(name.lastIndexOf(".", name.indexOf("/")) + 1) : name);

function attributeLines(span) {
  const told = [["service", span.service], ["id", span.id], ...Object.entries(span.attributes)];
  return told.map(([name, value]) => make("div", { text: `${name} = ${value}` }));
}

function toggle(id) {
  if (!state.open.delete(id)) state.open.add(id);
  refresh();
}

// ---------------------------------------------------------------- the mesh

function showTimes(rows) {
  show("times", rows, () => {
    if (!rows.length) return empty("No turn of a call that is over.");
    const three = (row, name) => (row.ms[name] && Object.keys(row.ms[name]).length ? ["p50", "p95", "p99"].map((at) => whole(row.ms[name][at])).join(" / ") : "");
    return table("turn times", [
      ["scenario", (row) => row.scenario], ["agent", (row) => row.agent], ["after", (row) => row.cause], ["turns", (row) => row.turns, "number"],
      ...STAGES.map((stage) => [stage.replaceAll("_", " "), (row) => three(row, stage), "number"]),
      ["mouth to ear", (row) => make("strong", { text: three(row, "mouth_to_ear") }), "number"],
    ], rows);
  });
}

function showPools(series) {
  const kinds = new Map();
  for (const one of series) {
    if (one.name !== "voicemesh_pool_clients" && one.name !== "voicemesh_pool_breaker") continue;
    const pool = kinds.get(one.labels.kind) || { kind: one.labels.kind, breaker: "" };
    if (one.name === "voicemesh_pool_clients") pool[one.labels.state] = one.value;
    else if (one.value === 1) pool.breaker = one.labels.state;
    kinds.set(one.labels.kind, pool);
  }
  const pools = [...kinds.values()];
  show("pools", pools, () => {
    if (!pools.length) return empty("Nothing was told of the pools yet. This asks a speech-pool itself:", "voicemesh pools");
    const numbers = ["warm", "warm_target", "leased", "max", "opening", "waiting"];
    return table("pools", [
      ["kind", (pool) => pool.kind],
      ...numbers.map((name) => [name.replaceAll("_", " "), (pool) => whole(pool[name]), "number"]),
      ["breaker", (pool) => make("span", { text: pool.breaker, classes: pool.breaker === "closed" || !pool.breaker ? "" : "bad-text" })],
    ], pools);
  });
}

function showErrors(calls, series) {
  const failures = calls.flatMap((call) => call.failures.map((one) => ({ ...one, call })));
  const ended = series.filter((one) => one.name === "voicemesh_calls_total" && one.labels.reason !== "caller_hung_up" && one.value > 0);
  const counted = series.filter((one) => /refusals_total$|gaps_total$|unpriced_calls_total$/.test(one.name) && one.value > 0);
  show("errors", [failures, ended, counted], () => {
    if (!failures.length && !ended.length && !counted.length) return empty("None.");
    const lines = [...ended, ...counted].map((one) => make("p", { text: `${one.value} × ${one.name} ${Object.entries(one.labels).map(([k, v]) => `${k}=${v}`).join(", ")} (${one.service})` }));
    if (!failures.length) return lines;
    return [...lines, table("errors", [
      ["call", (one) => make("button", { type: "button", classes: "link", text: one.call.session, data: { focus: `error ${one.call.session} ${one.at_ms}` }, on: () => choose(one.call.session) })],
      ["after", (one) => length(one.at_ms), "number"],
      ["service", (one) => one.service], ["span", (one) => one.name],
      ["reason", (one) => make("span", { text: one.reason || "not told", classes: "bad-text" })],
    ], failures)];
  });
}

const amount = (number) => (number === null ? "(past the last bucket)" : Number(number.toPrecision(4)).toLocaleString(undefined, { maximumSignificantDigits: 4 }));

function quantity(value, unit) {
  if (value === null || unit === "1") return amount(value);
  return unit === "s" && value < 1 ? `${amount(value * 1000)} ms` : `${amount(value)} ${unit}`;
}

const told = (one) => (one.kind === "histogram"
  ? (one.count ? `${one.count.toLocaleString()} times, mean ${quantity(one.mean, one.unit)}, p50 ≤ ${quantity(one.p50_at_most, one.unit)}, p95 ≤ ${quantity(one.p95_at_most, one.unit)}` : "never")
  : quantity(one.value, one.unit));

function showMetrics(series, withHistory) {
  const wanted = byId("find").value.trim().toLowerCase();
  const found = series.filter((one) => `${one.name} ${one.service} ${Object.values(one.labels).join(" ")}`.toLowerCase().includes(wanted));
  show("metrics", [found, withHistory, state.metric], () => {
    if (!found.length) return empty(series.length ? "No metric has this in its name, service or labels." : "No metric was told yet; they come every few seconds.");
    const parts = state.metric ? [make("h3", { text: state.metric }), ...withHistory.map(historyOf)] : [];
    return [...parts, table("metrics", [
      ["metric", (one) => make("button", { type: "button", classes: "link", text: one.name, data: { focus: `${one.name} ${one.service} ${JSON.stringify(one.labels)}` }, on: () => watch(one.name) })],
      ["service", (one) => one.service],
      ["labels", (one) => Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(" ")],
      ["newest", told, "number"],
    ], found)];
  });
}

function watch(name) {
  state.metric = state.metric === name ? "" : name;
  refresh();
}

// One series as a line over its kept moments.
function historyOf(one) {
  const NS = "http://www.w3.org/2000/svg";
  const values = one.history.map((point) => point.value);
  const low = Math.min(...values), span = Math.max(...values) - low || 1;
  const line = document.createElementNS(NS, "polyline");
  line.setAttribute("points", values.map((value, at) => `${(100 * at) / Math.max(1, values.length - 1)},${38 - (36 * (value - low)) / span}`).join(" "));
  const drawing = document.createElementNS(NS, "svg");
  for (const [name, value] of [["viewBox", "0 0 100 40"], ["preserveAspectRatio", "none"], ["class", "history"], ["aria-hidden", "true"]]) drawing.setAttribute(name, value);
  drawing.append(line);
  const labels = Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(" ");
  return make("div", {}, make("div", { classes: "soft", text: `${one.service} ${labels}: ${told(one)}; ${amount(low)} to ${amount(Math.max(...values))} in ${values.length} looks` }), drawing);
}

// ---------------------------------------------------------------- asking

class Refused extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

async function ask(path) {
  const headers = state.key ? { Authorization: `Bearer ${state.key}` } : {};
  const answer = await fetch(`/api/v1/${path}`, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.detail || `${path} answered ${answer.status}`);
  return body;
}

// What a route says, or instead of an answer 404 what it says about that.
async function askIfAny(path, otherwise) {
  try { return await ask(path); } catch (error) {
    if (error.status === 404) return { ...otherwise, problem: error.message };
    throw error;
  }
}

async function look() {
  const about = await ask("console");
  const ring = about.ring !== null;
  const none = { series: [], traces: [] };
  const [calls, latency, metrics, call, watched] = await Promise.all([
    ask("console/calls"), ask("latency"),
    ring ? ask("console/metrics") : none,
    state.chosen ? askIfAny(`console/calls/${encodeURIComponent(state.chosen)}`, none) : none,
    ring && state.metric ? ask(`console/metrics?name=${encodeURIComponent(state.metric)}`) : none,
  ]);
  byId("why-empty").hidden = ring;
  byId("why-empty").textContent = about.why_empty;
  showCalls(calls.calls);
  showCall(call);
  showTimes(latency.rows);
  showPools(metrics.series);
  showErrors(calls.calls, metrics.series);
  showMetrics(metrics.series, watched.series);
  const live = calls.calls.filter((one) => one.state === "live").length;
  const kept = ring ? `, ${about.ring.spans} spans and ${about.ring.series} series kept` : "";
  return `${live} live ${live === 1 ? "call" : "calls"}${kept}; as of ${new Date().toLocaleTimeString()}`;
}

let looking = null;
let again = false;

// Looks now, or once more when the look under way is done; then every EACH_MS unless paused or hidden.
function refresh() {
  again = looking !== null;
  if (again) return;
  clearTimeout(state.timer);
  looking = look().then(succeeded, failed).finally(() => {
    looking = null;
    if (again) refresh();
    else if (!state.paused && !document.hidden && byId("key-form").hidden) state.timer = setTimeout(refresh, EACH_MS);
  });
}

function succeeded(status) {
  byId("status").textContent = status;
  byId("problem").hidden = true;
  byId("key-form").hidden = true;
  document.querySelector("main").hidden = false;
}

function failed(error) {
  const locked = error.status === 401;
  byId("key-form").hidden = !locked;
  document.querySelector("main").hidden = locked;
  byId("problem").hidden = locked && !state.key;
  byId("problem").textContent = locked ? "That is not the key." : error instanceof Refused ? error.message : "The gateway does not answer; is the mesh up? This page asks again.";
  byId("status").textContent = locked ? "locked" : "not up to date";
  if (locked && document.activeElement !== byId("key")) byId("key").focus();
}

function fromAddress() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  state.key = byId("key").value;
  byId("key").value = "";
  refresh();
});
byId("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  byId("pause").setAttribute("aria-pressed", state.paused);
  byId("pause").textContent = state.paused ? "Go on" : "Pause";
  refresh();
});
byId("close").addEventListener("click", () => choose(""));
byId("requests").addEventListener("change", refresh);
byId("find").addEventListener("input", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden && !state.paused) refresh(); });
window.addEventListener("hashchange", () => choose(fromAddress()));
state.chosen = fromAddress();
refresh();
