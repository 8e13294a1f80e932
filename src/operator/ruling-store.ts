import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { settleAll } from '../apply/settle.js';
import { isoInstant } from '../clock.js';
import type { ServiceName } from '../model/intention.js';
import { jsonIn } from '../model/json-in.js';
import { destinationKey } from '../model/key.js';
import type { Mapping } from '../model/rule.js';
import { serviceText } from '../plan/world.js';
import type { Journal, SettledDecision } from '../queue/journal.js';
import { safeParse } from '../safe-parse.js';
import type { WorldState } from '../state/world-state.js';
import type { OperatorDeps } from './deps.js';

/*
 * What people decide for some time is kept in the journal, under one key, in one step with its decision: no crash separates
 * them, and each leader reads it before its first plan. A plan knows by the clock that a ruling is over, so no record of the
 * end is needed.
 */

export type RulingDeps = Pick<
  OperatorDeps,
  | 'journal'
  | 'keyValues'
  | 'world'
  | 'clock'
  | 'source'
  | 'newId'
  | 'logger'
  | 'metrics'
  | 'onSettled'
  | 'queue'
  | 'rulingTurns'
  | 'askForSweep'
>;

type Replan = 'command' | 'resync';

/** The store of rulings. */
export interface RulingStore {
  readonly journal: Pick<Journal, 'read' | 'settle'>;
  readonly world: { readonly mapping: Pick<Mapping, 'owner'> };
}

/** How one kind of ruling is kept. */
export interface RulingRecords<T> {
  /** The first word in the names of its records. */
  readonly name: string;
  /** Undefined for a text that scopemesh did not write. */
  readonly parse: (text: string) => T | undefined;
  readonly recordOf: (ruling: T) => string;
}

/** One kind of ruling about edges: denies, freezes or break-glass grants. */
export interface RulingKind<T> extends RulingRecords<T> {
  /** What plans know. */
  readonly knownTo: (world: WorldState) => { readonly all: readonly T[]; set(rulings: readonly T[]): void };
  /** Lets everything be planned that the change of these rulings changes. */
  readonly replan: (
    changed: { readonly before: readonly T[]; readonly after: readonly T[] },
    why: Replan,
    deps: RulingDeps,
  ) => Promise<void>;
}

/** By the store, also in a process that does not lead. */
export async function readRulings<T>(
  kind: RulingRecords<T>,
  { journal, world }: RulingStore,
): Promise<readonly T[]> {
  const { lastApplied } = await journal.read(rulingsKey(world.mapping.owner));
  return [...lastApplied].flatMap(([record, text]) =>
    record.startsWith(`${kind.name}/`) ? (kind.parse(text) ?? []) : [],
  );
}

/** One of them, by the name of its record. */
export async function readRuling<T>(
  { parse }: RulingRecords<T>,
  record: string,
  { journal, world }: RulingStore,
): Promise<T | undefined> {
  const text = (await journal.read(rulingsKey(world.mapping.owner))).lastApplied.get(record);
  return text === undefined ? undefined : parse(text);
}

/** Rulings of which a subject has one. */
export function rulingsOfSubjects<T extends { readonly subject: string }>(name: string, shape: z.ZodType<T>) {
  const kind: RulingRecords<T> = {
    name,
    parse: (text) => safeParse(shape, jsonIn(text)).data,
    recordOf: ({ subject }) => `${name}/${subject}`,
  };
  const read = (subject: string, store: RulingStore) => readRuling(kind, `${name}/${subject}`, store);
  const forget = async (subject: string, deps: Parameters<typeof recordRuling>[3]) => {
    const ruling = await read(subject, deps);
    if (ruling !== undefined) await recordRuling(kind, ruling, { isForgotten: true }, deps);
  };
  return { ...kind, read, forget };
}

/** Before the first plan of a process. */
export async function restoreRulings<T>(
  kind: RulingKind<T>,
  deps: Pick<RulingDeps, 'journal' | 'world'>,
): Promise<void> {
  kind.knownTo(deps.world).set(await readRulings(kind, deps));
}

/** One change at a time, about the rulings as the store has them: a write whose answer was lost may have been made. */
export function inTurn<T, R>(
  kind: RulingKind<T>,
  why: Replan,
  deps: RulingDeps,
  act: (now: number) => Promise<R>,
): Promise<R> {
  return deps.rulingTurns.run(kind.name, async () => {
    await follow(kind, why, deps);
    return act(deps.clock.now());
  });
}

/** The record and its decision in one step. */
export function recordRuling<T>(
  kind: RulingRecords<T>,
  ruling: T,
  change: { readonly decision?: SettledDecision; readonly isForgotten?: boolean },
  deps: RulingStore & Pick<RulingDeps, 'metrics' | 'onSettled'>,
): Promise<void> {
  const { decision, isForgotten = false } = change;
  const key = rulingsKey(deps.world.mapping.owner);
  const text = isForgotten ? null : JSON.stringify(ruling);
  const update = { lastApplied: new Map([[kind.recordOf(ruling), text]]) };
  return decision === undefined
    ? deps.journal.settle(key, [], update)
    : settleAll(key, [decision], update, deps);
}

/** Forgets a ruling by which no plan changes. */
export async function forgetRuling<T>(kind: RulingKind<T>, ruling: T, deps: RulingDeps): Promise<void> {
  await recordRuling(kind, ruling, { isForgotten: true }, deps);
  const known = kind.knownTo(deps.world);
  known.set(known.all.filter((each) => kind.recordOf(each) !== kind.recordOf(ruling)));
}

/** Plans follow the record. */
export async function follow<T>(kind: RulingKind<T>, why: Replan, deps: RulingDeps): Promise<void> {
  const known = kind.knownTo(deps.world);
  const [before, after] = [known.all, await readRulings(kind, deps)];
  const changed = { before: lacking(before, after), after: lacking(after, before) };
  if (changed.before.length + changed.after.length === 0) return;
  known.set(after);
  try {
    await kind.replan(changed, why, deps);
  } catch (error) {
    // The next call finds the difference again.
    known.set(before);
    throw error;
  }
}

function lacking<T>(all: readonly T[], others: readonly T[]): readonly T[] {
  return all.filter((each) => !others.some((other) => isDeepStrictEqual(each, other)));
}

/** Without the person, who did not decide about the other changes of the destination. */
export async function replan(
  destinations: readonly ServiceName[],
  why: Replan,
  { queue, clock }: Pick<RulingDeps, 'queue' | 'clock'>,
  loses: { readonly loses?: true } = {},
): Promise<void> {
  const cause = { kind: why, receivedAt: isoInstant(clock) };
  const byText = new Map(destinations.map((each) => [serviceText(each), each]));
  await queue.add(
    [...byText.values()].map(({ name, namespace, partition }) => ({
      ...{ key: destinationKey(name, namespace, partition), cause, urgent: true as const },
      ...loses,
    })),
  );
}

/** The key of the journal under which all rulings are. */
export function rulingsKey(owner: string): string {
  return `ruling/${owner}`;
}
