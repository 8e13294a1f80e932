import { compareText } from '../model/compare-text.js';
import { clientSubject, type Hold } from './plan.js';
import type { ClientId } from './world.js';

/**
 * The most holds of one provider; the log counts the rest. A change of the identity provider's API may make every record
 * unreadable.
 */
export const MAX_REPORTED = 100;

/** The records of a directory that cannot be parsed. */
interface Unreadable {
  /** Why, by client ID. */
  readonly clients: ReadonlyMap<string, string>;
  /** Whether a record has no readable client ID. */
  readonly hasUnnamed: boolean;
}

/** One hold for each such client of a provider. `known`: the subjects that are recorded already. */
export function unreadableHolds(
  provider: string,
  { clients, hasUnnamed }: Unreadable,
  known: ReadonlySet<string> = new Set(),
): readonly Hold[] {
  const all = [...clients].toSorted(([a], [b]) => compareText(a, b));
  // Reported clients stay reported: the limit must not exchange holds.
  const isReported = ([clientId]: Fault) => known.has(clientSubject({ provider, clientId }));
  const reported = [...all.filter(isReported), ...all.filter((each) => !isReported(each))]
    .slice(0, MAX_REPORTED)
    .map(([clientId, why]) => unreadableHold({ provider, clientId }, why));
  return hasUnnamed ? [...reported, unnamedHold(provider)] : reported;
}

type Fault = readonly [clientId: string, why: string];

/** Undefined if the record of this client can be read. */
export function unreadableHoldOf(
  client: ClientId,
  { clients }: Pick<Unreadable, 'clients'>,
): Hold | undefined {
  const why = clients.get(client.clientId);
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
