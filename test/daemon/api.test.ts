import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { LoginTerms, LoginView } from '../../src/app/login-view.js';
import { addApi } from '../../src/daemon/api.js';
import { createApiAccess } from '../../src/daemon/api-access.js';
import { createHttpServer } from '../../src/daemon/http-server.js';
import { addParkedApi } from '../../src/daemon/parked-api.js';
import { addOpenapi } from '../../src/daemon/routes.js';
import { principalText } from '../../src/model/cause.js';
import { Secret } from '../../src/model/secret.js';
import { silentLogger } from '../../src/observe.js';
import type { Rulings } from '../../src/operator/rulings.js';
import type { ClientId } from '../../src/plan/world.js';
import type { Queue } from '../../src/queue/queue.js';

const LOCAL = 'local-token-of-the-state-directory';
const ALICE = 'token-of-alice-who-may-approve-xx';
const READER = 'token-of-prometheus-that-only-reads';

interface ReceivedRequest {
  readonly host?: string;
  /** The bearer token; null sends none. */
  readonly token?: string | null;
  readonly peer?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly body?: string;
  readonly method?: 'GET' | 'POST';
}

const TERMS: LoginTerms = {
  authMethod: 'scopemesh-payments-main-web',
  role: 'scopemesh-payments-main-web',
  audiences: ['consul'],
  maxTokenTtlSeconds: 300,
  proof: 'own',
  tokenClaims: [{ claim: 'sub', must: 'equal', value: 'web-app' }],
  serviceIdentities: ['web'],
  unregisteredServices: [],
  policies: [],
  can: ['identity of service web'],
};

/** The status and body, and whether anything was ruled on. */
async function ask({
  host = '127.0.0.1',
  token = LOCAL,
  peer = '127.0.0.1',
  headers = {},
  url = '/api/holds/1/approve',
  body,
  method = 'POST',
}: ReceivedRequest) {
  const ruled: string[] = [];
  const hold = { subject: 's', decisionId: '1', since: '', fingerprint: '' };
  const rulings: Rulings = {
    async onHold(id, verdict, by, override) {
      const said = [override ? ' override' : '', by.comment === undefined ? '' : `: ${by.comment}`].join('');
      ruled.push(`${verdict} ${id} ${principalText(by)}${said}`);
      if (id === 'gone') return { kind: 'unknown' };
      if (id === 'foreign')
        return { kind: 'unsuitable', hold: { ...hold, reason: 'ForeignSource', detail: 'remove it' } };
      const limited = { ...hold, reason: 'RevocationLimit' as const };
      if (id === 'rejected' && override !== true)
        return { kind: 'rejected', hold: limited, rejection: { by: { id: 'bob' }, at: '2026-01-31' } };
      if (id === 'unread') return { kind: 'ruled', hold: limited, waits: 'the directory is unread' };
      return { kind: 'ruled', hold: limited };
    },
    async release({ provider, clientId }, by) {
      ruled.push(`release ${provider} ${clientId} ${principalText(by)}`);
      if (clientId === 'free') return { kind: 'unknown' };
      return { kind: 'ruled', hold: { subject: clientId } };
    },
  };
  const server = createHttpServer();
  const login = ({ provider, clientId }: ClientId): LoginView | undefined => {
    if (provider === 'unread') throw new Error('the directory of unread has not been read yet');
    if (clientId === 'gone') return undefined;
    const client = { provider, clientId, actorKind: 'workload' as const };
    return {
      client,
      login: clientId === 'weak' ? undefined : TERMS,
      barred: undefined,
      limited: [],
      holds: [],
      standingTtlSeconds: 300,
    };
  };
  const access = createApiAccess({
    host,
    local: { token: new Secret(LOCAL), path: '/var/lib/scopemesh/api-token-8080' },
    tokens: [
      { name: 'alice', token: new Secret(ALICE), approve: true },
      { name: 'prometheus', token: new Secret(READER), approve: false },
    ],
  });
  const standby = async () => undefined;
  const waiting = async (id: string) => (id === 'gone' ? undefined : { fingerprint: `seen ${id}` });
  const quarantineId = ({ clientId }: ClientId) => clientId;
  addApi(server, {
    rulings: () => rulings,
    waiting,
    quarantineId,
    login,
    standby,
    access,
    logger: silentLogger,
  });
  const parked: Pick<Queue, 'unpark'> = {
    async unpark(key, how) {
      ruled.push(`${how} ${key}`);
      return key === 'gone' ? 'not-parked' : key === 'ordered' ? 'has-order' : 'done';
    },
  };
  addParkedApi(server, { parked, standby, access, logger: silentLogger });
  addOpenapi(server, { access });
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  const answer = await server.inject({
    method,
    url,
    remoteAddress: peer,
    ...(method === 'GET'
      ? { headers: { host: '127.0.0.1:8080', ...authorization, ...headers } }
      : {
          headers: {
            host: '127.0.0.1:8080',
            'content-type': 'application/json',
            ...authorization,
            ...headers,
          },
          payload: body ?? '{"user":"alice"}',
        }),
  });
  await server.close();
  const found = answer.headers['content-type'] === 'application/yaml' ? parse(answer.body) : answer.json();
  return { status: answer.statusCode, body: found as Record<string, string>, ruled };
}

