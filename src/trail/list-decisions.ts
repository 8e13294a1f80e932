import { setImmediate } from 'node:timers/promises';
import type { HistoryOptions, Trail, TrailParty } from '../decisions/trail.js';
import { compareDecisions, type Decision } from '../model/decision.js';
import { encodeSegment } from '../plan/plan.js';
import { isAbout, readingsOf } from './what-can.js';

/** Which decisions a list shows; an absent field shows all. */
export interface DecisionFilter {
  readonly kind?: string | undefined;
  readonly outcome?: string | undefined;
  readonly action?: string | undefined;
  /** The kind of its cause. */
  readonly cause?: string | undefined;
  readonly reason?: string | undefined;
  /** The source or the destination. */
  readonly service?: string | undefined;
  /** A client ID, also with its provider before it. */
  readonly client?: string | undefined;
  /** ISO 8601; both ends included. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export interface DecisionList {
  /** Newest first. */
  readonly decisions: readonly Decision[];
  /** The ID of the last decision that was looked at, if there are older ones. */
  readonly next: string | undefined;
}

/** A filter that fits nothing must not read the whole trail for one page. */
const MOST_READ = 20_000;
const IN_ONE_PIECE = 200;

/** A page of the decisions that fit, newest first; `cursor`: `next` of the page before. Throws as the trail does. */
export async function listDecisions(
  trail: Pick<Trail, 'history' | 'subjects'>,
  filter: DecisionFilter,
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<DecisionList> {
  const options = { from: filter.since, to: cursor === undefined ? filter.until : { id: cursor } };
  const found: Decision[] = [];
  let read = 0;
  let last: string | undefined;
  for await (const decision of candidates(trail, filter, options)) {
    if (decision.id === cursor) continue;
    if (found.length === limit || read === MOST_READ) return { decisions: found, next: last };
    last = decision.id;
    if (fits(decision, filter)) found.push(decision);
    if (++read % IN_ONE_PIECE === 0) await setImmediate();
  }
  return { decisions: found, next: undefined };
}

/** By the index of names where the filter has one. */
async function* candidates(
  trail: Pick<Trail, 'history' | 'subjects'>,
  { client, service: name, kind }: DecisionFilter,
  options: HistoryOptions,
): AsyncIterable<Decision> {
  const party = (kind: TrailParty['kind'], of: string) => trail.history({ kind, name: of }, options);
  if (client !== undefined) {
    const ids = new Set(readingsOf(client).map(({ id }) => id));
    yield* newestOf([...ids].map((id) => party('client', id)));
  } else if (name !== undefined) {
    const claims: AsyncIterable<Decision>[] = [];
    // No index has the service of a claim. There is a subject for each claim.
    if (kind === undefined || kind === 'claim')
      for await (const subject of trail.subjects({ prefix: 'claim/' }))
        if (subject.endsWith(`/${encodeSegment(name)}`)) claims.push(trail.history({ subject }, options));
    yield* newestOf([party('source', name), party('destination', name), ...claims]);
  } else yield* trail.history('all', options);
}

/** Histories as one, each decision once. */
async function* newestOf(histories: readonly AsyncIterable<Decision>[]): AsyncIterable<Decision> {
  const readers = await Promise.all(
    histories.map(async (each) => {
      const reader = each[Symbol.asyncIterator]();
      return { reader, head: await next(reader) };
    }),
  );
  for (;;) {
    const [newest] = readers.flatMap(({ head }) => head ?? []).toSorted((a, b) => compareDecisions(b, a));
    if (newest === undefined) return;
    yield newest;
    for (const each of readers) if (each.head?.id === newest.id) each.head = await next(each.reader);
  }
}

async function next(reader: AsyncIterator<Decision>): Promise<Decision | undefined> {
  const { done, value } = await reader.next();
  return done === true ? undefined : value;
}

function fits(decision: Decision, filter: DecisionFilter): boolean {
  const { resource, outcome, action, reason } = decision;
  const is = (wanted: string | undefined, ...values: readonly (string | undefined)[]) =>
    wanted === undefined || values.includes(wanted);
  return (
    is(filter.kind, resource.kind) &&
    is(filter.outcome, outcome) &&
    is(filter.action, action) &&
    is(filter.cause, decision.cause.kind) &&
    is(filter.reason, reason) &&
    is(filter.service, resource.source, resource.destination, claimedBy(decision)) &&
    (filter.client === undefined ||
      readingsOf(filter.client).some(({ provider, id }) => isAbout(decision, 'client', provider, id))) &&
    (filter.until === undefined || decision.time <= filter.until)
  );
}

function claimedBy({ resource: { kind, name } }: Decision): string | undefined {
  return kind === 'claim' ? name : undefined;
}
