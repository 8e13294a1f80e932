import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { NEVER } from '../../linked-signal.js';
import { isRecord } from '../../model/is-record.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { Mesh } from '../answers.js';
import { isHub } from '../hub.js';
import type { Coded } from './parts.js';

const compress = promisify(gzip);

export interface MapQuery {
  readonly group: string;
  readonly focus: string;
  readonly hops: number;
  readonly q: string;
}

/** The answer to a question about the map: compressed, or only that the asker has it already. */
export async function answerOfMap(
  mesh: Mesh,
  query: MapQuery,
  headers: Pick<IncomingHttpHeaders, 'accept-encoding' | 'if-none-match'>,
): Promise<Coded> {
  const { asOf, ...rest } = partOf(mesh, query);
  const text = await runCooperatively(textOf(rest), NEVER);
  const tag = `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const sent = { etag: tag, vary: 'accept-encoding' };
  if (headers['if-none-match'] === tag) return { status: 304, headers: sent };
  const body = Buffer.from(`{"asOf":${JSON.stringify(asOf)},${text.slice(1)}`);
  if (!/\bgzip\b/.test(String(headers['accept-encoding']))) return { status: 200, headers: sent, body };
  return { status: 200, headers: { ...sent, 'content-encoding': 'gzip' }, body: await compress(body) };
}

/** As JSON, one column in each piece of work. */
function* textOf(value: object): Generator<void, string> {
  const fields: string[] = [];
  for (const [name, field] of Object.entries(value)) {
    fields.push(`"${name}":${isRecord(field) ? yield* textOf(field) : JSON.stringify(field)}`);
    yield;
  }
  return `{${fields.join()}}`;
}

/** The part of a mesh that a question is about; the mesh itself if the question is about all of it. */
export function partOf(mesh: Mesh, { group, focus, hops, q }: MapQuery): Mesh {
  const { services, groups, edges } = mesh;
  let part = edges.from.map((_, at) => at);
  const keep = (isKept: (from: number, to: number) => boolean) => {
    part = part.filter((at) => isKept(edges.from[at] ?? 0, edges.to[at] ?? 0));
  };
  const alone = new Set<number>();
  if (focus !== '') {
    const middle = services.names.findIndex((name) => name.toLowerCase() === focus.toLowerCase());
    const around =
      middle === -1
        ? undefined
        : { ahead: distances(mesh, middle, hops, 'to'), back: distances(mesh, middle, hops, 'from') };
    if (middle !== -1) alone.add(middle);
    keep(
      (from, to) => around !== undefined && (isStep(around.ahead, from, to) || isStep(around.back, to, from)),
    );
  }
  if (group !== '') {
    const at = groups.indexOf(group);
    const isIn = (index: number) => services.groups[index] === at;
    for (const index of services.names.keys()) if (isIn(index)) alone.add(index);
    keep((from, to) => isIn(from) || isIn(to));
  }
  if (q !== '') {
    const matches = services.names.map((name) => name.toLowerCase().includes(q.toLowerCase()));
    for (const [index, isMatch] of matches.entries()) if (isMatch) alone.add(index);
    keep((from, to) => matches[from] === true || matches[to] === true);
  }
  return focus === '' && group === '' && q === '' ? mesh : withEdges(mesh, part, alone);
}

/** Whether an edge leads one step further from the middle. */
function isStep(distance: Int8Array, near: number, far: number): boolean {
  const first = distance[near] ?? FAR;
  return first !== FAR && distance[far] === first + 1;
}

const FAR = -1;

/** Of each service from the middle; FAR where there is no such way. */
function distances(
  { services, edges, total }: Mesh,
  middle: number,
  hops: number,
  towards: 'from' | 'to',
): Int8Array {
  const [ends, starts] = [edges[towards], edges[towards === 'to' ? 'from' : 'to']];
  const found = new Int8Array(services.names.length).fill(FAR);
  found[middle] = 0;
  for (let hop = 1; hop <= hops; hop++) {
    for (const [at, start] of starts.entries()) {
      const end = ends[at];
      if (end === undefined || found[start] !== hop - 1 || found[end] !== FAR) continue;
      // A way does not go on through a hub: nearly everything would be on it.
      if (start === middle || !isHub(services.callers[start] ?? 0, total.services)) found[end] = hop;
    }
  }
  return found;
}

/** The mesh with these edges, their services, and the services that are asked for by themselves. */
function withEdges(mesh: Mesh, part: readonly number[], alone: ReadonlySet<number>): Mesh {
  const { services, groups, edges } = mesh;
  const kept = new Set(alone);
  for (const at of part)
    for (const end of [edges.from[at], edges.to[at]]) if (end !== undefined) kept.add(end);
  const order = [...kept].toSorted((a, b) => a - b);
  const placesIn = (used: readonly number[]) => {
    const places = new Map(used.map((index, place) => [index, place]));
    return (index: number) => places.get(index) ?? 0;
  };
  const pick = <T>(column: readonly T[], rows: readonly number[]): T[] =>
    rows.flatMap((at) => column[at] ?? []);
  const placeOf = placesIn(order);
  const ends = (column: readonly number[]) => pick(column, part).map(placeOf);
  const groupsOf = pick(services.groups, order);
  const usedGroups = [...new Set(groupsOf)].toSorted((a, b) => a - b);
  const usedGrants = [...new Set(pick(edges.grants, part))].toSorted((a, b) => a - b);
  return {
    ...mesh,
    groups: pick(groups, usedGroups),
    services: {
      names: pick(services.names, order),
      groups: groupsOf.map(placesIn(usedGroups)),
      callers: pick(services.callers, order),
      calls: pick(services.calls, order),
    },
    grants: usedGrants.map((at) => mesh.grants[at] ?? []),
    edges: {
      from: ends(edges.from),
      to: ends(edges.to),
      signs: pick(edges.signs, part),
      grants: pick(edges.grants, part).map(placesIn(usedGrants)),
    },
  };
}