describe('the API', () => {
  it('describes itself, and says of no path without a token whether it exists', async () => {
    const url = '/api/openapi.yaml';
    expect(await ask({ method: 'GET', url })).toMatchObject({ status: 200, body: { openapi: '3.1.0' } });
    for (const path of [url, '/api', '/api/unknown?x=1', '/api/holds/1/approve'])
      expect([path, (await ask({ method: 'GET', url: path, token: null })).status]).toEqual([path, 401]);
    for (const path of ['/api/unknown', '/api/holds/1/approve'])
      expect([path, (await ask({ method: 'GET', url: path })).status]).toEqual([path, 404]);
    expect((await ask({ method: 'GET', url: '/apix', token: null })).status).toBe(404);
  });

  it('approves, rejects and releases in the name of the caller', async () => {
    expect(await ask({})).toEqual({
      status: 200,
      body: { id: '1', subject: 's' },
      ruled: ['approve 1 local (alice)'],
    });
    expect((await ask({ url: '/api/holds/unread/approve' })).body).toEqual({
      id: 'unread',
      subject: 's',
      waits: 'the directory is unread',
    });
    expect((await ask({ url: '/api/holds/1/reject' })).ruled).toEqual(['reject 1 local (alice)']);
    const url = '/api/quarantines/main/a%2Fb/release';
    expect(await ask({ url })).toMatchObject({ status: 200, ruled: ['release main a/b local (alice)'] });
  });

  it('releases a client whose ID is a step of a path', async () => {
    expect(await ask({ url: '/api/quarantines/main/~../release' })).toMatchObject({
      status: 200,
      ruled: ['release main .. local (alice)'],
    });
  });

  it('releases a client with the longest possible ID', async () => {
    const clientId = 'ä'.repeat(255);
    const url = `/api/quarantines/main/${encodeURIComponent(clientId)}/release`;
    expect(await ask({ url })).toMatchObject({
      status: 200,
      ruled: [`release main ${clientId} local (alice)`],
    });
  });

  it('answers 404 for an unknown hold, and 409 for one that a person cannot decide', async () => {
    expect((await ask({ url: '/api/holds/gone/approve' })).status).toBe(404);
    expect((await ask({ url: '/api/quarantines/main/free/release' })).status).toBe(404);
    const foreign = await ask({ url: '/api/holds/foreign/approve' });
    expect(foreign).toMatchObject({ status: 409, body: { detail: 'remove it' } });
  });

  it('rules with a comment on what the person saw, and answers with the new state if it is another one', async () => {
    const say = (more: object) => JSON.stringify({ user: 'alice', comment: 'checked', ...more });
    expect(await ask({ body: say({ fingerprint: 'seen 1' }) })).toMatchObject({
      status: 200,
      ruled: ['approve 1 local (alice): checked'],
    });
    expect(await ask({ body: say({ fingerprint: 'older' }) })).toMatchObject({
      status: 409,
      body: { code: 'Changed', now: { fingerprint: 'seen 1' } },
      ruled: [],
    });
    const release = '/api/quarantines/main/web/release';
    expect(await ask({ url: release, body: say({ fingerprint: 'older' }) })).toMatchObject({
      status: 409,
      ruled: [],
    });
    expect((await ask({ body: say({ comment: 'two\nlines' }) })).status).toBe(400);
  });

  it('rules on many holds at once, each with its own outcome', async () => {
    const url = '/api/holds/approve';
    const say = (holds: readonly object[]) => JSON.stringify({ user: 'alice', comment: 'checked', holds });
    const holds = [
      { id: '1', fingerprint: 'seen 1' },
      { id: '2', fingerprint: 'older' },
      { id: 'gone' },
      { id: 'foreign' },
      { id: 'rejected', override: true },
    ];
    const { status, body, ruled } = await ask({ url, body: say(holds) });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      outcomes: [
        { id: '1', status: 200, subject: 's' },
        { id: '2', status: 409, code: 'Changed' },
        { id: 'gone', status: 404 },
        { id: 'foreign', status: 409 },
        { id: 'rejected', status: 200 },
      ],
    });
    expect(ruled).toEqual([
      'approve 1 local (alice): checked',
      'approve gone local (alice): checked',
      'approve foreign local (alice): checked',
      'approve rejected local (alice) override: checked',
    ]);
    const tooMany = Array.from({ length: 101 }, () => ({ id: '1' }));
    for (const bad of [[], tooMany]) expect((await ask({ url, body: say(bad) })).status).toBe(400);
  });

  it('runs and drops parked keys', async () => {
    const url = '/api/parked/drop';
    const body = (key: string) => JSON.stringify({ user: 'alice', key });
    const key = 'client/main/web-app';
    expect(await ask({ url: '/api/parked/retry', body: body(key) })).toEqual({
      status: 200,
      body: { key },
      ruled: [`run ${key}`],
    });
    expect(await ask({ url, body: body(key) })).toMatchObject({ status: 200, ruled: [`drop ${key}`] });
    expect((await ask({ url, body: body('gone') })).status).toBe(404);
    expect(await ask({ url, body: body('ordered') })).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining('revocation order') },
    });
    for (const bad of ['{"user":"alice"}', body(''), body('x'.repeat(5_000))])
      expect(await ask({ url, body: bad })).toMatchObject({ status: 400, ruled: [] });
    expect(await ask({ url, token: READER, body: '{"key":"x"}' })).toMatchObject({ status: 403, ruled: [] });
  });

  it('approves what somebody rejected only with override, and otherwise names who rejected it', async () => {
    const url = '/api/holds/rejected/approve';
    expect(await ask({ url })).toMatchObject({
      status: 409,
      body: { error: 'bob rejected this removal at 2026-01-31', detail: expect.stringContaining('override') },
    });
    expect(await ask({ url, body: '{"user":"alice","override":true}' })).toMatchObject({
      status: 200,
      ruled: ['approve rejected local (alice) override'],
    });
  });

  it.each<[string, number, ReceivedRequest]>([
    ['a request without a token', 401, { token: null }],
    ['a wrong token', 401, { token: `${LOCAL}x` }],
    ['another scheme', 401, { headers: { authorization: `Basic ${LOCAL}` } }],
    ['a request without a token on a listener that others reach', 401, { token: null, host: '0.0.0.0' }],
    ['the token of the state directory from another machine', 403, { host: '0.0.0.0', peer: '192.0.2.7' }],
    ['a name that was rebound to this machine', 403, { headers: { host: 'evil.example:8080' } }],
    ['a web page', 403, { headers: { origin: 'http://127.0.0.1:8080' } }],
    ['a web page with a token', 403, { token: ALICE, headers: { origin: 'https://console.example' } }],
    ['what a proxy on this machine passed on', 403, { headers: { 'x-forwarded-for': '192.0.2.9' } }],
    ['what a proxy that keeps to the RFC passed on', 403, { headers: { forwarded: 'for=192.0.2.9' } }],
    ['what names a proxy on its way', 403, { headers: { via: '1.1 proxy' } }],
    ['a name that begins as an address of this machine', 403, { headers: { host: '[::1].evil.test' } }],
    ...[
      'x-forwarded-port',
      'x-forwarded-ssl',
      'x-forwarded',
      'x-real-ip',
      'x-client-ip',
      'client-ip',
      'true-client-ip',
      'x-cluster-client-ip',
      'fastly-client-ip',
      'cf-connecting-ip',
      'cf-ray',
      'cdn-loop',
      'x-original-host',
      'x-original-url',
      'x-envoy-external-address',
      'x-amzn-trace-id',
      'x-appengine-user-ip',
      'x-proxyuser-ip',
      'wl-proxy-client-ip',
      'x_forwarded_for',
    ].map((name): [string, number, ReceivedRequest] => [
      `what a proxy that adds ${name} passed on`,
      403,
      { headers: { [name]: '1' } },
    ]),
    ['a token that only reads', 403, { token: READER, body: '{}' }],
    ['a form', 415, { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ])('refuses %s with the reason, and changes nothing', async (_what, expected, asked) => {
    const { status, body, ruled } = await ask(asked);
    expect(status).toBe(expected);
    expect(body.error).toMatch(/\w+ \w+/);
    expect(JSON.stringify(body)).not.toMatch(new RegExp(`${LOCAL}|${ALICE}|${READER}`));
    expect(ruled).toEqual([]);
  });

  it('names the token file only to this machine', async () => {
    expect((await ask({ token: null })).body.error).toContain('/var/lib/scopemesh/api-token-8080');
    for (const asked of [{ host: '0.0.0.0' }, { headers: { 'x-forwarded-for': '192.0.2.9' } }])
      expect((await ask({ token: null, ...asked })).body.error).not.toContain('/var/lib');
  });

  it('takes the name of the principal from the token, from other machines and through a proxy too', async () => {
    const from = { token: ALICE, host: '0.0.0.0', peer: '192.0.2.7', headers: { via: '1.1 proxy' } };
    expect(await ask({ ...from, body: '{}' })).toMatchObject({
      status: 200,
      ruled: ['approve 1 token:alice'],
    });
    expect(await ask({ ...from, body: '{"user":"bob"}' })).toMatchObject({ status: 400, ruled: [] });
  });

  it.each([
    '',
    '{}',
    '{"user":""}',
    '[]',
    '{"user":',
    '{"user":"a\\u0000b"}',
    '{"user":"alice","principal":"bob"}',
    '{"principal":"bob"}',
  ])('refuses the body %j', async (body) => {
    expect(await ask({ body })).toMatchObject({ status: 400, ruled: [] });
  });
});

