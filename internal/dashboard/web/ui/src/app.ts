import { ChartSet, merge } from "./charts";
import { byId, el, svg, text, type Content } from "./dom";
import { explain, rating, verdict } from "./miner";
import { Table } from "./table";
import { bytes, compact, dash, duration, fixed, percent, short } from "./text";
import type { Charts, Live, Node as NodeRow, Peer, View, Win } from "./types";

let view: View | null = null;
let received = 0; // when the view came, by this machine's clock

const charts = new ChartSet({ loss: byId("loss"), load: byId("load"), time: byId("time"), tasks: byId("tasks") });

function weightBar(w: number): HTMLElement {
  const bar = svg("svg", { viewBox: "0 0 60 8", width: 60, height: 8, "aria-hidden": "true" }, svg("rect", { width: 60, height: 8, rx: 3, class: "track" }),
    svg("rect", { width: Math.max(0, Math.min(60, 60 * w)), height: 8, rx: 3, class: "fill" }));
  return el("span", { class: "weight" }, bar, percent(w));
}

const miners = new Table<Peer>(byId("miners"), [
  { name: "uid", title: "slot on the chain", numeric: true, value: (p) => p.uid, show: (p) => String(p.uid) },
  { name: "node", title: "name of the node", value: (p) => p.node, show: (p) => p.node || dash },
  { name: "last window", title: "verdict on its last gradient", value: (p) => p.verdict, show: (p) => verdict(p.verdict) },
  { name: "score", title: "final score", numeric: true, value: (p) => p.standing?.final ?? null, show: (p) => fixed(p.standing?.final, 2) },
  { name: "rating", title: "OpenSkill: mu and three sigma", value: (p) => p.standing?.ordinal ?? null, show: (p) => rating(p.standing) },
  { name: "weight", title: "share of the validator's weights", numeric: true, value: (p) => p.standing?.weight ?? null, show: (p) => (p.standing ? weightBar(p.standing.weight) : dash) },
  { name: "sync", title: "closeness of its parameters to the validator's, 0 to 1", numeric: true, value: (p) => p.standing?.sync_score ?? null, show: (p) => fixed(p.standing?.sync_score, 2) },
  { name: "binary", title: "moving average of +1 (helped more on its own pages) and -1", numeric: true, value: (p) => p.standing?.binary_average ?? null, show: (p) => fixed(p.standing?.binary_average, 2) },
  { name: "loss", title: "training loss of its last window, nats a token", numeric: true, value: (p) => p.loss, show: (p) => fixed(p.loss) },
  { name: "tokens/s", title: "while it trains", numeric: true, value: (p) => p.speed, show: (p) => compact(p.speed) },
  { name: "busy", title: "share of the time in which its engine computes", numeric: true, value: (p) => p.utilisation, show: (p) => percent(p.utilisation, 0) },
  { name: "sent", title: "bytes uploaded", numeric: true, value: (p) => p.bytes, show: (p) => bytes(p.bytes) },
], (p) => String(p.uid), (p) => void explain(p, view?.run.scored_by || "the validator"));

const nodes = new Table<NodeRow>(byId("nodes"), [
  { name: "node", title: "name", value: (n) => n.name, show: (n) => n.name },
  { name: "phase", title: "what it is doing", value: (n) => n.phase, show: (n) => n.phase || dash },
  { name: "last", title: "what it did last", show: (n) => (n.last ? el("span", { class: n.bad ? "chip bad" : "chip" }, (n.bad ? "✗ " : "") + n.last) : dash) },
  { name: "sent", title: "protocol objects", numeric: true, value: (n) => n.up, show: (n) => bytes(n.up) },
  { name: "received", title: "protocol objects", numeric: true, value: (n) => n.down, show: (n) => bytes(n.down) },
], (n) => n.name);

function agreement(w: Win): Content {
  if (w.nodes === 0) return dash;
  if (w.apart.length > 0) return el("span", { class: "chip bad" }, `✗ ${w.apart.join(", ")} hold another`);
  return el("span", { class: "chip ok" }, w.nodes === 1 ? "✓ 1 node" : `✓ all ${w.nodes} nodes agree`);
}

function skipped(w: Win): Content {
  const all = Object.entries(w.skipped).sort((a, b) => +a[0] - +b[0]);
  if (all.length === 0) return "none";
  return el("span", { class: "skipped" }, all.map(([uid, v]) => `${uid} ${v}`).join(", "));
}

