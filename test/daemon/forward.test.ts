import { hostname } from 'node:os';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { forwardToLeader } from '../../src/daemon/forward.js';
import type { Caller } from '../../src/daemon/rights.js';
import { silentLogger } from '../../src/observe.js';

const servers: FastifyInstance[] = [];
afterEach(() => Promise.all(servers.splice(0).map((each) => each.close())));

const PERSON = { principal: { id: 'oidc:main/7' }, roles: ['operator'], endsAt: 0 } as const;
const OPERATOR: Caller = { kind: 'person', person: { ...PERSON, provider: 'main' } };
const OF_MACHINE: Caller = { kind: 'person', person: PERSON };

interface Case {
  readonly caller?: Caller;
  readonly host?: string;
  readonly leads?: boolean;
  readonly isAlive?: boolean;
}

function bytesServer(): FastifyInstance {
  const server = Fastify();
  servers.push(server);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return server;
}

/** Resolves with who answers, and with what the leader got. */
async function ask(
  path: string,
  { caller = OPERATOR, host = hostname(), leads = false, isAlive = true }: Case,
) {
  const leader = bytesServer();
  leader.post('/*', async ({ body, headers, url }) => ({
    by: 'leader',
    url,
    host: headers.host,
    body: String(body),
  }));
  const address = await leader.listen({ host: '127.0.0.1', port: 0 });
  const replica = bytesServer();
  const lease = { replica: 'a/1', host, address, since: '', epoch: 1, storeId: 's' };
  forwardToLeader(replica, {
    access: { callerOf: () => caller },
    isLeader: () => leads,
    fence: { read: async () => ({ leader: lease, isAlive, pulses: [] }) },
    logger: silentLogger,
  });
  replica.post('/*', async () => ({ by: 'replica' }));
  const own = await replica.listen({ host: '127.0.0.1', port: 0 });
  return async (headers: Record<string, string> = {}) =>
    (await fetch(own + path, { method: 'POST', body: '{"a": 1}', headers })).json();
}

it('sends what a person asks to the leader, byte by byte and with the name of the host', async () => {
  const answer = await (await ask('/api/denies?x=%2F', {}))();
  expect(answer).toEqual({
    by: 'leader',
    url: '/api/denies?x=%2F',
    host: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    body: '{"a": 1}',
  });
});

it.each<[string, string, Case, Record<string, string>?]>([
  ['it leads', '/api/denies', { leads: true }],
  ['nobody leads', '/api/denies', { isAlive: false }],
  ['a command on its machine asks', '/api/denies', { caller: { kind: 'local' } }],
  ['the leader has a loopback address of another machine', '/api/denies', { host: 'elsewhere' }],
  [
    'a session of its machine meets a leader elsewhere',
    '/api/denies',
    { caller: OF_MACHINE, host: 'elsewhere' },
  ],
  ['a replica forwarded it', '/api/denies', {}, { 'scopemesh-replica': 'b' }],
  ['a session begins or ends', '/api/session', {}],
  ['it is an event', '/events/main', {}],
])('answers itself if %s', async (_, path, when, headers) => {
  expect(await (await ask(path, when))(headers)).toEqual({ by: 'replica' });
});
