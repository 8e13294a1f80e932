import { compareText } from '../../../model/compare-text.js';
import { groupBy } from '../../../model/group-by.js';

/** What is placed: in the order of their names, and what connects them. */
export interface Graph {
  /** So many arrows that they run behind the nodes, which are close together. */
  readonly isDense: boolean;
  readonly nodes: readonly {
    readonly id: string /** Fixed, or chosen by the arrows. */;
    readonly layer?: number;
  }[];
  readonly arrows: readonly { readonly id: string; readonly from: string; readonly to: string }[];
}

/** In columns and rows. A row may be between two others. */
export interface Place {
  readonly layer: number;
  readonly row: number;
}

export interface Layout {
  readonly places: ReadonlyMap<string, Place>;
  /** Where a long arrow passes through the columns between its ends, from its start. */
  readonly ways: ReadonlyMap<string, readonly Place[]>;
}

const SWEEPS = 12;
/** Of a node, and of an arrow that passes a column: how much room each needs, in rows. */
const ROOM = { node: 1, way: 0.45 };

/**
 * Places nodes in columns from callers to callees, so that few arrows cross. The same graph gives the same places. With the
 * places of before, nothing that has a place moves: what is new comes below.
 */
export function layOut(graph: Graph, before?: Layout): Layout {
  const known = graph.nodes.some(({ id }) => before?.places.has(id));
  return before !== undefined && known ? append(graph, before) : fromScratch(graph);
}

function append({ nodes, arrows }: Graph, { places: old, ways }: Layout): Layout {
  const places = new Map([...old].filter(([id]) => nodes.some((node) => node.id === id)));
  for (const { id, layer } of nodes) {
    if (places.has(id)) continue;
    const caller = arrows.find(({ from, to }) => to === id && places.has(from));
    const callee = arrows.find(({ from, to }) => from === id && places.has(to));
    const beside =
      caller !== undefined
        ? (places.get(caller.from)?.layer ?? 0) + 1
        : callee === undefined
          ? 0
          : (places.get(callee.to)?.layer ?? 0) - 1;
    const layers = [...old.values()].map((place) => place.layer);
    const at = layer ?? Math.max(Math.min(...layers), Math.min(Math.max(...layers), beside));
    const rows = [...places.values()].filter((place) => place.layer === at).map(({ row }) => row);
    places.set(id, { layer: at, row: Math.max(-1, ...rows) + 1 });
  }
  return { places, ways: new Map(arrows.flatMap(({ id }) => [[id, ways.get(id) ?? []] as const])) };
}

interface Item {
  readonly id: string;
  readonly room: number;
  readonly layer: number;
  /** Of the column before, and of the next one. */
  readonly near: readonly [string[], string[]];
}

function fromScratch({ nodes, arrows, isDense }: Graph): Layout {
  const ids = nodes.map(({ id }) => id).toSorted();
  const isThere = new Set(ids);
  const real = arrows.filter(({ from, to }) => from !== to && isThere.has(from) && isThere.has(to));
  const layers = layersOf(nodes, ids, real, isDense);
  const items = new Map<string, Item>();
  const add = (id: string, layer: number, room: number) => items.set(id, { id, layer, room, near: [[], []] });
  for (const id of ids) add(id, layers.get(id) ?? 0, ROOM.node);
  const through = new Map<string, readonly string[]>();
  for (const { id, from, to } of real.toSorted((a, b) => compareText(a.id, b.id))) {
    const [start, end] = [layers.get(from) ?? 0, layers.get(to) ?? 0];
    const step = Math.sign(end - start);
    const way: string[] = [];
    for (let layer = start + step; !isDense && step !== 0 && layer !== end; layer += step) {
      way.push(`${id} ${layer}`);
      add(`${id} ${layer}`, layer, ROOM.way);
    }
    through.set(id, way);
    const chain = [from, ...way, to];
    if (step === 0) continue;
    if (isDense) {
      items.get(from)?.near[step > 0 ? 1 : 0].push(to);
      items.get(to)?.near[step > 0 ? 0 : 1].push(from);
      continue;
    }
    for (const [at, next] of chain.slice(1).entries()) {
      const [left, right] = step > 0 ? [chain[at], next] : [next, chain[at]];
      if (left === undefined || right === undefined) continue;
      items.get(left)?.near[1].push(right);
      items.get(right)?.near[0].push(left);
    }
  }
  const columns = columnsOf(items);
  const rows = isDense ? packed(columns) : rowsOf(columns, items);
  const placeOf = (id: string) => ({ layer: items.get(id)?.layer ?? 0, row: rows.get(id) ?? 0 });
  return {
    places: new Map(ids.map((id) => [id, placeOf(id)])),
    ways: new Map([...through].map(([id, way]) => [id, way.map(placeOf)])),
  };
}

