// Tables that sort by a click or a key on a header, and keep their rows between updates, so that the
// focus and the scroll position stay.
import { el, type Content } from "./dom";

export type Column<T> = {
  name: string;
  title: string;
  value?: (row: T) => number | string | null; // to sort by; absent: not sorted
  show: (row: T) => Content;
  numeric?: boolean;
};

export class Table<T> {
  private rows: T[] = [];
  private sort: { column: Column<T>; down: boolean } | null = null;
  private kept = new Map<string, { row: HTMLTableRowElement; shown: string[] }>();
  private words = "";

  constructor(
    private table: HTMLTableElement,
    private columns: Column<T>[],
    private key: (row: T) => string,
    private open?: (row: T) => void,
  ) {
    const head = table.tHead!.rows[0];
    for (const c of columns) {
      const th = el("th", { scope: "col", title: c.title, ...(c.numeric ? { class: "n" } : {}) });
      if (c.value) {
        const b = el("button", { type: "button" }, c.name);
        b.addEventListener("click", () => this.by(c));
        th.append(b);
      } else th.append(c.name);
      head.append(th);
    }
  }

  // by sorts by a column: numbers from the greatest on at first, and the other way at the second time.
  private by(c: Column<T>): void {
    this.sort = { column: c, down: this.sort?.column === c ? !this.sort.down : !!c.numeric };
    [...this.table.tHead!.rows[0].cells].forEach((th, i) => {
      if (this.columns[i] === c) th.setAttribute("aria-sort", this.sort!.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    this.draw();
  }

  set(rows: T[]): void {
    this.rows = rows;
    this.draw();
  }

  filter(words: string): void {
    this.words = words.trim().toLowerCase();
    this.draw();
  }

  private sorted(): T[] {
    if (!this.sort) return this.rows;
    const { column, down } = this.sort;
    const sign = down ? -1 : 1;
    return [...this.rows].sort((a, b) => {
      const x = column.value!(a), y = column.value!(b);
      if (x == null || y == null) return x == null ? (y == null ? 0 : 1) : -1; // what is not known comes last
      return sign * (typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y);
    });
  }

  private make(r: T): { row: HTMLTableRowElement; shown: string[] } {
    const row = document.createElement("tr");
    for (const c of this.columns) row.append(el("td", c.numeric ? { class: "n" } : {}));
    if (this.open) {
      row.tabIndex = 0;
      row.setAttribute("role", "button");
    }
    return { row, shown: [] };
  }

  private draw(): void {
    const body = this.table.tBodies[0];
    const seen = new Set<string>();
    let at = 0;
    for (const r of this.sorted()) {
      const key = this.key(r);
      let k = this.kept.get(key);
      if (!k) this.kept.set(key, (k = this.make(r)));
      const { row, shown } = k;
      this.columns.forEach((c, i) => {
        const content = c.show(r) ?? "";
        const mark = typeof content === "string" ? content : (content as Element).outerHTML;
        if (shown[i] !== mark) {
          row.cells[i].replaceChildren(content);
          shown[i] = mark;
        }
      });
      if (this.words && !row.textContent!.toLowerCase().includes(this.words)) continue;
      seen.add(key);
      if (this.open) {
        row.onclick = () => this.open!(r);
        const chosen = (e: KeyboardEvent) => e.key === "Enter" || e.key === " ";
        row.onkeydown = (e) => { if (chosen(e)) e.preventDefault(); }; // space would scroll
        row.onkeyup = (e) => { if (chosen(e)) this.open!(r); }; // not before: the same press would reach what opens
      }
      if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null);
      at++;
    }
    for (const [key, k] of this.kept) if (!seen.has(key)) { k.row.remove(); this.kept.delete(key); }
  }
}
