// The records of view.go.
export type Maybe = number | null;
export type Losses = { own_before: number | string; own_after: number | string; random_before: number | string; random_after: number | string };
export type Standing = {
  mu: number; sigma: number; ordinal: number; gradient_score: number; binary_average: number; sync_score: number; final: number;
  weight: number; evaluations: number; last_evaluated: number; inactive_windows: number; losses?: Losses; notes?: string[];
};
export type Peer = {
  uid: number; node: string; hotkey: string; verdict: string; loss: Maybe; speed: Maybe; utilisation: Maybe; tokens: number; bytes: number;
  relative_gain: Maybe; standing: Standing | null;
};
export type Node = { name: string; role: string; uid: number; phase: string; last: string; bad: boolean; up: number; down: number };
export type Win = {
  window: number; held_out: Maybe; aggregate: string; state: string; nodes: number; apart: string[]; included: number[];
  skipped: Record<string, string>; seconds: Maybe; bytes: number;
};
export type Charts = { window: number[]; held_out: Maybe[]; utilisation: Maybe[]; seconds: Maybe[]; skipped: number[]; training: Record<string, Maybe[]>; tasks: Record<string, Maybe[]> };
export type Note = { time: number; level: string; text: string };
export type Run = {
  title: string; version: string; preset: string; seed: number; corpus: string; unit: string; parameters: number; start: number; windows: number;
  unigram: Maybe; initial: Maybe; scored_by: string;
};
export type Live = {
  window: number; index: number; block: number; first: number; blocks: number; block_millis: number; age_millis: number; tokens: number;
  speed: Maybe; utilisation: Maybe; seconds: Maybe;
};
export type View = { partial: boolean; closed: boolean; run: Run; live: Live; charts: Charts; windows: Win[]; miners: Peer[]; nodes: Node[]; notes: Note[] };
export type Scored = {
  window: number; evaluated: boolean; own_improvement: number; random_improvement: number; weight: number; notes: string[] | null; verdict?: string;
  before: Standing; after: Standing; losses?: Losses;
};
