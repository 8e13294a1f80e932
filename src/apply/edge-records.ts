import type { Clock } from '../clock.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { destinationKey, formatKey, parseKey } from '../model/key.js';
import { isOfWrittenEdge } from '../plan/last-applied.js';
import { planDestination } from '../plan/plan-destination.js';
import { serviceText } from '../plan/world.js';
import type { Journal } from '../queue/journal.js';
import { inputOf } from '../state/fleet.js';
import type { WorldState } from '../state/world-state.js';
import { type ApplyDeps, type StampDeps, stampOf } from './deps.js';
import { foundDecision, recordedEdges } from './record-found.js';
import { announceSettled } from './settle.js';

/**
 * Notes in memory the records of all marked edges that equal the desired ones, and returns their destinations. Call it in
 * the turn in which a directory became known: a later change at the provider then finds these edges owned, although their
 * records were lost with the store. The jobs of the destinations store the records. The blocks of clients do not count here:
 * what a blocked client has open is scopemesh's too, and only with a record its job closes it.
 */
export function noteRecords(world: WorldState, now: number): readonly ServiceName[] {
  if (world.owned.unrecorded === 0) return [];
  return world.destinations(now).filter((destination) => {
    const input = inputOf(world, destination, now);
    const unblocked = { ...input, world: { ...input.world, clientBlocks: new Map() } };
    const { records } = planDestination(unblocked);
    if (records === undefined) return false;
    const key = keyOf(destination);
    world.rememberWritten(key, new Map([...world.records.of(key), ...records]));
    return true;
  });
}

interface Deps extends StampDeps, Pick<ApplyDeps, 'metrics' | 'onSettled'> {
  readonly journal: Pick<Journal, 'read' | 'settle'>;
  readonly world: WorldState;
}

/**
 * Stores the records of a key that are in memory only. In the same step each edge that the store did not know gets a `found`
 * decision: without one the decision log would never learn of it.
 */
export async function storeRecords(key: string, deps: Deps): Promise<void> {
  const { journal, world } = deps;
  const { lastApplied: stored } = await journal.read(key);
  const known = world.records.of(key);
  const missing = [...known].filter(([subject, text]) => stored.get(subject) !== text);
  if (missing.length === 0) return;
  const entry = entryOf(key, world);
  const unknown = new Map(missing.filter(([subject]) => !isOfWrittenEdge(stored.get(subject))));
  const found = entry === undefined ? [] : recordedEdges(entry, unknown, world);
  const stamp = stampOf(deps);
  const decisions = found.map((each) => foundDecision(each, stamp));
  await journal.settle(key, decisions, { lastApplied: new Map(missing) });
  announceSettled(decisions, deps);
}

function entryOf(text: string, { entries }: WorldState): IntentionEntry | undefined {
  const key = parseKey(text);
  if (key?.kind !== 'destination') return undefined;
  const { partition, namespace, service: name } = key;
  return entries.get(serviceText({ partition, namespace, name }));
}

/** For a command that has no jobs: notes the records, and stores them. */
export async function recordEqualEdges(deps: Deps & { readonly clock: Pick<Clock, 'now'> }): Promise<void> {
  for (const destination of noteRecords(deps.world, deps.clock.now()))
    await storeRecords(keyOf(destination), deps);
}

function keyOf({ name, namespace, partition }: ServiceName): string {
  return formatKey(destinationKey(name, namespace, partition));
}
