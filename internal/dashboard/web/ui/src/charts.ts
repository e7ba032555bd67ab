// Curves, drawn by uPlot. Colours are those of Okabe and Ito, which people with colour blindness can
// tell apart; curves beyond their number repeat the colours with other dashes.
import uPlot from "../vendor/uPlot.esm.js";
import type { Charts, Maybe } from "./types";

const dashes = [[], [6, 4], [2, 3], [10, 3, 2, 3]];

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const colour = (i: number) => () => css("--c" + (i % 7));

function axis(values?: (u: uPlot, splits: number[]) => string[]): uPlot.Axis {
  return {
    stroke: () => css("--dim"), grid: { stroke: () => css("--grid"), width: 1 }, ticks: { stroke: () => css("--grid"), width: 1 },
    font: "12px system-ui, sans-serif", ...(values ? { values } : {}),
  };
}

// windows are whole numbers: a tick between two of them would name none.
const whole = Array.from({ length: 9 }, (_, e) => [1, 2, 5].map((m) => m * 10 ** e)).flat();

const number = (v: Maybe) => (v == null ? "–" : v.toFixed(3));

// spread is the highest, the median and the lowest of many curves: more than a few cannot be told apart.
function spread(rows: number, columns: Maybe[][]): Maybe[][] {
  const out: Maybe[][] = [[], [], []];
  for (let i = 0; i < rows; i++) {
    const known = columns.map((c) => c[i]).filter((v): v is number => v != null).sort((a, b) => a - b);
    out[0].push(known.length ? known[known.length - 1] : null);
    out[1].push(known.length ? known[Math.floor(known.length / 2)] : null);
    out[2].push(known.length ? known[0] : null);
  }
  return out;
}

// latest fills a legend with the last value of each curve while no window is pointed at.
function latest(u: uPlot): void {
  if ((u.cursor.left ?? -1) >= 0) return;
  const last = (column: Maybe[]) => {
    let i = column.length - 1;
    while (i > 0 && column[i] == null) i--;
    return i;
  };
  if (u.data[0].length === 0) return;
  const at = u.data.slice(1).map((column) => last(column as Maybe[]));
  u.setLegend({ idxs: [Math.max(...at), ...at] }, false);
}

class Chart {
  private plot: uPlot | null = null;
  constructor(private host: HTMLElement, private height: number) {
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(host);
  }

  private size() {
    return { width: Math.max(200, this.host.clientWidth), height: this.height };
  }

  // make draws with other curves or scales than before.
  make(series: uPlot.Series[], scales: uPlot.Scales, axes: uPlot.Axis[], data: uPlot.AlignedData, bands: uPlot.Band[] = []): void {
    this.plot?.destroy();
    const [first, ...others] = axes;
    this.plot = new uPlot(
      {
        ...this.size(), series: [{ label: "window" }, ...series], scales: { x: { time: false }, ...scales }, axes: [{ ...first, incrs: whole }, ...others], bands, legend: { live: true },
        cursor: { points: { size: 6 } }, hooks: { setLegend: [latest] },
      },
      data, this.host,
    );
    this.idle();
  }

  set(data: uPlot.AlignedData): void {
    this.plot?.setData(data);
    this.idle();
  }

  // idle marks a chart of curves without any value, so that its empty grid is not taken for zeros.
  private idle(): void {
    if (!this.plot) return;
    latest(this.plot);
    const known = this.plot.data.slice(1).some((column) => (column as Maybe[]).some((v) => v != null));
    this.host.toggleAttribute("data-empty", !known);
  }

  redraw(): void { this.plot?.redraw(false, true); }
}

export class ChartSet {
  private loss: Chart;
  private load: Chart;
  private time: Chart;
  private tasks: Chart;
  private log = false;
  private nodes = "";
  private measured = "";
  private charts: Charts | null = null;

  constructor(private hosts: { loss: HTMLElement; load: HTMLElement; time: HTMLElement; tasks: HTMLElement }) {
    this.loss = new Chart(hosts.loss, 300);
    this.load = new Chart(hosts.load, 190);
    this.time = new Chart(hosts.time, 190);
    this.tasks = new Chart(hosts.tasks, 260);
  }

  setLog(on: boolean): void {
    this.log = on;
    this.nodes = "";
    this.draw();
  }

  redraw(): void {
    this.nodes = this.measured = ""; // legends take their colours when they are made
    this.draw();
  }

  show(c: Charts): void {
    this.charts = c;
    this.draw();
  }

  private draw(): void {
    const c = this.charts;
    if (!c) return;
    const names = Object.keys(c.training).sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    const many = names.length > 8;
    const training = many ? spread(c.window.length, names.map((n) => c.training[n])) : names.map((n) => c.training[n]);
    const loss = [c.window, ...training, c.held_out] as uPlot.AlignedData;
    const load = [c.window, c.utilisation.map((v) => (v == null ? null : 100 * v))] as uPlot.AlignedData;
    const time = [c.window, c.seconds, c.skipped] as uPlot.AlignedData;
    this.drawTasks(c);
    if (this.nodes !== names.join("\n") + "!") {
      this.nodes = names.join("\n") + "!";
      this.make(names, loss, load, time);
      return;
    }
    this.loss.set(loss);
    this.load.set(load);
    this.time.set(time);
  }