const windows = new Table<Win>(byId("windows"), [
  { name: "window", title: "number", numeric: true, value: (w) => w.window, show: (w) => String(w.window) },
  { name: "held-out", title: "loss after the window, nats a token", numeric: true, value: (w) => w.held_out, show: (w) => fixed(w.held_out, 4) },
  { name: "included", title: "gradients in the Aggregate", numeric: true, value: (w) => w.included.length, show: (w) => String(w.included.length) },
  { name: "skipped", title: "selected miners that it leaves out, and why", value: (w) => Object.keys(w.skipped).length, show: skipped },
  { name: "Aggregate", title: "hash of the Aggregate", show: (w) => el("code", { title: w.aggregate }, short(w.aggregate)) },
  { name: "state", title: "hash of the parameters after it", show: (w) => el("code", { title: w.state }, short(w.state)) },
  { name: "agreement", title: "whether all nodes hold that state", value: (w) => w.apart.length, show: agreement },
  { name: "seconds", title: "since the Aggregate before", numeric: true, value: (w) => w.seconds, show: (w) => fixed(w.seconds, 2) },
  { name: "bytes", title: "gradients and Aggregate", numeric: true, value: (w) => w.bytes, show: (w) => bytes(w.bytes) },
], (w) => String(w.window));

// tiles are the key figures. The element of each is made once.
const tileElements = new Map<string, { value: HTMLElement; more: HTMLElement }>();

function tile(name: string, value: string, more: string): void {
  let t = tileElements.get(name);
  if (!t) {
    t = { value: el("b", {}), more: el("small", {}) };
    tileElements.set(name, t);
    byId("tiles").append(el("div", { class: "tile" }, el("span", {}, name), t.value, t.more));
  }
  text(t.value, value);
  text(t.more, more);
}

function lastKnown(column: (number | null)[]): number | null {
  for (let i = column.length - 1; i >= 0; i--) if (column[i] != null) return column[i];
  return null;
}

// done is how many windows of the run have an Aggregate.
function done(v: View): number {
  const last = v.windows[v.windows.length - 1];
  return last ? last.window - v.run.start + 1 : 0;
}

function tiles(v: View): void {
  const loss = lastKnown(v.charts.held_out);
  const last = v.windows[v.windows.length - 1];
  tile("held-out loss", fixed(loss, 4), v.run.initial != null ? `from ${fixed(v.run.initial, 3)}` : "nats a token");
  tile("perplexity", loss == null ? dash : Math.exp(loss).toPrecision(4), v.run.unit === "byte" && loss != null ? `${(loss / Math.LN2).toFixed(3)} bits a byte` : `a ${v.run.unit}`);
  tile("tokens a second", compact(v.live.speed), `${compact(v.live.tokens)} in all`);
  tile("utilisation", percent(v.live.utilisation), "of the cores");
  tile("windows done", String(done(v)), v.run.windows ? `of ${v.run.windows}, ${duration(v.live.seconds)}` : duration(v.live.seconds));
  tile("state", last ? short(last.state) : dash, !last ? "" : last.apart.length ? `${last.apart.length} of ${last.nodes} apart` : last.nodes === 1 ? "of this node" : `all ${last.nodes} nodes agree`);
  tile("parameters", compact(v.run.parameters), v.run.preset ? `preset ${v.run.preset}` : "");
}

// clock draws the window's progress between two blocks too.
function clock(): void {
  if (!view) return;
  const l: Live = view.live;
  text(byId("window"), l.window ? String(l.window) : dash);
  text(byId("place"), l.index > 0 && view.run.windows ? `${Math.min(l.index, view.run.windows)} of ${view.run.windows}` : "");
  text(byId("block"), l.block ? String(l.block) : dash);
  const bar = byId("bar");
  const late = view.run.windows > 0 && l.index > view.run.windows; // the chain goes on
  const ended = view.closed || (late && done(view) >= view.run.windows);
  if (late || ended || !l.block || !l.blocks) {
    text(byId("left"), ended ? "the run has ended" : late ? `${view.run.windows - done(view)} windows to finish` : "");
    bar.hidden = true;
    return;
  }
  const age = l.age_millis + (performance.now() - received);
  const elapsed = (l.block - l.first) * l.block_millis + Math.min(age, 4 * l.block_millis);
  const share = Math.min(1, elapsed / (l.blocks * l.block_millis));
  bar.hidden = false;
  bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  (bar.firstElementChild as HTMLElement).style.width = 100 * share + "%";
  text(byId("left"), `${Math.max(0, Math.ceil((l.blocks * l.block_millis - elapsed) / 1000))} s left`);
}

