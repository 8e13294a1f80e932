import { expect, it } from 'vitest';
import { moved, showing, toGrid } from '../../../../src/console/page/mesh/matrix-view.js';
import type { Link, Vertex } from '../../../../src/console/page/mesh/net.js';

const vertex = (name: string, group: string): Vertex => ({ name, group, callers: 0, calls: 0 });
const [web, api, db] = [vertex('web', 'shop'), vertex('api', 'pay'), vertex('db', 'pay')];
const link = (from: Vertex, to: Vertex): Link => ({
  key: `${from.name} > ${to.name}`,
  from,
  to,
  sign: { state: 'open', access: 'all', methods: null, user: false },
  scopes: [],
});
const GRID = toGrid([web, db, api], [link(web, api), link(api, db), link(web, db)]);

it('has rows and columns by group and name, and each edge in its cell', () => {
  expect(GRID.order.map(({ name }) => name)).toEqual(['api', 'db', 'web']);
  expect(GRID.at(2, 0)?.key).toBe('web > api');
  expect(GRID.at(0, 1)?.key).toBe('api > db');
  expect(GRID.at(1, 0)).toBeUndefined();
});

it('moves by one cell and stays inside, or to the next edge', () => {
  const from = { row: 2, column: 0 };
  expect(moved(GRID, from, 'ArrowRight', false)).toEqual({ row: 2, column: 1 });
  expect(moved(GRID, from, 'ArrowLeft', false)).toEqual(from);
  expect(moved(GRID, from, 'PageUp', false)).toEqual({ row: 0, column: 0 });
  expect(moved(GRID, { row: 2, column: 1 }, 'ArrowUp', true)).toEqual({ row: 0, column: 1 });
  expect(moved(GRID, from, 'ArrowDown', true)).toEqual(from);
  expect(moved(GRID, from, 'End', false)).toEqual({ row: 2, column: 2 });
  expect(moved(GRID, from, 'a', false)).toBeUndefined();
});

it('shows the cursor, and moves no more than that needs', () => {
  const view = { cell: 10, row: 50, column: 50 };
  const size = { width: 100, height: 100 };
  expect(showing(view, { row: 55, column: 58 }, size)).toEqual(view);
  expect(showing(view, { row: 40, column: 70 }, size)).toEqual({ cell: 10, row: 40, column: 61 });
});
