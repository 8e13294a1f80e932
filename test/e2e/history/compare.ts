import type { Decision } from '../../../src/model/decision.js';
import type { Side } from './side.js';

/** A decision without what no two runs share: ids, times, the host, the index, the place in the chain. */
export type Plain = Readonly<Record<string, unknown>>;

/** The decisions of each subject, in their order, with the change during which each was made; sweeps left out. */
export function bySubject(
  decisions: readonly Decision[],
  /** Milliseconds since the epoch, of each change. */
  beganAt: readonly number[],
): ReadonlyMap<string, readonly Plain[]> {
  const found = new Map<string, Plain[]>();
  for (const decision of decisions) {
    if (decision.resource.kind === 'sweep') continue;
    const at = Date.parse(decision.time);
    const change = beganAt.findLastIndex((began) => began <= at);
    const isOfEarlier = Date.parse(decision.cause.receivedAt) < (beganAt[change] ?? 0);
    const plain = { change, isOfEarlier, ...toPlain(decision) };
    found.set(decision.subject, [...(found.get(decision.subject) ?? []), plain]);
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function toPlain(decision: Decision): Plain {
  const { id: _id, time: _time, source: _source, latencyMs: _latency, chain: _chain, ...said } = decision;
  const { cause, consul, writeId, before, after, ...rest } = said;
  const { eventId, receivedAt: _receivedAt, ...why } = cause;
  return {
    ...rest,
    before: withoutInstants(before),
    after: withoutInstants(after),
    cause: { ...why, hasEvent: eventId !== undefined },
    hasIndex: consul !== undefined,
    hasWrite: writeId !== undefined,
  };
}

/** A quarantine says when it began and when its secret was made. */
function withoutInstants(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null).replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"an instant"'));
}

/**
 * A grant that is not urgent may be decided while later changes are under way, on a slow machine by several of them later on
 * one side. The order of each subject is compared all the same.
 */
const LATE = 25;

/** Every field that differs, as `SUBJECT #REVISION FIELD: A | B`; empty where all are equal. */
export function differencesOf(
  a: ReadonlyMap<string, readonly Plain[]>,
  b: ReadonlyMap<string, readonly Plain[]>,
): readonly string[] {
  const found: string[] = [];
  for (const subject of new Set([...a.keys(), ...b.keys()])) {
    const [left, right] = [a.get(subject) ?? [], b.get(subject) ?? []];
    const count = Math.max(left.length, right.length);
    for (let at = 0; at < count; at++) {
      const [one, other] = [left[at], right[at]];
      const fields = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
      if (one === undefined || other === undefined) {
        found.push(`${subject} #${at + 1}: ${JSON.stringify(one)} | ${JSON.stringify(other)}`);
        break;
      }
      for (const field of fields) {
        const [x, y] = [canonical(one[field]), canonical(other[field])];
        if (field === 'isOfEarlier') continue;
        if (field === 'change' && Math.abs(Number(x) - Number(y)) <= LATE) continue;
        // Rechecks run at times of their own, 5 s after an event and later: one may come before what follows from this change.
        if (field === 'cause' && (one.isOfEarlier === true || other.isOfEarlier === true)) continue;
        if (x !== y) found.push(`${subject} #${at + 1} ${field}: ${x} | ${y} (change ${one.change})`);
      }
    }
  }
  return found;
}

/** All intentions, without what differs between any two Consuls. */
export async function intentionsOf(side: Side): Promise<readonly string[]> {
  const entries = await side.consul.entries();
  return entries
    .map(({ CreateIndex: _created, ModifyIndex: _modified, ...entry }) => canonical(entry))
    .toSorted();
}

/** JSON with its keys in order. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, each: unknown) =>
      typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).toSorted(([x], [y]) => (x < y ? -1 : 1)))
        : each,
    ) ?? 'undefined'
  );
}