// fate counts what became of the last gradients: the table shows a dozen miners at a time.
function fate(all: Peer[]): string {
  const selected = all.filter((p) => p.verdict), skipped = selected.filter((p) => p.verdict !== "ok").length;
  if (selected.length === 0) return "";
  const counts = [`${selected.length - skipped} in the last Aggregate`, skipped ? `${skipped} skipped` : "", selected.length < all.length ? `${all.length - selected.length} not selected` : ""];
  return counts.filter((x) => x).join(", ");
}

function log(v: View): void {
  const list = byId("log");
  const newest = v.notes.slice(-64).reverse();
  const mark = JSON.stringify(newest);
  if (list.dataset.mark === mark) return;
  list.dataset.mark = mark;
  list.replaceChildren(...newest.map((n) => {
    const at = new Date(n.time);
    return el("li", { class: n.level.toLowerCase() }, el("time", { datetime: at.toISOString() }, at.toLocaleTimeString()), el("span", { class: "level" }, n.level), el("span", {}, n.text));
  }));
}

function show(v: View): void {
  if (v.partial && view) {
    const rows = new Map(view.windows.map((w) => [w.window, w]));
    for (const w of v.windows) rows.set(w.window, w);
    v.windows = [...rows.values()].sort((a, b) => a.window - b.window).slice(-60);
    v.charts = merge(view.charts as Charts, v.charts);
  }
  view = v;
  received = performance.now();
  document.title = `${v.run.title || "Templar"} · window ${v.live.window}`;
  text(byId("title"), [v.run.title, v.run.corpus, v.run.version].filter((x) => x).join(" · "));
  text(byId("scorer"), [fate(v.miners), v.run.scored_by ? `scores of ${v.run.scored_by}; choose one for an explanation` : "not scored yet"].filter((x) => x).join("; "));
  charts.show(v.charts);
  tiles(v);
  miners.set(v.miners);
  nodes.set(v.nodes);
  windows.set([...v.windows].reverse());
  log(v);
  for (const [id, known] of [["nodes", !v.closed], ["log", !v.closed || v.notes.length > 0]] as const) byId(id).closest("article")!.hidden = !known; // a report has neither
  clock();
  document.body.dataset.ready = "1";
}

// connect reads the stream. The browser connects again after a failure, and gets a whole view.
function connect(): void {
  const link = byId("link");
  const state = (s: string) => { link.dataset.state = s; text(link, s); };
  const source = new EventSource("/api/stream");
  source.addEventListener("view", (e) => { state("live"); show(JSON.parse((e as MessageEvent<string>).data) as View); if (view?.closed) state("ended"); });
  source.addEventListener("update", (e) => { state("live"); show(JSON.parse((e as MessageEvent<string>).data) as View); });
  source.addEventListener("error", () => {
    state("connecting");
    if (source.readyState === EventSource.CLOSED) { source.close(); setTimeout(connect, 2000); }
  });
}

const dark = matchMedia("(prefers-color-scheme: dark)");
function theme(chosen?: string): void {
  if (chosen) localStorage.setItem("theme", chosen);
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
  charts.redraw();
}
dark.addEventListener("change", () => theme());
byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
byId("scale").addEventListener("click", (e) => {
  const b = e.currentTarget as HTMLElement, on = b.getAttribute("aria-pressed") !== "true";
  b.setAttribute("aria-pressed", String(on));
  charts.setLog(on);
});
const filter = byId<HTMLInputElement>("filter");
filter.addEventListener("input", () => miners.filter(filter.value));
byId("close").addEventListener("click", () => byId<HTMLDialogElement>("miner").close());
// At the end of the key press, so that the slash itself is not typed.
document.addEventListener("keyup", (e) => { if (e.key === "/" && !(e.target instanceof HTMLInputElement)) filter.focus(); });
theme();
setInterval(clock, 250);
connect();