/** Each node one column after the last of its callers. An arrow that closes a circle does not count. */
function layersOf(
  nodes: Graph['nodes'],
  ids: readonly string[],
  arrows: Graph['arrows'],
  isDense: boolean,
): ReadonlyMap<string, number> {
  const fixed = new Map(
    nodes.flatMap(({ id, layer }) => (layer === undefined ? [] : [[id, layer] as const])),
  );
  if (fixed.size > 0) return fixed;
  const after = new Map<string, string[]>(ids.map((id) => [id, []]));
  const callers = new Map<string, number>(ids.map((id) => [id, 0]));
  for (const { from, to } of arrows.toSorted((a, b) => compareText(a.id, b.id))) {
    after.get(from)?.push(to);
    callers.set(to, (callers.get(to) ?? 0) + 1);
  }
  if (isDense) return byBalance(ids, after, callers);
  const state = new Map<string, 'open' | 'done'>();
  const order: string[] = [];
  const forward = new Map<string, string[]>(ids.map((id) => [id, []]));
  const visit = (id: string) => {
    state.set(id, 'open');
    for (const next of after.get(id) ?? []) {
      if (state.get(next) === 'open') continue;
      forward.get(id)?.push(next);
      if (!state.has(next)) visit(next);
    }
    state.set(id, 'done');
    order.push(id);
  };
  for (const id of ids.toSorted((a, b) => (callers.get(a) ?? 0) - (callers.get(b) ?? 0)))
    if (!state.has(id)) visit(id);
  const layers = new Map(ids.map((id) => [id, 0]));
  for (const id of order.toReversed())
    for (const next of forward.get(id) ?? [])
      layers.set(next, Math.max(layers.get(next) ?? 0, (layers.get(id) ?? 0) + 1));
  const most = Math.max(6, Math.ceil(Math.sqrt(ids.length)) + 1);
  return Math.max(...layers.values()) < most ? layers : byBalance(ids, after, callers);
}

/** For a mesh in which nearly every service is on a circle: services that mostly call are on the left, and services that are mostly called on the right. */
function byBalance(
  ids: readonly string[],
  after: ReadonlyMap<string, readonly string[]>,
  callers: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const columns = Math.max(1, Math.ceil(Math.sqrt(ids.length * 0.55)));
  const balanceOf = (id: string) => {
    const [calls, called] = [after.get(id)?.length ?? 0, callers.get(id) ?? 0];
    return (called - calls) / Math.max(1, called + calls);
  };
  const order = ids.toSorted((a, b) => balanceOf(a) - balanceOf(b));
  return new Map(order.map((id, at) => [id, Math.floor((at / order.length) * columns)]));
}

