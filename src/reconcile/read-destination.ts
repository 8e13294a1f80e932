import { storeRecords } from '../apply/edge-records.js';
import { recoverPending } from '../apply/recover-pending.js';
import { isoInstant } from '../clock.js';
import type { DraftDecision } from '../model/decision.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import { step } from '../observe.js';
import { serviceText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { readBack, readEntry } from '../read/read-entry.js';
import type { WorldState } from '../state/world-state.js';
import type { DestinationDeps } from './deps.js';

/** A fight with another writer goes no faster than the watch. */
const DRIFT_MS = 200;

/** What a destination's job knows before its first plan. */
export interface KnownDestination {
  readonly record: KeyRecord;
  readonly entry: IntentionEntry | undefined;
  /** Earlier writes whose answer was lost and whose request may still reach Consul. */
  readonly overtaken: readonly DraftDecision[];
}

/** Reads the record and, if needed, the entry, and settles what a crash or a lost answer left. */
export async function readDestination(
  destination: ServiceName,
  key: string,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<KnownDestination> {
  const { journal, world } = deps;
  const record = await journal.read(key);
  const entry = needsRead(destination, record, world)
    ? await step(deps, 'read', { side: 'consul' }, () => readEntry(destination, deps, signal))
    : world.entries.get(serviceText(destination));
  const { open: overtaken, lastApplied } = await recoverPending(key, record, entry, deps);
  // The memory may have records that are not stored yet.
  if (lastApplied.size + world.records.of(key).size > 0) await storeNew(key, lastApplied, deps);
  return { record, entry, overtaken };
}

/** Reads back what was written. Nothing waits for it. A change by somebody else since is planned as the watch would show it. */
export function readWritten(destination: ServiceName, deps: DestinationDeps, signal: AbortSignal): void {
  const { queue, clock } = deps;
  const key = destinationKey(destination.name, destination.namespace, destination.partition);
  const onChanged = () =>
    queue.addLater({ key, cause: { kind: 'consul-watch', receivedAt: isoInstant(clock) } }, DRIFT_MS);
  void readBack(destination, onChanged, deps, signal);
}

/** Notes the records of edges in memory, and stores all that are in memory only. */
export async function storeNew(
  key: string,
  records: ReadonlyMap<string, string>,
  deps: DestinationDeps,
): Promise<void> {
  const { world } = deps;
  const before = world.records.of(key);
  if ([...records].some(([subject, written]) => before.get(subject) !== written))
    world.rememberWritten(key, new Map([...before, ...records]));
  await storeRecords(key, deps);
}

/**
 * Whether the entry is read before the plan. The watch keeps the known entry current, and compare-and-set finds later
 * changes. After a write of our own the index is unknown until the watch shows it.
 */
function needsRead(destination: ServiceName, { pending }: KeyRecord, world: WorldState): boolean {
  const known = world.entries.get(serviceText(destination));
  return pending.length > 0 || known?.modifyIndex === 0 || !world.hasEntries;
}
