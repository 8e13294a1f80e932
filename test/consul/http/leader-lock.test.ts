import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Consul } from '../../../src/consul/consul.js';
import type { ConsulClient } from '../../../src/consul/http/consul-client.js';
import { createLeaderLock } from '../../../src/consul/http/leader-lock.js';
import type { Transport } from '../../../src/consul/http/transport.js';
import { ACL_TOKEN, against, connect, type Exchange, failureOf, startFaultServer } from './fault-server.js';

const never = new AbortController().signal;
const ID = 'adf4238a-882b-9ddc-4a9d-5b6758e4159e';

type Use = (consul: Pick<Consul, 'lock'>, signal: AbortSignal) => Promise<unknown>;
const read: Use = (consul, signal) => consul.lock.read(signal);
const create: Use = (consul, signal) => consul.lock.createSession('scopemesh one', 10, signal);
const renew: Use = (consul, signal) => consul.lock.renewSession(ID, signal);
const end: Use = (consul, signal) => consul.lock.endSession(ID, signal);
const acquire: Use = (consul, signal) => consul.lock.acquire(ID, 'text', signal);
const uses: readonly (readonly [string, Use])[] = Object.entries({ read, create, renew, end, acquire });

const wellAnswered = (exchange: Exchange) => {
  if (exchange.method === 'GET') exchange.reply(200, [{ Key: 'k', Value: 'b25l', Session: ID }]);
  else if (exchange.target.includes('/create')) exchange.reply(200, { ID });
  else if (exchange.target.includes('/renew')) exchange.reply(200, [{ ID }]);
  else exchange.reply(200, true);
};