/** The columns, each in an order in which few arrows cross: again and again each item goes to the mean of its neighbours. */
function columnsOf(items: ReadonlyMap<string, Item>): readonly (readonly Item[])[] {
  let columns = [...groupBy(items.values(), ({ layer }) => layer)]
    .sort(([a], [b]) => a - b)
    .map(([, column]) => column);
  let best = { columns, crossings: crossingsOf(columns) };
  for (let sweep = 0; sweep < SWEEPS && best.crossings > 0; sweep++) {
    const isForth = sweep % 2 === 0;
    const places = new Map(columns.flatMap((column) => column.map(({ id }, at) => [id, at / column.length])));
    columns = [...columns];
    for (const at of isForth ? columns.keys() : [...columns.keys()].reverse()) {
      const wanted = (item: Item) => mean(item.near[isForth ? 0 : 1], places) ?? places.get(item.id) ?? 0;
      const column = (columns[at] ?? [])
        .map((item) => ({ item, at: wanted(item) }))
        .sort((a, b) => a.at - b.at);
      columns[at] = column.map(({ item }) => item);
      for (const [row, { item }] of column.entries()) places.set(item.id, row / column.length);
    }
    const crossings = crossingsOf(columns);
    if (crossings < best.crossings) best = { columns, crossings };
  }
  return best.columns;
}

function crossingsOf(columns: readonly (readonly Item[])[]): number {
  let count = 0;
  for (const [at, column] of columns.entries()) {
    const next = new Map(columns[at + 1]?.map(({ id }, row) => [id, row]));
    const ends = column.flatMap(({ near }) => near[1].map((id) => next.get(id) ?? 0).sort((a, b) => a - b));
    for (const [first, end] of ends.entries())
      for (let second = first + 1; second < ends.length; second++) if ((ends[second] ?? 0) < end) count++;
  }
  return count;
}

/** One below the other, each column around the same middle. */
function packed(columns: readonly (readonly Item[])[]): ReadonlyMap<string, number> {
  const most = Math.max(0, ...columns.map(({ length }) => length));
  return new Map(
    columns.flatMap((column) => column.map(({ id }, at) => [id, at + (most - column.length) / 2])),
  );
}

/** The row of each item: near its neighbours, in the order of the column, none over another. */
function rowsOf(
  columns: readonly (readonly Item[])[],
  items: ReadonlyMap<string, Item>,
): ReadonlyMap<string, number> {
  const rows = new Map<string, number>();
  for (const column of columns) {
    let at = 0;
    const whole = column.reduce((sum, { room }) => sum + room, 0);
    for (const { id, room } of column) {
      rows.set(id, at + room / 2 - whole / 2);
      at += room;
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForth = sweep % 2 === 0;
    for (const column of isForth ? columns : columns.toReversed()) {
      const wanted = column.map(({ id }) => {
        const near = items.get(id)?.near;
        return mean(near?.flat() ?? [], rows) ?? rows.get(id) ?? 0;
      });
      for (const [at, row] of apart(wanted, column).entries()) rows.set(column[at]?.id ?? '', row);
    }
  }
  const first = Math.min(...rows.values());
  return new Map([...rows].map(([id, row]) => [id, row - first]));
}

/** The rows nearest to the wanted ones in which each item has its room: what would overlap shares the mean of its wishes. */
function apart(wanted: readonly number[], column: readonly Item[]): readonly number[] {
  const offsets: number[] = [];
  let offset = 0;
  for (const [at, { room }] of column.entries()) {
    offset += at === 0 ? 0 : (room + (column[at - 1]?.room ?? 0)) / 2;
    offsets.push(offset);
  }
  const blocks: { sum: number; count: number }[] = [];
  for (const [at, row] of wanted.entries()) {
    let block = { sum: row - (offsets[at] ?? 0), count: 1 };
    for (let last = blocks.at(-1); last !== undefined; last = blocks.at(-1)) {
      if (last.sum / last.count <= block.sum / block.count) break;
      blocks.pop();
      block = { sum: last.sum + block.sum, count: last.count + block.count };
    }
    blocks.push(block);
  }
  return blocks
    .flatMap(({ sum, count }) => Array.from({ length: count }, () => sum / count))
    .map((row, at) => row + (offsets[at] ?? 0));
}

function mean(ids: readonly string[], places: ReadonlyMap<string, number>): number | undefined {
  const found = ids.flatMap((id) => places.get(id) ?? []);
  return found.length === 0 ? undefined : found.reduce((sum, each) => sum + each, 0) / found.length;
}
