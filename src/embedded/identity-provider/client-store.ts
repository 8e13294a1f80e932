import { randomBytes } from 'node:crypto';
import { type Clock, isoInstant } from '../../clock.js';
import { compareText } from '../../model/compare-text.js';
import { Secret } from '../../model/secret.js';

export interface StoredClient {
  readonly clientId: string;
  readonly name?: string;
  readonly enabled: boolean;
  readonly grantTypes: readonly string[];
  readonly scopes: readonly string[];
  readonly accessTokenLifetimeSeconds: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly secret: Secret;
  /** ISO 8601. */
  readonly secretCreatedAt: string;
}

type Optional = Omit<StoredClient, 'clientId' | 'scopes' | 'secretCreatedAt'>;

/**
 * A client as configured. By default it is enabled, has the grant type client_credentials (the only one for which this server
 * issues tokens), a token lifetime of 300 s, and a random secret.
 */
export type EmbeddedClient = Pick<StoredClient, 'clientId' | 'scopes'> & {
  readonly [Field in keyof Optional]?: Optional[Field] | undefined;
};

/** A change, as an `oidc` event reports it. */
export interface ClientChange {
  readonly type:
    | 'client.created'
    | 'client.updated'
    | 'client.deleted'
    | 'client.disabled'
    | 'client.secret-compromised';
  readonly clientId: string;
}

/** The clients in memory, ordered by ID. Each change is reported to `onChange` once it is in force. */
export interface ClientStore {
  /** Grows with each change. It starts at the clock's milliseconds, so that a restart does not set it back. */
  readonly revision: number;
  get(clientId: string): StoredClient | undefined;
  /** Sorted by client id, those after `after`. */
  list(after: string, limit: number): readonly StoredClient[];
  /** Creates or replaces a client. Without a new secret it keeps the old one. */
  put(client: EmbeddedClient): StoredClient;
  delete(clientId: string): boolean;
  /** Reports it. The secret stays valid until `rotateSecret`. False if there is no such client. */
  reportCompromised(clientId: string): boolean;
  rotateSecret(clientId: string): StoredClient | undefined;
}

export function createClientStore(
  clients: readonly EmbeddedClient[],
  clock: Clock,
  onChange: (change: ClientChange) => void,
): ClientStore {
  const stored = new Map(
    clients.map((client) => [client.clientId, toStored(client, undefined, isoInstant(clock))]),
  );
  let revision = clock.now();

  const changed = (clientId: string, type: ClientChange['type']) => {
    revision += 1;
    onChange({ type, clientId });
  };

  return {
    get revision() {
      return revision;
    },
    get: (clientId) => stored.get(clientId),
    list: (after, limit) =>
      [...stored.values()]
        .filter(({ clientId }) => clientId > after)
        .sort((a, b) => compareText(a.clientId, b.clientId))
        .slice(0, limit),
    put(client) {
      const before = stored.get(client.clientId);
      const after = toStored(client, before, isoInstant(clock));
      if (before !== undefined && isSame(before, after)) return before;
      stored.set(client.clientId, after);
      const isDisabled = before?.enabled === true && !after.enabled;
      const updated = isDisabled ? 'client.disabled' : 'client.updated';
      changed(client.clientId, before === undefined ? 'client.created' : updated);
      return after;
    },
    delete(clientId) {
      const existed = stored.delete(clientId);
      if (existed) changed(clientId, 'client.deleted');
      return existed;
    },
    reportCompromised(clientId) {
      if (!stored.has(clientId)) return false;
      changed(clientId, 'client.secret-compromised');
      return true;
    },
    rotateSecret(clientId) {
      const before = stored.get(clientId);
      if (before === undefined) return undefined;
      const after = { ...before, secret: randomSecret(), secretCreatedAt: isoInstant(clock) };
      stored.set(clientId, after);
      changed(clientId, 'client.updated');
      return after;
    },
  };
}

function toStored(client: EmbeddedClient, before: StoredClient | undefined, now: string): StoredClient {
  const secret = client.secret ?? before?.secret ?? randomSecret();
  const isKept = before !== undefined && secret.reveal() === before.secret.reveal();
  return {
    clientId: client.clientId,
    ...(client.name === undefined ? {} : { name: client.name }),
    enabled: client.enabled ?? true,
    grantTypes: client.grantTypes ?? ['client_credentials'],
    scopes: [...new Set(client.scopes)].sort(),
    accessTokenLifetimeSeconds: client.accessTokenLifetimeSeconds ?? 300,
    attributes: client.attributes ?? {},
    secret,
    secretCreatedAt: isKept ? before.secretCreatedAt : now,
  };
}

function isSame(a: StoredClient, b: StoredClient): boolean {
  const sorted = (client: StoredClient) => {
    const { secret, attributes, ...rest } = client;
    const entries = Object.entries(attributes).sort(([x], [y]) => compareText(x, y));
    return JSON.stringify([Object.entries(rest).sort(([x], [y]) => compareText(x, y)), entries]);
  };
  return sorted(a) === sorted(b) && a.secret.reveal() === b.secret.reveal();
}

function randomSecret(): Secret {
  return new Secret(randomBytes(32).toString('base64url'));
}
