import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../../src/clock.js';
import type { Consul } from '../../../../src/consul/consul.js';
import { type ErrorCode, IncompleteRead } from '../../../../src/errors.js';
import { against, connect, type Exchange, failureOf, startFaultServer } from '../fault-server.js';

const ORDERS = { partition: 'default', namespace: 'default', name: 'orders' };
const never = new AbortController().signal;

describe('a read of a sick Consul', () => {
  const lists: readonly (readonly [string, (consul: Consul) => Promise<unknown>])[] = [
    ['intentions', (consul) => consul.intentions.list(never)],
    ['catalog', (consul) => consul.readCatalog(never)],
    ['claims', (consul) => consul.claims.list(never)],
  ];
  const faults: readonly (readonly [string, ErrorCode, boolean, (exchange: Exchange) => void])[] = [
    [
      'filtered by ACLs',
      'ERR_CONSUL_INCOMPLETE',
      false,
      (exchange) => exchange.reply(200, [], { 'X-Consul-Results-Filtered-By-ACLs': 'true' }),
    ],
    [
      'without a leader',
      'ERR_CONSUL_INCOMPLETE',
      true,
      (exchange) => exchange.reply(200, [], { 'X-Consul-KnownLeader': 'false' }),
    ],
    [
      'without an index',
      'ERR_CONSUL_INCOMPLETE',
      true,
      (exchange) => exchange.reply(200, [], { 'X-Consul-Index': undefined }),
    ],
    ['that is not JSON', 'ERR_CONSUL_INCOMPLETE', true, (exchange) => exchange.reply(200, '<html>ok</html>')],
    ['that is no list', 'ERR_CONSUL_INCOMPLETE', true, (exchange) => exchange.reply(200, '"fine"')],
    ['that is null', 'ERR_CONSUL_INCOMPLETE', true, (exchange) => exchange.reply(200, 'null')],
    [
      'with status 500',
      'ERR_CONSUL_UNREACHABLE',
      true,
      (exchange) => exchange.reply(500, 'No cluster leader'),
    ],
    ['with status 503', 'ERR_CONSUL_UNREACHABLE', true, (exchange) => exchange.reply(503, '')],
    ['with status 429', 'ERR_CONSUL_UNREACHABLE', true, (exchange) => exchange.reply(429, 'slow down')],
    [
      'with a redirect',
      'ERR_CONSUL_UNREACHABLE',
      true,
      (exchange) => exchange.reply(301, '', { Location: '/ui/' }),
    ],
    ['with status 403', 'ERR_CONSUL_DENIED', false, (exchange) => exchange.reply(403, 'Permission denied')],
    [
      'without a connection',
      'ERR_CONSUL_UNREACHABLE',
      true,
      (exchange) => void exchange.response.socket?.destroy(),
    ],
    [
      'cut off within the body',
      'ERR_CONSUL_INCOMPLETE',
      true,
      (exchange) => {
        exchange.response.writeHead(200, { 'X-Consul-Index': '10', 'Content-Length': '100' });
        exchange.response.write('[]', () => exchange.response.socket?.destroy());
      },
    ],
    [
      'cut off within a chunked body',
      'ERR_CONSUL_INCOMPLETE',
      true,
      (exchange) => {
        exchange.response.writeHead(200, { 'X-Consul-Index': '10' });
        exchange.response.write('[]', () => exchange.response.socket?.destroy());
      },
    ],
    [
      'that never ends',
      'ERR_TIMEOUT',
      true,
      (exchange) => {
        exchange.response.writeHead(200, { 'X-Consul-Index': '10' });
        exchange.response.write('[');
      },
    ],
    ['that never begins', 'ERR_TIMEOUT', true, () => undefined],
    [
      'that ends within an entry of more bytes than allowed',
      'ERR_CONSUL_INCOMPLETE',
      true,
      (exchange) => exchange.reply(200, `[{"Name":"orders","Sources":[${'{},'.repeat(20_000)}`),
    ],
  ];

  for (const [what, code, retriable, fault] of faults) {
    it.each(lists)(`an answer ${what} throws ${code}, never reads as none: %s`, async (_, read) => {
      // A short time for those that never come alone: the others may take long on a busy machine.
      const short = code === 'ERR_TIMEOUT' ? { requestTimeoutMs: 250 } : {};
      const { consul } = await against(fault, { ...short, maxBytes: 10_000 });
      const failure = await failureOf(read(consul));
      expect(failure.code).toBe(code);
      expect(failure.retriable).toBe(retriable);
      expect(failure instanceof IncompleteRead).toBe(code === 'ERR_CONSUL_INCOMPLETE');
    });
  }

  it('a 404 of something that is not Consul is not an absent entry', async () => {
    const { consul } = await against((exchange) => exchange.reply(404, '<html>no such page</html>'));
    expect((await failureOf(consul.intentions.read(ORDERS, never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    expect((await failureOf(consul.claims.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
  });

  it('Consul out of reach throws ERR_CONSUL_UNREACHABLE with the reason', async () => {
    const server = await startFaultServer(() => undefined);
    await server.close();
    const consul = connect(server.address);
    const failure = await failureOf(consul.intentions.list(never));
    await consul.close();
    expect(failure.code).toBe('ERR_CONSUL_UNREACHABLE');
    expect(failure.message).toContain('ECONNREFUSED');
  });

  it('an entry with a number that JavaScript cannot hold is unreadable alone, for it could not be written back', async () => {
    const body =
      '[{"Kind":"service-intentions","Name":"orders","New":18446744073709551615,"Sources":[],"ModifyIndex":1}]';
    const { consul } = await against((exchange) => exchange.reply(200, body));
    expect((await consul.intentions.list(never))[0]?.unreadable).toContain('number');
  });

  it('a rewound list is refused until it stays so for five seconds', async () => {
    let now = 1_000;
    const clock: Clock = { now: () => now, sleep: systemClock.sleep };
    const indexes = ['50', '20', '20', '20', '21'];
    const { consul } = await against(
      (exchange) => exchange.reply(200, [], { 'X-Consul-Index': indexes.shift() }),
      { clock },
    );
    expect(await consul.intentions.list(never)).toEqual([]);
    expect((await failureOf(consul.intentions.list(never))).message).toContain('from 50 to 20');
    now += 4_999;
    expect((await failureOf(consul.intentions.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    now += 1;
    expect(await consul.intentions.list(never)).toEqual([]);
    expect(await consul.intentions.list(never)).toEqual([]);
  });

  it('a service that disappears between the list and the single read has no instances', async () => {
    const { consul } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/catalog/services') exchange.reply(200, { gone: [] });
      else exchange.reply(200, []);
    });
    const catalog = await consul.readCatalog(never);
    expect(catalog.services).toEqual([{ name: { ...ORDERS, name: 'gone' }, instances: [] }]);
  });

  it('one service that cannot be read fails the whole catalog', async () => {
    const names = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`s${at}`, []]));
    const { consul } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/catalog/services') exchange.reply(200, names);
      else if (exchange.url.pathname === '/v1/catalog/service/s7') exchange.reply(500, 'rpc error: EOF');
      else exchange.reply(200, []);
    });
    expect((await failureOf(consul.readCatalog(never))).code).toBe('ERR_CONSUL_UNREACHABLE');
  });

  it('at most eight services are read at once', async () => {
    const names = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`s${at}`, []]));
    let open = 0;
    let most = 0;
    const { consul } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/catalog/services') return exchange.reply(200, names);
      if (!exchange.url.pathname.startsWith('/v1/catalog/service/')) return exchange.reply(200, []);
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        exchange.reply(200, []);
      });
    });
    expect((await consul.readCatalog(never)).services).toHaveLength(40);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('without an ACL token, a Consul that has ACLs on is not believed', async () => {
    const { consul } = await against(
      (exchange) => {
        if (exchange.url.pathname === '/v1/acl/token/self') exchange.reply(200, { AccessorID: 'anonymous' });
        else exchange.reply(200, []);
      },
      { token: undefined },
    );
    const failure = await failureOf(consul.intentions.list(never));
    expect(failure.code).toBe('ERR_CONSUL_DENIED');
    expect(failure.message).toContain('consul.token');
  });

  it('without an ACL token, a Consul that has ACLs off is believed', async () => {
    const { consul, seen } = await against(
      (exchange) => {
        if (exchange.url.pathname === '/v1/acl/token/self') exchange.reply(401, 'ACL support disabled');
        else exchange.reply(200, []);
      },
      { token: undefined },
    );
    expect(await consul.intentions.list(never)).toEqual([]);
    expect(seen).toContain('GET /v1/acl/token/self');
  });
});
