// What explains a miner's score: its standing, the rules that changed it, and the last windows.
import { byId, el, svg, type Content } from "./dom";
import { dash, fixed, percent } from "./text";
import type { Peer, Scored, Standing } from "./types";

// rating draws mu and 3 sigma on both sides of it, on a scale from 0 to 50.
export function rating(s: Standing | null): Content {
  if (!s) return dash;
  const x = (v: number) => Math.max(1, Math.min(99, 2 * v));
  const low = x(s.mu - 3 * s.sigma), high = x(s.mu + 3 * s.sigma), mid = x(s.mu);
  const g = svg("svg", { viewBox: "0 0 100 16", width: 100, height: 16, "aria-hidden": "true" },
    svg("line", { x1: low, x2: high, y1: 8, y2: 8, class: "whisker" }),
    svg("line", { x1: low, x2: low, y1: 4, y2: 12, class: "whisker" }),
    svg("line", { x1: high, x2: high, y1: 4, y2: 12, class: "whisker" }),
    svg("circle", { cx: mid, cy: 8, r: 3.2, class: "mean" }));
  return el("span", { class: "rating", title: `mu ${s.mu.toFixed(2)}, sigma ${s.sigma.toFixed(2)}` }, g, `${s.mu.toFixed(1)} ± ${(3 * s.sigma).toFixed(1)}`);
}

// verdict is a word with a mark, so that its meaning does not depend on its colour.
export function verdict(v: string): HTMLElement {
  if (!v) return el("span", { class: "chip" }, "not selected");
  return el("span", { class: v === "ok" ? "chip ok" : "chip bad" }, (v === "ok" ? "✓ " : "✗ ") + v);
}

function facts(rows: [string, string][]): HTMLElement {
  const dl = el("dl", {});
  for (const [k, v] of rows) dl.append(el("dt", {}, k), el("dd", {}, v));
  return dl;
}

const loss = (v: number | string | undefined) => (typeof v === "number" ? v.toFixed(4) : v ?? dash);

function history(rows: Scored[]): HTMLElement {
  if (rows.length === 0) return el("p", { class: "dim" }, "No scores are known to this process.");
  const body = el("tbody", {});
  for (const r of [...rows].reverse()) {
    body.append(el("tr", {}, el("td", { class: "n" }, String(r.window)), el("td", {}, r.evaluated ? "yes" : "no"),
      el("td", { class: "n" }, r.evaluated ? percent(r.own_improvement, 2) : dash), el("td", { class: "n" }, r.evaluated ? percent(r.random_improvement, 2) : dash),
      el("td", { class: "n" }, fixed(r.after.final, 2)), el("td", { class: "n" }, percent(r.weight)), el("td", { class: "why" }, (r.notes ?? []).join("; "))));
  }
  const head = el("tr", {});
  for (const h of ["window", "evaluated", "own pages", "random pages", "score", "weight", "why it changed"]) head.append(el("th", { scope: "col" }, h));
  return el("div", { class: "scroll", tabindex: "0" }, el("table", {}, el("thead", {}, head), body));
}

// formula says what the final score is a product of: a relative gain by the rule "work", the ordinal by the original's.
function formula(p: Peer, s: Standing): string {
  const binary = `binary average ${fixed(s.binary_average, 3)}`;
  const parts = p.relative_gain == null ? [`ordinal ${fixed(s.ordinal, 2)}`, `max(0, ${binary})`] : [`gain relative to other miners ${fixed(p.relative_gain, 3)}`, `${binary}, as far as it is above chance`];
  return `Final score ${fixed(s.final, 3)}: ${parts.join(" × ")} × sync ${fixed(s.sync_score, 3)}, less penalties.`;
}

// explain opens the dialog of a miner.
export async function explain(p: Peer, scoredBy: string): Promise<void> {
  const dialog = byId<HTMLDialogElement>("miner");
  byId("minerTitle").textContent = `${p.node || "miner"}, uid ${p.uid}`;
  const s = p.standing;
  const body = byId("minerBody");
  const parts: Content[] = [el("p", { class: "dim mono" }, p.hotkey)];
  if (!s) parts.push(el("p", {}, "No validator has scored this miner yet."));
  else {
    parts.push(el("p", {}, `${formula(p, s)} Weight ${percent(s.weight)} at ${scoredBy}.`));
    parts.push(facts([
      ["rating", `mu ${fixed(s.mu, 2)}, sigma ${fixed(s.sigma, 2)}: ordinal ${fixed(s.ordinal, 2)}`], ["gradient score", fixed(s.gradient_score, 4)],
      ["evaluations", `${s.evaluations}, last in window ${s.evaluations ? s.last_evaluated : dash}`], ["inactive windows", String(s.inactive_windows)],
      ["loss on own pages", `${loss(s.losses?.own_before)} → ${loss(s.losses?.own_after)}`], ["loss on random pages", `${loss(s.losses?.random_before)} → ${loss(s.losses?.random_after)}`],
    ]));
    if (s.notes?.length) parts.push(el("ul", {}, ...s.notes.map((n) => el("li", {}, n))));
  }
  const place = el("div", {}, el("p", { class: "dim" }, "loading"));
  body.replaceChildren(...(parts.filter((x) => x != null) as Node[]), place);
  if (!dialog.open) dialog.showModal();
  try {
    const answer = await fetch(`/api/miner?uid=${p.uid}`);
    if (!answer.ok) throw new Error(String(answer.status));
    place.replaceChildren(history((await answer.json()) as Scored[]));
  } catch {
    place.replaceChildren(el("p", { class: "dim" }, "The last windows cannot be read now."));
  }
}
