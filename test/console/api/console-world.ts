import type { ConsoleParts } from '../../../src/console/api/parts.js';
import { destinationKey, formatKey } from '../../../src/model/key.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { intentionSubject } from '../../../src/plan/plan.js';
import type { KeyRecord, RecordedHold } from '../../../src/queue/journal.js';
import { runCooperatively } from '../../../src/run-cooperatively.js';
import { FailedReads } from '../../../src/state/failed-reads.js';
import { WorldState } from '../../../src/state/world-state.js';
import { ALLOW, NOW, named, type Scene, SETTINGS, scene } from '../../plan/scene.js';

export const GET = { kind: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1' }] } as const;

/** A leader's world as a scene says, with holds. Sources of `web` with the mark are recorded as written for `orders`. */
export function worldOf(it: Scene): WorldState {
  const world = new WorldState(it.mapping, SETTINGS);
  world.putDirectory('main', it.clients, world.beginRead(), it.now);
  world.putEntries([...it.entries.values()], it.now);
  world.putCatalog({ services: it.services, protocols: it.protocols, defaultProtocol: 'http' }, it.now);
  for (const { destination } of it.entries.values()) {
    const written = toLastAppliedText(ALLOW, ['orders']);
    const records = new Map([[intentionSubject(destination, 'web'), written]]);
    world.rememberWritten(formatKey(destinationKey(destination.name)), records);
  }
  world.setUnrecorded(undefined);
  return world;
}

export function holdOn(source: string, destination: string, reason: RecordedHold['reason']): RecordedHold {
  const subject = intentionSubject(named(destination), source);
  return { subject, reason, decisionId: `${reason} ${source}`, since: '', fingerprint: '' };
}

export function partsOf(changes: Partial<Scene> = {}, holds: readonly RecordedHold[] = []): ConsoleParts {
  const world = worldOf(scene(changes));
  const record: KeyRecord = {
    pending: [],
    lastApplied: new Map(),
    holds: new Map(holds.map((hold) => [`${hold.subject} ${hold.reason}`, hold])),
  };
  const deps = {
    world,
    reads: new FailedReads(),
    consul: { unreadable: () => [] },
    clock: { now: () => NOW },
    journal: { readAll: async () => new Map([['key', record]]) },
  };
  return {
    config: { consul: {} },
    newest: async () => 'newest',
    live: () => ({ deps }),
  } as unknown as ConsoleParts;
}

export const signal = new AbortController().signal;

export const all = <T>(work: Generator<void, T>): Promise<T> => runCooperatively(work, signal);
