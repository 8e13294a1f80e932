import { compareText } from '../../../model/compare-text.js';
import type { Link, Vertex } from './net.js';

/** Rows call columns. Both are in the order of their groups, and of their names within one. */
export interface Grid {
  readonly order: readonly Vertex[];
  readonly cells: readonly (readonly [row: number, column: number, link: Link])[];
  /** By row and column. */
  readonly at: (row: number, column: number) => Link | undefined;
}

export function toGrid(vertices: readonly Vertex[], links: readonly Link[]): Grid {
  const order = vertices.toSorted((a, b) => compareText(a.group, b.group) || compareText(a.name, b.name));
  const places = new Map(order.map((each, at) => [each, at]));
  const byPlace = new Map<number, Link>();
  const cells = links.flatMap((link) => {
    const [row, column] = [places.get(link.from), places.get(link.to)];
    if (row === undefined || column === undefined) return [];
    byPlace.set(row * order.length + column, link);
    return [[row, column, link] as const];
  });
  return { order, cells, at: (row, column) => byPlace.get(row * order.length + column) };
}

export interface Cursor {
  readonly row: number;
  readonly column: number;
}

const STEPS: Readonly<Record<string, readonly [row: number, column: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-20, 0],
  PageDown: [20, 0],
};

/** Where a key leads; `isFar`: to the next edge in this direction. Undefined for a key that moves nothing. */
export function moved({ order, cells }: Grid, from: Cursor, key: string, isFar: boolean): Cursor | undefined {
  const last = order.length - 1;
  if (key === 'Home') return { ...from, column: 0 };
  if (key === 'End') return { ...from, column: last };
  const step = STEPS[key];
  if (step === undefined) return undefined;
  const [down, right] = step;
  if (isFar) {
    const ahead = cells.flatMap(([row, column]) => {
      const isInLine = down === 0 ? row === from.row : column === from.column;
      const distance = (row - from.row) * Math.sign(down) + (column - from.column) * right;
      return isInLine && distance > 0 ? [{ row, column, distance }] : [];
    });
    const next = ahead.toSorted((a, b) => a.distance - b.distance)[0];
    return next === undefined ? from : { row: next.row, column: next.column };
  }
  const within = (at: number) => Math.max(0, Math.min(last, at));
  return { row: within(from.row + down), column: within(from.column + right) };
}

/** What part of the grid the image shows: pixels of one cell, and the first row and column. */
export interface View {
  readonly cell: number;
  readonly row: number;
  readonly column: number;
}

/** The view at this size of a cell with the cursor in it, moved no more than that needs. */
export function showing(
  view: View,
  { row, column }: Cursor,
  size: { readonly width: number; readonly height: number },
): View {
  const within = (first: number, at: number, pixels: number) => {
    const seen = Math.max(1, Math.floor(pixels / view.cell) - 1);
    return Math.max(0, at < first ? at : at > first + seen ? at - seen : first);
  };
  return {
    ...view,
    row: within(view.row, row, size.height),
    column: within(view.column, column, size.width),
  };
}
