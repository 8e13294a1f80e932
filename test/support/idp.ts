import { createHmac, randomUUID } from 'node:crypto';
import { type ScriptedAnswer, startDirectoryServer } from '../identity/oidc/directory-server.js';

export interface IdpClient {
  readonly clientId: string;
  readonly enabled?: boolean;
  readonly scopes: readonly string[];
  readonly grantTypes?: readonly string[];
  readonly secretCreatedAt?: string;
  readonly accessTokenLifetimeSeconds?: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A directory document at a URL, changed and broken by the test, and the events of its owner. */
export interface Idp {
  readonly url: string;
  /** Has a discovery document, and an empty set of keys. */
  readonly issuer: string;
  readonly clients: Map<string, IdpClient>;
  /** Groups of enabled people by subject; undefined: the document does not speak of people. */
  people: Map<string, readonly string[]> | undefined;
  readonly webhookSecret: string;
  readonly directoryToken: string;
  /** What is answered instead, by path; undefined: the truth. */
  fault: ((path: string) => ScriptedAnswer | undefined) | undefined;
  put(clientId: string, ...scopes: string[]): void;
  change(clientId: string, change: Partial<IdpClient>): void;
  /** Headers of a signed event, and its body. */
  sign(event: SignableEvent): { readonly headers: Record<string, string>; readonly body: string };
  close(): Promise<void>;
}

export interface SignableEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly id?: string;
  readonly atMs?: number;
  readonly secret?: string;
  readonly timestamp?: string;
}

export const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;

/** `single`: whether one client alone can be read. */
export async function startIdp(options: {
  readonly single: boolean;
  readonly now: () => number;
}): Promise<Idp> {
  const server = await startDirectoryServer();
  const self: Idp = {
    url: `${server.origin}/directory`,
    issuer: server.origin,
    clients: new Map(),
    people: undefined,
    webhookSecret: secretOf(7),
    directoryToken: 'directory-token-0123456789',
    fault: undefined,
    put(clientId, ...scopes) {
      const known = self.clients.get(clientId);
      self.clients.set(clientId, { grantTypes: ['client_credentials'], ...known, clientId, scopes });
    },
    change(clientId, change) {
      const known = self.clients.get(clientId);
      if (known === undefined) throw new Error(`no client ${clientId}`);
      self.clients.set(clientId, { ...known, ...change });
    },
    sign({
      type,
      data,
      id = `msg_${randomUUID()}`,
      atMs = options.now(),
      secret = self.webhookSecret,
      timestamp,
    }) {
      const body = JSON.stringify({ type, ...(timestamp === undefined ? {} : { timestamp }), data });
      const seconds = String(Math.floor(atMs / 1000));
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
      return {
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': seconds,
          'webhook-signature': `v1,${signature}`,
        },
      };
    },
    close: () => server.close(),
  };
  server.answer = (path) => {
    const faulty = self.fault?.(path);
    if (faulty !== undefined) return faulty;
    if (path === '/.well-known/openid-configuration')
      return { json: { issuer: self.issuer, jwks_uri: `${self.issuer}/certs` } };
    if (path === '/certs') return { json: { keys: [] } };
    const clientId = decodeURIComponent(path.split('/')[2] ?? '');
    if (clientId === '') {
      const people = self.people && [...self.people].map(([subject, groups]) => ({ subject, groups }));
      return { json: { clients: [...self.clients.values()], people, single: options.single } };
    }
    const client = self.clients.get(clientId);
    return client === undefined
      ? { status: 404, json: { clientId, error: 'no such client' } }
      : { json: client };
  };
  return self;
}

/** The provider `main` of a configuration, which hears of changes by events alone. */
export function eventsOnly({ issuer, url, directoryToken, webhookSecret }: Idp) {
  return {
    name: 'main',
    kind: 'oidc',
    issuer,
    directory: url,
    directoryToken,
    webhook: { secrets: [webhookSecret] },
    poll: '1h',
    fullRead: '1h',
  };
}
