import type { WriteResult } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { IntentionEntry, IntentionSource, NewSource, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { sameAccess } from '../plan/access.js';
import { isOwned, isSourceOf } from '../plan/ownership.js';
import type { Change, Plan } from '../plan/plan.js';
import { toWrittenText } from '../plan/written.js';
import { draftOf } from './decide.js';
import { type ReconcilerDeps, stampOf } from './deps.js';
import { createLookout } from './lookout.js';
import { isRefusal, settle } from './settle.js';

export interface Application {
  /** `formatKey` text. */
  readonly key: string;
  readonly destination: ServiceName;
  /** The entry that the plan read. */
  readonly entry: IntentionEntry | undefined;
  readonly plan: Plan;
  /** The one in force when the plan was begun. */
  readonly mapping: Mapping;
  readonly cause: Cause;
  readonly lastWritten: ReadonlyMap<string, string>;
}

type Source = IntentionSource | NewSource;

/**
 * Writes the changes one by one, each recorded before and settled after. Stops (`conflict`: read and plan again) at a
 * lost compare-and-set, where somebody wrote right after, and where what was learnt meanwhile asks for another plan. A
 * write that Consul refuses is settled as failed and the others go on; then the first refusal is thrown. An error that
 * leaves open whether the write happened leaves its draft pending, for the next run of the key to judge by what it
 * reads.
 */
export async function applyChanges(
  application: Application,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<'done' | 'conflict'> {
  const { destination, plan, mapping, cause, key } = application;
  const lastWritten = new Map(application.lastWritten);
  const judge = createLookout(destination, plan, mapping, deps);
  const written = new Set<string>();
  let entry = application.entry;
  let sources: readonly Source[] = entry?.sources ?? [];
  let index = entry?.modifyIndex ?? 0;
  let refusal: SyncError | undefined;
  let isSkipped = false;

  for (const change of plan.changes) {
    await reserve(change, deps);
    const draft = draftOf(change, cause, index, stampOf(deps));
    await deps.journal.record(key, [draft]);
    const giveUp = async (reason: 'Conflict' | 'ConsulRefused', detail: string) => {
      deps.window.giveBack(change.subject);
      await settle(key, draft, { outcome: 'failed', reason, detail }, undefined, deps);
    };
    const verdict = judge(change, { entry, lastWritten, written });
    if (verdict !== 'write') {
      await giveUp('Conflict', 'what it was planned from changed meanwhile; it is planned again');
      if (verdict === 'stop') return 'conflict';
      isSkipped = true;
      continue;
    }
    const next = withChange(sources, change, mapping.owner);
    let result: WriteResult;
    try {
      result = await write(destination, entry, next, index, deps, signal);
    } catch (error) {
      if (!(error instanceof SyncError) || !isRefusal(error)) throw error;
      refusal ??= error;
      await giveUp('ConsulRefused', error.message);
      continue;
    }
    if (result.kind === 'conflict') {
      await giveUp('Conflict', 'the entry changed meanwhile; it is read and planned again');
      return 'conflict';
    }
    entry = await readBack(destination, next, deps, signal);
    sources = entry?.sources ?? [];
    index = entry?.modifyIndex ?? 0;
    const text = toWrittenText(change.after, change.opensBy);
    lastWritten.set(change.subject, text);
    written.add(change.subject);
    if (change.reason === 'DriftCorrected') deps.contention.corrected(change.subject, deps.clock.now());
    await settle(
      key,
      draft,
      { outcome: 'applied', modifyIndex: index },
      new Map([[change.subject, text]]),
      deps,
    );
    deps.world.rememberWritten(key, lastWritten);
    deps.window.made(change.subject);
    deps.metrics.gauge('scopemesh_inferred_removals', deps.window.used(deps.clock.now()));
    // Written, but what stands there now is not known: nothing can be built on it.
    if (index === 0 && next.length > 0) return 'conflict';
    deps.world.putEntry(destination, entry);
  }
  if (refusal !== undefined) throw refusal;
  return isSkipped ? 'conflict' : 'done';
}

async function write(
  destination: ServiceName,
  base: IntentionEntry | undefined,
  sources: readonly Source[],
  index: number,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<WriteResult> {
  const { intentions } = deps.consul;
  return sources.length === 0
    ? await intentions.delete(destination, index, signal)
    : await intentions.write(destination, index === 0 ? undefined : base, sources, index, signal);
}

/** The sources after one change; every other source stays where and as it is. */
export function withChange(sources: readonly Source[], change: Change, owner: string): readonly Source[] {
  const isIt = (source: Source) =>
    isSourceOf(source, change.source) &&
    (!('raw' in source) ||
      isOwned(owner, source) ||
      (change.reason === 'Adopted' && source.peer === undefined));
  const replacement: NewSource | undefined =
    change.after === undefined
      ? undefined
      : { ...change.source, description: change.description, access: change.after };
  if (replacement === undefined) return sources.filter((source) => !isIt(source));
  return sources.some(isIt)
    ? sources.map((source) => (isIt(source) ? replacement : source))
    : [...sources, replacement];
}

/** Counts an inferred removal before it is written. */
async function reserve(change: Change, deps: ReconcilerDeps): Promise<void> {
  if (!change.isInferred) return;
  deps.window.takeEdge(change.subject, deps.clock.now());
  await deps.window.store(deps.facts);
}

/** The entry after a write; undefined where there is none, where it cannot be read, or is not as it was written. */
async function readBack(
  destination: ServiceName,
  written: readonly Source[],
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  if (written.length === 0) return undefined;
  const entry = await deps.consul.intentions.read(destination, signal).catch(() => undefined);
  const isThere = (source: Source) => entry?.sources.some((each) => isSameSource(each, source));
  return entry?.sources.length === written.length && written.every(isThere) ? entry : undefined;
}

function isSameSource(a: IntentionSource, b: Source): boolean {
  const peer = 'peer' in b ? b.peer : undefined;
  const isSamePlace = a.name === b.name && a.namespace === b.namespace && a.partition === b.partition;
  if (!isSamePlace || a.peer !== peer || a.description !== b.description) return false;
  return a.access.kind === 'other' || b.access.kind === 'other'
    ? a.access.kind === b.access.kind
    : sameAccess(a.access, b.access);
}