describe('how a client logs in to Consul', () => {
  const of = (client: string, asked: ReceivedRequest = {}) =>
    ask({ method: 'GET', url: `/api/clients/${client}/login`, ...asked });

  it('is shown for a provider and any client ID', async () => {
    expect(await of('main/a%2Fb')).toMatchObject({
      status: 200,
      body: {
        client: { provider: 'main', clientId: 'a/b', actorKind: 'workload' },
        login: { authMethod: 'scopemesh-payments-main-web', maxTokenTtlSeconds: 300 },
        holds: [],
        standingTtlSeconds: 300,
      },
    });
    expect(await of('main/weak')).toMatchObject({ status: 200, body: { login: null } });
  });

  it('is 404 for an unknown client, and 503 before the directory was read', async () => {
    expect((await of('main/gone')).status).toBe(404);
    expect(await of('unread/web')).toMatchObject({
      status: 503,
      body: { error: expect.stringContaining('not been read') },
    });
  });

  it('is shown to every token of the configuration, and to no request without one', async () => {
    expect((await of('main/web', { token: READER, host: '0.0.0.0', peer: '10.0.0.7' })).status).toBe(200);
    expect((await of('main/web', { token: null })).status).toBe(401);
    expect((await of('main/web', { token: null, host: '0.0.0.0' })).status).toBe(401);
  });
});
