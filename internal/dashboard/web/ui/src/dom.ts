// The few things that the page does with elements. Text from the server is only ever set as text.

export function byId<T extends HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error("no element " + id);
  return e as T;
}

export type Content = string | Node | null | undefined;

export function el(tag: string, attributes: Record<string, string> = {}, ...content: Content[]): HTMLElement {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  for (const c of content) if (c != null) e.append(c);
  return e;
}

const svgSpace = "http://www.w3.org/2000/svg";

export function svg(tag: string, attributes: Record<string, string | number>, ...content: Node[]): SVGElement {
  const e = document.createElementNS(svgSpace, tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, String(v));
  e.append(...content);
  return e;
}

export function text(e: Element, value: string): void {
  if (e.textContent !== value) e.textContent = value;
}
