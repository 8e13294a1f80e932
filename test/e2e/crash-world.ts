import type { Decision } from '../../src/model/decision.js';
import type { Stack } from '../stack/stack.js';
import { MARK } from './foreign.js';
import type { RecordedWrite } from './recording-proxy.js';

/*
 * What the two sides say, each read from its own server and put into one plain form that shares no code with
 * scopemesh: `destination/source` to the sorted "METHOD path" it lets through; `deny` for an owned denial.
 */
export type Edges = ReadonlyMap<string, string>;

const METHODS: Readonly<Record<string, string>> = { read: 'GET', write: 'POST' };

/** What the scopes of Keycloak's clients say: `d-1:read` lets GET through at d-1, `d-1:write` POST. */
export async function edgesOfKeycloak(stack: Stack): Promise<Edges> {
  const clients = await stack.keycloak.admin.request('GET', `/${stack.realm}/clients?max=1000`);
  const opened = new Map<string, string[]>();
  for (const client of listOf(clients)) {
    const service = Object(client.attributes)['consul-services'];
    if (service === undefined || client.enabled !== true) continue;
    for (const scope of [client.defaultClientScopes, client.optionalClientScopes].flatMap(textsOf)) {
      const [, destination, kind = ''] = /^(d-\d+):(read|write)$/.exec(scope) ?? [];
      if (destination === undefined) continue;
      const edge = `${destination}/${service}`;
      opened.set(edge, [...(opened.get(edge) ?? []), `${METHODS[kind]} /`]);
    }
  }
  return sorted(new Map([...opened].map(([edge, all]) => [edge, [...new Set(all)].sort().join(', ')])));
}

/** What the owned sources of Consul's intentions let through. */
export async function edgesOfConsul(stack: Pick<Stack, 'consul'>): Promise<Edges> {
  const entries = await stack.consul.request('GET', '/v1/config/service-intentions?consistent');
  const edges = new Map<string, string>();
  for (const entry of listOf(entries)) {
    for (const source of listOf(entry.Sources)) {
      if (!String(source.Description).startsWith(`${MARK} `) || !String(entry.Name).startsWith('d-'))
        continue;
      edges.set(`${entry.Name}/${source.Name}`, openingsOf(source));
    }
  }
  return sorted(edges);
}

/** One change of one edge by an accepted write. */
export interface EdgeWrite {
  readonly subject: string;
  /** `none` where the edge is gone. */
  readonly after: string;
}

/**
 * Each accepted write as the changes of edges that it made, found by comparing it with the one before at the same
 * entry. `before` is what the entries held of ours before the first; nothing by default. `odd` says which writes changed
 * nothing.
 */
export function changesOf(
  writes: readonly RecordedWrite[],
  before: Edges = new Map(),
): {
  readonly changes: readonly EdgeWrite[];
  /** What each write changed, as `batchText`. */
  readonly batches: readonly string[];
  readonly odd: readonly string[];
} {
  const known = new Map<string, Map<string, string>>();
  for (const [edge, openings] of before) {
    const [destination = '', source = ''] = edge.split('/');
    known.set(destination, (known.get(destination) ?? new Map()).set(source, openings));
  }
  const changes: EdgeWrite[] = [];
  const batches: string[] = [];
  const odd: string[] = [];
  for (const { method, path, body } of writes) {
    const [, deleted] = /^\/v1\/config\/service-intentions\/([^?]+)/.exec(path) ?? [];
    const content = method === 'PUT' ? Object(JSON.parse(body)) : {};
    const destination = String(deleted ?? content.Name);
    const before = known.get(destination) ?? new Map<string, string>();
    const sources = method === 'PUT' ? listOf(content.Sources).filter(isOwned) : [];
    const after = new Map(sources.map((source) => [String(source.Name), openingsOf(source)]));
    const changed = [...new Set([...before.keys(), ...after.keys()])]
      .filter((source) => before.get(source) !== after.get(source))
      .map((source) => ({
        subject: `intention/default/default/${destination}/${source}`,
        after: after.get(source) ?? 'none',
      }));
    if (changed.length === 0) odd.push(`${method} ${path} changes nothing`);
    else batches.push(batchText(changed));
    changes.push(...changed);
    known.set(destination, after);
  }
  return { changes, batches: batches.toSorted(), odd };
}

/** The applied decisions of each write, by their `writeId`, as `batchText`. */
export function batchesOf(applied: readonly Decision[]): readonly string[] {
  const byWrite = new Map<string, EdgeWrite[]>();
  for (const each of applied) {
    const writeId = each.writeId ?? `none in ${each.id}`;
    byWrite.set(writeId, [...(byWrite.get(writeId) ?? []), changeOf(each)]);
  }
  return [...byWrite.values()].map(batchText).toSorted();
}

function batchText(changes: readonly EdgeWrite[]): string {
  return changes
    .map(({ subject, after }) => `${subject}: ${after}`)
    .toSorted()
    .join('; ');
}

/** An applied decision in the same form. */
export function changeOf(decision: Decision): EdgeWrite {
  const after = Object(decision.after);
  if (decision.after === null) return { subject: decision.subject, after: 'none' };
  if (after.access !== 'http') return { subject: decision.subject, after: String(after.access) };
  const openings = listOf(after.permissions).flatMap(({ methods, pathPrefix }) =>
    textsOf(methods).map((method) => `${method} ${pathPrefix}`),
  );
  return { subject: decision.subject, after: openings.sort().join(', ') };
}

/** The changes of each subject, in order. */
export function bySubject(changes: readonly EdgeWrite[]): Readonly<Record<string, readonly string[]>> {
  const all = new Map<string, string[]>();
  for (const { subject, after } of changes) all.set(subject, [...(all.get(subject) ?? []), after]);
  return Object.fromEntries(sorted(all));
}

function isOwned(source: Readonly<Record<string, unknown>>): boolean {
  return String(source.Description).startsWith(`${MARK} `);
}

function openingsOf(source: Readonly<Record<string, unknown>>): string {
  const permissions = listOf(source.Permissions);
  if (permissions.length === 0) return String(source.Action);
  return permissions
    .flatMap(({ Action, HTTP }) => {
      const { Methods, PathPrefix } = Object(HTTP);
      const mark = Action === 'allow' ? '' : `${Action} `;
      return textsOf(Methods).map((method) => `${mark}${method} ${PathPrefix}`);
    })
    .sort()
    .join(', ');
}

function sorted<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map((each: unknown) => Object(each)) : [];
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
