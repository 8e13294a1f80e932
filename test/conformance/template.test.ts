import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTemplate } from '../../docs/providers/template/template.js';
import { createTemplateSource } from '../../docs/providers/template/webhook.js';
import { systemClock } from '../../src/clock.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { clockAt } from '../identity/oidc/webhook-request.js';
import { type DirectoryWorld, describeDirectory } from './directory.js';
import { describeEventSource } from './event-source.js';

const signal = new AbortController().signal;
const PAGE = 10;

interface Entry {
  readonly id: string;
  readonly clientId: string;
  readonly enabled: boolean;
  readonly grantTypes: readonly string[];
  readonly grants: readonly { readonly api: string; readonly scope: string }[];
  readonly tokenLifetime?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The identity provider of the template, as its comments describe it. */
async function startIdp() {
  const clients = new Map<string, Entry>();
  const log: { seq: number; event: Readonly<Record<string, unknown>> }[] = [];
  const self = { clients, log, oldest: 1, fault: (_url: URL, _response: ServerResponse): boolean => false };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.headers.authorization !== 'Bearer read-only') return send(401, {});
    if (self.fault(url, response)) return;
    const after = url.searchParams.get('after');
    if (url.pathname === '/clients') {
      const all = [...clients.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
      const items = all.filter(({ id }) => after === null || id > after).slice(0, PAGE);
      return send(200, { items, next: items.length < PAGE ? null : items.at(-1)?.id });
    }
    if (url.pathname === '/client') {
      const id = url.searchParams.get('id');
      const found =
        id === null
          ? clients.get(url.searchParams.get('clientId') ?? '')
          : [...clients.values()].find((client) => client.id === id);
      return found === undefined ? send(404, { error: 'client_not_found' }) : send(200, found);
    }
    if (url.pathname !== '/events') return send(404, 'Not Found');
    const last = log.at(-1)?.seq ?? 0;
    const from = after === 'end' ? last : Number(after);
    const events = log.filter(({ seq }) => seq > from).map(({ event }) => event);
    return send(200, { events, last, oldest: self.oldest });
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(self, {
    issuer: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

const open = (issuer: string) =>
  createTemplate({
    provider: 'main',
    issuer,
    apiToken: new Secret('read-only'),
    apis: ['orders'],
    webhookSecrets: [],
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });

describeDirectory('the template', async (): Promise<DirectoryWorld> => {
  const idp = await startIdp();
  const { directory } = open(idp.issuer);
  const edit = async (clientId: string, to: (entry: Entry) => Partial<Entry>) => {
    const entry = idp.clients.get(clientId);
    if (entry !== undefined) idp.clients.set(clientId, { ...entry, ...to(entry) });
  };
  const grant = (scope: string) => ({ api: 'orders', scope });
  return {
    directory,
    async addClient({ clientId, scopes, attributes = {}, accessTokenLifetimeSeconds: tokenLifetime }) {
      idp.clients.set(clientId, {
        id: randomUUID(),
        clientId,
        enabled: true,
        grantTypes: ['client_credentials'],
        grants: [...scopes.map(grant), { api: 'somebody-elses', scope: 't:other' }],
        metadata: attributes,
        ...(tokenLifetime === undefined ? {} : { tokenLifetime }),
      });
    },
    addScope: (clientId, scope) => edit(clientId, ({ grants }) => ({ grants: [...grants, grant(scope)] })),
    removeScope: (clientId, scope) =>
      edit(clientId, ({ grants }) => ({ grants: grants.filter((each) => each.scope !== scope) })),
    setEnabled: (clientId, enabled) => edit(clientId, () => ({ enabled })),
    async deleteClient(clientId) {
      idp.clients.delete(clientId);
    },
    async stop() {
      await directory.close();
      await idp.stop();
    },
  };
});

const SECRETS = { current: 'one secret', previous: 'an older one', unknown: 'a stranger' };

function signed(body: Uint8Array, atMs: number, secret = SECRETS.current) {
  const seconds = Math.floor(atMs / 1000);
  const signature = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex');
  return {
    method: 'POST',
    headers: { 'example-signature': `t=${seconds},v1=${signature}` },
    query: {},
    body,
    receivedAt: new Date(atMs).toISOString(),
  };
}

describeEventSource('the template', {
  create: (nowMs) =>
    createTemplateSource({
      provider: 'main',
      secrets: [new Secret(SECRETS.current), new Secret(SECRETS.previous)],
      clock: clockAt(nowMs),
    }),
  request({ id, atMs, secret }) {
    const event = { id, at: '2026-03-01T12:00:00Z', type: 'client.deleted', clientId: 'web-app' };
    return signed(new TextEncoder().encode(JSON.stringify(event)), atMs, SECRETS[secret]);
  },
  signed: (body, atMs) => signed(body, atMs),
  signatureHeader: 'example-signature',
  isSameSignature: (text, signature) => text === signature,
  toleranceMs: 300_000,
});

describe('the template', () => {
  let idp: Awaited<ReturnType<typeof startIdp>>;
  let parts: ReturnType<typeof open>;
  beforeAll(async () => {
    idp = await startIdp();
  });
  afterAll(() => idp.stop());
  beforeEach(() => {
    parts = open(idp.issuer);
    idp.fault = () => false;
    idp.clients.clear();
    for (let at = 0; at < 25; at++)
      idp.clients.set(`client-${at}`, {
        id: randomUUID(),
        clientId: `client-${at}`,
        enabled: true,
        grantTypes: [],
        grants: [],
      });
    return () => parts.directory.close();
  });
  const fault = (path: string, status: number, body: string, headers = {}) => {
    idp.fault = (url, response) => {
      if (url.pathname + url.search !== path && url.pathname !== path) return false;
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
      return true;
    };
  };

  it.each([
    ['that repeats', 200, '{"items":[],"next":"x"}', 'ERR_DIRECTORY_INCOMPLETE'],
    ['of another form', 200, '{"clients":[]}', 'ERR_DIRECTORY_INCOMPLETE'],
    ['that was cut', 200, '{"items":[', 'ERR_DIRECTORY_INCOMPLETE'],
    ['that may not be read', 403, '{}', 'ERR_DIRECTORY_DENIED'],
    ['of a server that fails', 503, '{}', 'ERR_DIRECTORY_UNREACHABLE'],
  ])('refuses a whole read because of a page %s', async (_, status, body, code) => {
    fault('/clients', status, body);
    await expect(parts.directory.readAll(signal)).rejects.toMatchObject({ code });
  });

  it('lists a client that cannot be parsed, and reads all others', async () => {
    const spoilt = { id: 'x', clientId: 'spoilt', enabled: 'yes' };
    fault('/clients', 200, JSON.stringify({ items: [spoilt, { id: 'y' }], next: null }));
    const { clients, unreadable } = await parts.directory.readAll(signal);
    expect(clients).toEqual([]);
    const why = 'it does not have the documented form';
    expect(unreadable).toEqual([{ clientId: 'spoilt', why }, { why }]);
  });

  it('states how long to wait if the identity provider limits the rate', async () => {
    fault('/clients', 429, '{}', { 'retry-after': '7' });
    await expect(parts.directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 7_000,
    });
  });

  it('does not believe a gateway that a client is gone', async () => {
    fault('/client', 404, '{"error":"no route"}');
    await expect(parts.directory.read('clientId', 'client-1', signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_INCOMPLETE',
    });
  });

  it('reads its log from now on, then from its cursor, and reports a gap', async () => {
    const happens = (seq: number, type: string) =>
      idp.log.push({
        seq,
        event: { id: `e${seq}`, at: '2026-03-01T12:00:00Z', type, clientId: 'client-1' },
      });
    happens(1, 'client.created');
    const first = await parts.poll?.poll(undefined, signal);
    expect(first).toMatchObject({ events: [], cursor: '1', gap: false });
    happens(2, 'client.disabled');
    const second = await parts.poll?.poll(first?.cursor, signal);
    expect(second).toMatchObject({ cursor: '2', gap: false, events: [{ id: 'e2', isSignalled: true }] });
    expect(second?.events[0]?.orders).toMatchObject([{ kind: 'client-disabled', clientId: 'client-1' }]);
    happens(9, 'client.updated');
    idp.oldest = 9;
    expect(await parts.poll?.poll(second?.cursor, signal)).toMatchObject({ cursor: '9', gap: true });
  });

  it('names the missing permission', async () => {
    fault('/events', 403, '{}');
    const checks = await parts.directory.checkAccess?.(signal);
    expect(checks?.map(({ permission, isGranted }) => [permission, isGranted])).toEqual([
      ['clients:read', true],
      ['events:read', false],
    ]);
  });
});