describe('the requests of the lock', () => {
  it('name the tenancy and the datacenter, and have the token in a header alone', async () => {
    const sent: string[] = [];
    const { consul, seen } = await against(
      (exchange) => {
        expect(exchange.headers['x-consul-token']).toBe(ACL_TOKEN);
        expect(exchange.headers).not.toHaveProperty('user-agent');
        sent.push(exchange.body);
        wellAnswered(exchange);
      },
      { owner: 'a/b', partition: 'p 1', namespace: 'n', datacenter: 'dc1' },
    );
    for (const [, use] of uses) await use(consul, never);
    await consul.logNote.write('sign', never);
    const place = 'partition=p%201&ns=n';
    expect(seen).toEqual([
      `GET /v1/kv/scopemesh/a%252Fb/leader?consistent=1&${place}&dc=dc1`,
      `PUT /v1/session/create?${place}&dc=dc1`,
      `PUT /v1/session/renew/${ID}?${place}&dc=dc1`,
      `PUT /v1/session/destroy/${ID}?${place}&dc=dc1`,
      `PUT /v1/kv/scopemesh/a%252Fb/leader?acquire=${ID}&${place}&dc=dc1`,
      `PUT /v1/kv/scopemesh/a%252Fb/log?${place}&dc=dc1`,
    ]);
    expect(sent.map((body) => (body.startsWith('{') ? JSON.parse(body) : body))).toEqual([
      '',
      { Name: 'scopemesh one', TTL: '10s', Behavior: 'release', LockDelay: '0s', Checks: [] },
      '',
      '',
      'text',
      'sign',
    ]);
  });

  it.each([{ host: '::1' }, { path: join(tmpdir(), `scopemesh-lock-${process.pid}.sock`) }])(
    'reach Consul at %o',
    async (place) => {
      const server = await startFaultServer(wellAnswered, place);
      onTestFinished(server.close);
      const consul = connect(server.address);
      onTestFinished(() => consul.close());
      for (const [, use] of uses) await use(consul, never);
      expect(server.seen).toHaveLength(uses.length);
    },
  );

  it('share one connection, which stays open', async () => {
    const ports = new Set<number | undefined>();
    const { consul } = await against((exchange) => {
      ports.add(exchange.response.socket?.remotePort);
      wellAnswered(exchange);
    });
    for (const [, use] of uses) await use(consul, never);
    expect(ports.size).toBe(1);
  });

  it('cannot be led elsewhere by the ID of a session, which anybody may write into the key', async () => {
    const { consul, seen } = await against((exchange) => exchange.reply(200, true));
    await consul.lock.endSession('../../kv/x?recurse#', never);
    expect(seen).toEqual(['PUT /v1/session/destroy/..%2F..%2Fkv%2Fx%3Frecurse%23']);
  });

  it.each(uses)('end with the reason of the signal, unchanged, while Consul hangs: %s', async (_, use) => {
    let asked = () => {};
    const request = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { consul } = await against(() => asked());
    const stop = new AbortController();
    const reason = new Error('stopping');
    const outcome = use(consul, stop.signal).catch((error: unknown) => error);
    await request;
    stop.abort(reason);
    expect(await outcome).toBe(reason);
    expect(reason.message).toBe('stopping');
    await expect(use(consul, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('have 3 s each, which is less than the lease lasts', async () => {
    const sent: unknown[] = [];
    const client: ConsulClient = {
      async call({ timeoutMs }) {
        sent.push(timeoutMs);
        throw new Error('not sent');
      },
      close: async () => {},
    };
    const transport: Transport = {
      send: () => Promise.reject(new Error('not sent')),
      tenancy: {},
      hasAclToken: true,
      maxBytes: 1_000,
      close: async () => {},
    };
    const lock = createLeaderLock(client, transport, 'payments');
    for (const [, use] of uses) await use({ lock }, never).catch(() => {});
    expect(sent).toEqual(uses.map(() => 3_000));
  });

  it('that get no answer in their time fail with ERR_TIMEOUT', async () => {
    const { consul } = await against(() => undefined, { requestTimeoutMs: 100 });
    const failure = await failureOf(consul.logNote.write('sign', never));
    expect(failure).toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
    expect(failure.message).toBe('Consul log-note.write: no complete answer within 100 ms');
  });
});

describe('a sick answer to the lock', () => {
  it.each(uses)('without an end is read up to the limit: %s', async (_, use) => {
    const { consul } = await against(
      ({ response }) => {
        response.writeHead(200, { 'X-Consul-Index': '1' });
        const more = () => {
          while (!response.destroyed && response.write('[[[[[[[['.repeat(1000)));
        };
        response.on('drain', more);
        more();
      },
      { maxBytes: 100_000 },
    );
    const failure = await failureOf(use(consul, never));
    expect(failure.code).toBe('ERR_CONSUL_INCOMPLETE');
    expect(failure.message).toContain('longer than 100000 bytes');
  });

  it.each(uses)('that is cut off fails as that, and not as a timeout: %s', async (name, use) => {
    const { consul } = await against(({ response }) => {
      response.writeHead(200, { 'X-Consul-Index': '1', 'Content-Length': '100' });
      response.write('[', () => response.destroy());
    });
    const failure = await failureOf(use(consul, never));
    expect(failure.code).toBe(name === 'read' ? 'ERR_CONSUL_INCOMPLETE' : 'ERR_CONSUL_UNREACHABLE');
  });

  it.each(['[null]', '[{"hasOwnProperty":1}]', '[1]', '[[]]', '[]', '{}', 'null', 'true', '""', '[{', ''])(
    'that is %s is no free lock and no session',
    async (body) => {
      const { consul } = await against((exchange) =>
        exchange.reply(200, body, { 'Content-Type': 'application/json' }),
      );
      expect((await failureOf(read(consul, never))).code).toBe('ERR_CONSUL_INCOMPLETE');
      expect((await failureOf(create(consul, never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    },
  );

  it.each(['', '[]', '"true"', 'truest', '<html>'])('that is %j did not give the lock', async (body) => {
    const { consul } = await against((exchange) => exchange.reply(200, body));
    expect(await failureOf(acquire(consul, never))).toMatchObject({ retriable: true });
  });

  it('that is 404 without an index comes from a proxy and is no free lock', async () => {
    const { consul } = await against((exchange) => exchange.reply(404, '', { 'X-Consul-Index': undefined }));
    expect((await failureOf(read(consul, never))).code).toBe('ERR_CONSUL_INCOMPLETE');
  });

  it('of a cluster without a leader, or one that ACLs filter, is no free lock', async () => {
    for (const header of ['X-Consul-KnownLeader', 'X-Consul-Results-Filtered-By-ACLs']) {
      const sick = { [header]: header.endsWith('KnownLeader') ? 'false' : 'true' };
      const { consul } = await against((exchange) => exchange.reply(404, '', sick));
      expect((await failureOf(read(consul, never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    }
  });

  it.each([
    [429, 'Your IP is issuing too many concurrent connections', 'ERR_CONSUL_UNREACHABLE', true],
    [503, 'rate limit exceeded', 'ERR_CONSUL_UNREACHABLE', true],
    [500, 'No cluster leader', 'ERR_CONSUL_UNREACHABLE', true],
    [301, '', 'ERR_CONSUL_UNREACHABLE', true],
    [403, `token lacks permission 'key:write' on "scopemesh/payments/leader"`, 'ERR_CONSUL_DENIED', false],
    [403, 'rpc error making call: ACL not found', 'ERR_CONSUL_DENIED', false],
  ] as const)('of %i %s is %s for each request', async (status, text, code, retriable) => {
    const { consul } = await against((exchange) => exchange.reply(status, text));
    for (const [, use] of uses) {
      const failure = await failureOf(use(consul, never));
      expect(failure).toMatchObject({ code, retriable });
      expect(failure.message).toMatch(/^Consul lock\.\w+: /);
    }
  });

  it('with the token in its text does not show it', async () => {
    const { consul } = await against((exchange) => exchange.reply(500, `refused ${ACL_TOKEN}`));
    for (const [, use] of uses) await failureOf(use(consul, never));
  });
});
