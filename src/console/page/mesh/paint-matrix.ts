import type { Cursor, Grid, View } from './matrix-view.js';
import { type Look, lookOf, MARKS } from './net.js';

const COLOURS: Readonly<Record<Look, string>> = {
  all: '--good',
  some: '--good',
  held: '--warn',
  foreign: '--edge',
  'break-glass': '--bad',
  closed: '--soft',
};
/** Smaller cells have no room for a mark. */
const MARKED = 12;

/** Paints the grid. Some requests are half a cell, everything a whole one. */
export function paint(canvas: HTMLCanvasElement, { order, cells }: Grid, view: View, cursor: Cursor): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  context.scale(scale, scale);
  const colourOf = (name: string) => {
    canvas.style.color = `var(${name})`;
    return getComputedStyle(canvas).color;
  };
  const size = Math.max(view.cell, 1);
  const x = (column: number) => (column - view.column) * view.cell;
  const y = (row: number) => (row - view.row) * view.cell;
  context.fillStyle = colourOf('--line');
  for (const [at, { group }] of order.entries()) {
    if (at === 0 || group === order[at - 1]?.group) continue;
    context.fillRect(x(at), 0, 1, Math.min(height, y(order.length)));
    context.fillRect(0, y(at), Math.min(width, x(order.length)), 1);
  }
  const colours = new Map(Object.entries(COLOURS).map(([look, name]) => [look, colourOf(name)]));
  const mark = colourOf('--surface');
  context.font = `700 ${Math.round(view.cell * 0.7)}px sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const [row, column, { sign }] of cells) {
    const [left, top] = [x(column), y(row)];
    if (left < -size || top < -size || left > width || top > height) continue;
    const look = lookOf(sign);
    context.fillStyle = colours.get(look) ?? '';
    const gap = view.cell >= 6 ? 1 : 0;
    const inset = look === 'some' && view.cell >= 6 ? view.cell / 4 : gap;
    context.fillRect(left + inset, top + inset, size - 2 * inset, size - 2 * inset);
    const text = MARKS[look];
    if (text === undefined || view.cell < MARKED) continue;
    context.fillStyle = mark;
    context.fillText(text, left + view.cell / 2, top + view.cell / 2 + 1);
  }
  context.strokeStyle = colourOf('--accent');
  context.lineWidth = 2;
  const [left, top] = [x(cursor.column), y(cursor.row)];
  context.strokeRect(left - 1, top - 1, size + 2, size + 2);
  context.globalAlpha = 0.35;
  context.strokeRect(-2, top + size / 2, width + 4, 0);
  context.strokeRect(left + size / 2, -2, 0, height + 4);
  canvas.style.color = '';
}
