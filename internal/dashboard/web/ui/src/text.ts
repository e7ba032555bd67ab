// Numbers as text. What is not known is a dash.
import type { Maybe } from "./types";

export const dash = "–";

export function fixed(v: Maybe | undefined, digits = 3): string {
  return v == null || !isFinite(v) ? dash : v.toFixed(digits);
}

export function compact(v: Maybe | undefined): string {
  if (v == null || !isFinite(v)) return dash;
  const units = ["", "k", "M", "G", "T"];
  let i = 0;
  while (Math.abs(v) >= 1000 && i < units.length - 1) { v /= 1000; i++; }
  return (i === 0 ? Math.round(v).toString() : v.toPrecision(3)) + units[i];
}

export function bytes(v: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (v >= 1024 && i < units.length - 1) { v /= 1024; i++; }
  return (i === 0 ? v.toString() : v.toFixed(1)) + " " + units[i];
}

export function percent(v: Maybe | undefined, digits = 1): string {
  return v == null || !isFinite(v) ? dash : (100 * v).toFixed(digits) + " %";
}

export function duration(seconds: Maybe | undefined): string {
  if (seconds == null || !isFinite(seconds)) return dash;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
}

export const short = (hash: string): string => hash.slice(0, 8);
