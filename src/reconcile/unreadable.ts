import { recordHolds } from '../apply/record-holds.js';
import type { Cause } from '../model/cause.js';
import { compareText } from '../model/compare-text.js';
import { directoryKey, formatKey } from '../model/key.js';
import { clientSubject, type Hold } from '../plan/plan.js';
import type { ClientId } from '../plan/world.js';
import type { WorldState } from '../state/world-state.js';
import type { ReconcilerDeps } from './deps.js';

/** The most holds of one provider; the log counts the rest. A change of the IdP's API may make every record unreadable. */
const MOST_REPORTED = 100;

/**
 * Records a hold for each client of a provider that cannot be read, and its end. `only`: reports this client alone, because
 * the others may be unknown before the first complete read.
 */
export async function reportUnreadable(
  provider: string,
  cause: Cause,
  deps: ReconcilerDeps,
  only?: ClientId,
): Promise<void> {
  const { world, journal, metrics, logger } = deps;
  await world.unreadableMutex.run(async () => {
    const { clients: unreadable, hasUnnamed } = world.directories.unreadableOf(provider);
    const all = sorted(unreadable);
    metrics.gauge('scopemesh_directory_unreadable_clients', all.length + (hasUnnamed ? 1 : 0), { provider });
    const key = formatKey(directoryKey(provider));
    const record = await journal.read(key);
    // Reported clients stay reported: the limit must not exchange holds.
    const known = new Set([...record.holds.values()].map(({ subject }) => subject));
    const isReported = ([clientId]: Fault) => known.has(clientSubject({ provider, clientId }));
    const reported = [...all.filter(isReported), ...all.filter((each) => !isReported(each))].slice(
      0,
      MOST_REPORTED,
    );
    const concerns = only === undefined ? undefined : (subject: string) => subject === clientSubject(only);
    await recordHolds(key, record, holdsOf(provider, reported, hasUnnamed), cause, deps, concerns);
    if (all.length > MOST_REPORTED)
      logger.warn(
        { provider, unreadable: all.length, reported: MOST_REPORTED },
        'many clients cannot be read',
      );
  });
}

/** The holds that a process without a record of earlier ones reports. */
export function unreadableHolds(world: Pick<WorldState, 'mapping' | 'directories'>): readonly Hold[] {
  return world.mapping.providers.flatMap((provider) => {
    const { clients, hasUnnamed } = world.directories.unreadableOf(provider);
    return holdsOf(provider, sorted(clients).slice(0, MOST_REPORTED), hasUnnamed);
  });
}

type Fault = readonly [clientId: string, why: string];

function sorted(clients: ReadonlyMap<string, string>): readonly Fault[] {
  return [...clients].toSorted(([a], [b]) => compareText(a, b));
}

function holdsOf(provider: string, faults: readonly Fault[], hasUnnamed: boolean): readonly Hold[] {
  const holds = faults.map(([clientId, why]) => unreadableHold({ provider, clientId }, why));
  return hasUnnamed ? [...holds, unnamedHold(provider)] : holds;
}

/** Undefined if the record of this client can be read. */
export function unreadableHoldOf(client: ClientId, world: Pick<WorldState, 'directories'>): Hold | undefined {
  const why = world.directories.unreadableOf(client.provider).clients.get(client.clientId);
  return why === undefined ? undefined : unreadableHold(client, why);
}

function unreadableHold(client: ClientId, why: string): Hold {
  return {
    subject: clientSubject(client),
    resource: { kind: 'client', name: client.clientId },
    reason: 'ClientUnreadable',
    detail: `${why}; the client keeps what it has and gains nothing; correct its record at the identity provider`,
    action: 'none',
    scopes: [],
    client: { ...client, actorKind: 'unknown' },
  };
}

function unnamedHold(provider: string): Hold {
  return {
    subject: clientSubject({ provider, clientId: '' }),
    resource: { kind: 'client' },
    reason: 'ClientUnreadable',
    detail:
      'the directory has a record without a readable client id; no client that it does not show is taken for deleted; correct the record at the identity provider',
    action: 'none',
    scopes: [],
  };
}