  // drawTasks draws the results of an evaluator, of which there are none in most runs: few points, joined by lines.
  private drawTasks(c: Charts): void {
    const names = Object.keys(c.tasks).sort();
    (this.hosts.tasks.parentElement as HTMLElement).hidden = names.length === 0;
    if (names.length === 0) return;
    const data = [c.window, ...names.map((n) => c.tasks[n].map((v) => (v == null ? null : 100 * v)))] as uPlot.AlignedData;
    if (this.measured === names.join("\n")) {
      this.tasks.set(data);
      return;
    }
    this.measured = names.join("\n");
    this.tasks.make(names.map((label, i) => ({
      label, stroke: colour(i), width: 1.6, dash: dashes[Math.floor(i / 7) % dashes.length], spanGaps: true,
      value: (_u: uPlot, v: Maybe) => (v == null ? "–" : v.toFixed(1) + " %"), points: { show: true, size: 5 },
    })), { y: { range: (_u, low, high) => (low == null ? [0, 100] : [Math.max(0, low - 5), Math.min(100, high + 5)]) } },
      [axis(), { ...axis((_u, s) => s.map((v) => v + " %")), incrs: [1, 2, 5, 10, 20] }], data);
  }

  private make(names: string[], loss: uPlot.AlignedData, load: uPlot.AlignedData, time: uPlot.AlignedData): void {
    const value = (_: uPlot, v: Maybe) => number(v);
    const curve = (label: string, i: number): uPlot.Series => ({
      label, stroke: colour(i), width: 1.2, dash: dashes[Math.floor(i / 7) % dashes.length], spanGaps: true, value, points: { show: false },
    });
    const many = names.length > 8;
    const curves: uPlot.Series[] = [
      ...(many ? ["highest", `median of ${names.length} miners`, "lowest"].map((n, i) => curve(n, i)) : names.map(curve)),
      { label: "held-out", stroke: () => css("--fg"), width: 2.5, spanGaps: true, value, points: { show: false } },
    ];
    const linear: uPlot.Scale = { range: (_u, low, high) => (low == null ? [0, 1] : [low - 0.04 * (high - low || 1), high + 0.04 * (high - low || 1)]) };
    const log: uPlot.Scale = { distr: 3, log: 10, range: (_u, low, high) => (low == null || low <= 0 ? [0.1, 10] : [low * 0.97, high * 1.03]) };
    this.loss.make(curves, { y: this.log ? log : linear }, [axis(), axis((_u, splits) => splits.map((v) => (v == null ? "" : String(+v.toPrecision(3)))))], loss,
      many ? [{ series: [1, 3], fill: () => css("--faint") }] : []);
    this.load.make([{ label: "utilisation", stroke: colour(0), width: 1.6, spanGaps: true, value: (_u, v) => (v == null ? "–" : v.toFixed(1) + " %"), points: { show: false } }],
      { y: { range: () => [0, 100] } }, [axis(), axis((_u, s) => s.map((v) => v + " %"))], load);
    this.time.make([
      { label: "seconds", stroke: colour(2), width: 1.6, spanGaps: true, value: (_u, v) => (v == null ? "–" : v.toFixed(2)), points: { show: false } },
      { label: "skipped", stroke: colour(4), width: 1.4, dash: [6, 4], scale: "n", value: (_u, v) => (v == null ? "–" : String(v)), points: { show: false } },
    ], { y: { range: (_u, _low, high) => [0, (high || 1) * 1.05] }, n: { range: (_u, _low, high) => [0, Math.max(4, high || 0)] } },
      [axis(), axis(), { ...axis((_u, s) => s.map((v) => (Number.isInteger(v) ? String(v) : ""))), side: 1, scale: "n", grid: { show: false } }], time);
  }
}

// merge adds the rows of an update: windows that are there are replaced, later ones appended.
export function merge(all: Charts, update: Charts): Charts {
  update.window.forEach((w, i) => {
    let at = all.window.length - 1;
    while (at >= 0 && all.window[at] > w) at--;
    if (at < 0 || all.window[at] !== w) {
      if (at !== all.window.length - 1) return; // an old window that the view has left out
      at = all.window.length;
      all.window.push(w);
      for (const columns of [all.training, all.tasks]) for (const n of Object.keys(columns)) columns[n].push(null);
    }
    all.held_out[at] = update.held_out[i];
    all.utilisation[at] = update.utilisation[i];
    all.seconds[at] = update.seconds[i];
    all.skipped[at] = update.skipped[i];
    for (const [into, from] of [[all.training, update.training], [all.tasks, update.tasks]]) {
      for (const [n, column] of Object.entries(from)) {
        if (!into[n]) into[n] = all.window.map(() => null);
        into[n][at] = column[i];
      }
    }
  });
  return all;
}
