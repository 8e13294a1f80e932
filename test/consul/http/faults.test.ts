import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import { systemClock } from '../../../src/clock.js';
import type { Consul } from '../../../src/consul/consul.js';
import type { HttpConsulOptions } from '../../../src/consul/http/http-consul.js';
import type { ErrorCode } from '../../../src/errors.js';
import { IncompleteRead, SyncError } from '../../../src/errors.js';
import type { IntentionEntry, NewSource } from '../../../src/model/intention.js';
import { type Metrics, noMetrics } from '../../../src/observe.js';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import { ACL_TOKEN, connect, type Exchange, startFaultServer } from './fault-server.js';

const ORDERS = { partition: 'default', namespace: 'default', name: 'orders' };
const WEB: NewSource = {
  name: 'web',
  namespace: 'default',
  partition: 'default',
  description: 'scopemesh:payments',
  access: { kind: 'allow' },
};
const closers: (() => Promise<void>)[] = [];
const never = new AbortController().signal;

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function against(
  answer: (exchange: Exchange) => void,
  options: Partial<HttpConsulOptions> = {},
): Promise<{ consul: Consul; seen: readonly string[] }> {
  const server = await startFaultServer(answer);
  closers.push(server.close);
  const consul = connect(server.address, options);
  closers.push(() => consul.close());
  return { consul, seen: server.seen };
}

async function failureOf(promise: Promise<unknown>): Promise<SyncError> {
  const outcome = await promise.then(
    (value) => new Error(`it resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof SyncError) {
    assertNoSecret(inspect(outcome, { depth: 10, showHidden: true }), [ACL_TOKEN]);
    return outcome;
  }
  throw outcome;
}

function rawEntry(sources: readonly object[], modifyIndex: number): object {
  return {
    Kind: 'service-intentions',
    Name: 'orders',
    Sources: sources,
    CreateIndex: 5,
    ModifyIndex: modifyIndex,
  };
}

const rawWeb = {
  Name: 'web',
  Action: 'allow',
  Precedence: 9,
  Type: 'consul',
  Description: 'scopemesh:payments',
};
const rawOther = { Name: 'other', Action: 'deny', Precedence: 9, Type: 'consul' };

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
      'of more bytes than allowed',
      'ERR_CONSUL_INCOMPLETE',
      false,
      (exchange) => exchange.reply(200, `[${' '.repeat(20_000)}]`),
    ],
  ];

  for (const [what, code, retriable, fault] of faults) {
    it.each(lists)(`an answer ${what} throws ${code}, never reads as none: %s`, async (_, read) => {
      const { consul } = await against(fault, { requestTimeoutMs: 250, maxBytes: 10_000 });
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

  it('an entry with a number that JavaScript cannot hold is not read, for it could not be written back', async () => {
    const body =
      '[{"Kind":"service-intentions","Name":"orders","New":18446744073709551615,"Sources":[],"ModifyIndex":1}]';
    const { consul } = await against((exchange) => exchange.reply(200, body));
    expect((await failureOf(consul.intentions.list(never))).message).toContain('number');
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

  it('a service that goes away between the list and its own read has no instances', async () => {
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

describe('a write', () => {
  /** Answers the PUT with `verdict`, and the read back with `after`. */
  const writing = (verdict: unknown, after: (exchange: Exchange) => void) =>
    against((exchange) => (exchange.method === 'GET' ? after(exchange) : exchange.reply(200, verdict)));
  const write = (consul: Consul, expectedIndex: number, base?: IntentionEntry) =>
    consul.intentions.write(ORDERS, base, [WEB], expectedIndex, never);

  it('answered false is a conflict, and nothing is read back', async () => {
    const { consul, seen } = await writing(false, (exchange) => exchange.reply(500, ''));
    expect(await write(consul, 7)).toEqual({ kind: 'conflict' });
    expect(seen).toEqual(['PUT /v1/config?cas=7']);
  });

  it('answered true whose content is there is written, with its index', async () => {
    const { consul } = await writing(true, (exchange) => exchange.reply(200, rawEntry([rawWeb], 12)));
    expect(await write(consul, 7)).toEqual({ kind: 'written', modifyIndex: 12 });
  });

  it('answered true under whose index other content stands is a conflict: it was no write', async () => {
    const { consul } = await writing(true, (exchange) =>
      exchange.reply(200, rawEntry([rawWeb, rawOther], 7)),
    );
    expect(await write(consul, 7)).toEqual({ kind: 'conflict' });
  });

  it.each([
    ['overwritten since', (exchange: Exchange) => exchange.reply(200, rawEntry([rawOther], 13))],
    [
      'deleted since',
      (exchange: Exchange) =>
        exchange.reply(404, 'Config entry not found for "service-intentions" / "orders"'),
    ],
    ['that cannot be read back', (exchange: Exchange) => exchange.reply(500, 'No cluster leader')],
  ])('answered true but %s is written, with no index to build on', async (_, after) => {
    const { consul } = await writing(true, after);
    expect(await write(consul, 7)).toEqual({ kind: 'written', modifyIndex: 0 });
  });

  it.each([
    [500, 'No cluster leader', 'ERR_CONSUL_UNREACHABLE'],
    [500, 'rpc error making call: leadership lost while committing log', 'ERR_CONSUL_UNREACHABLE'],
    [
      500,
      'rpc error getting client: failed to get conn: dial tcp: connection refused',
      'ERR_CONSUL_UNREACHABLE',
    ],
    [503, '', 'ERR_CONSUL_UNREACHABLE'],
    [429, 'RESOURCE_EXHAUSTED', 'ERR_CONSUL_UNREACHABLE'],
    [
      500,
      'service "draft-raft" has protocol "tcp", which is incompatible with L7 intentions permissions',
      'ERR_CONSUL_REJECTED',
    ],
    [500, "rpc error making call: Sources[0].Action must be set to 'allow' or 'deny'", 'ERR_CONSUL_REJECTED'],
    [400, 'Request decoding failed: invalid config key "Wrong"', 'ERR_CONSUL_REJECTED'],
    [
      403,
      `Permission denied: token with AccessorID 'x' lacks permission 'intention:write' on "orders"`,
      'ERR_CONSUL_DENIED',
    ],
  ] as const)('answered %i %s throws %s', async (status, text, code) => {
    const { consul } = await against((exchange) => exchange.reply(status, text));
    const failure = await failureOf(write(consul, 7));
    expect(failure.code).toBe(code);
    expect(failure.retriable).toBe(code === 'ERR_CONSUL_UNREACHABLE');
    if (code === 'ERR_CONSUL_DENIED') expect(failure.message).toContain('lacks intention:write on "orders"');
    if (code === 'ERR_CONSUL_REJECTED') expect(failure.message).toContain(text.slice(-20));
  });

  it('whose answer is cut off may have happened: ERR_CONSUL_UNREACHABLE, never false', async () => {
    const { consul } = await against((exchange) => {
      exchange.response.writeHead(200, { 'Content-Length': '6' });
      exchange.response.write('fal', () => exchange.response.socket?.destroy());
    });
    expect((await failureOf(write(consul, 7))).code).toBe('ERR_CONSUL_UNREACHABLE');
  });

  it('answered with neither true nor false may have happened', async () => {
    const { consul } = await writing('OK', () => undefined);
    expect((await failureOf(write(consul, 7))).code).toBe('ERR_CONSUL_UNREACHABLE');
  });

  it('carries no more than a line of what Consul said', async () => {
    const { consul } = await against((exchange) => exchange.reply(400, `bad\n${'x'.repeat(100_000)}`));
    const { message } = await failureOf(write(consul, 7));
    expect(message.length).toBeLessThan(500);
    expect(message).not.toContain('\n');
  });

  it.each(['a\nb', 'a\0b', '..', '.', '', 'a\u2028b', '\ud800'])(
    'of the name %j, which a GET cannot address, is refused before anything is sent',
    async (name) => {
      const { consul, seen } = await against((exchange) => exchange.reply(200, true));
      const failure = await failureOf(
        consul.intentions.write({ ...ORDERS, name }, undefined, [WEB], 0, never),
      );
      expect(failure.code).toBe('ERR_CONSUL_REJECTED');
      expect(seen).toEqual([]);
    },
  );

  it('sends every field of the base but what Consul computes, and raw sources as they were', async () => {
    let sent = '';
    const foreign = { Name: 'f', Future: { b: [1, null], a: '' }, Permissions: null, Precedence: 9 };
    const raw = {
      ...rawEntry([foreign], 7),
      Meta: JSON.parse('{"__proto__":"x"}'),
      JWT: { Providers: [] },
      Hash: 1e19,
    };
    const { consul } = await against((exchange) => {
      if (exchange.method === 'PUT') sent = exchange.body;
      exchange.reply(200, exchange.method === 'PUT' ? true : JSON.stringify(raw));
    });
    const base = await consul.intentions.read(ORDERS, never);
    if (base === undefined) throw new Error('nothing was read');
    await consul.intentions.write(ORDERS, base, [...base.sources, WEB], 7, never);
    expect(sent).toBe(
      '{"Kind":"service-intentions","Name":"orders","Sources":[' +
        '{"Name":"f","Future":{"b":[1,null],"a":""},"Permissions":null,"Precedence":9},' +
        '{"Name":"web","Action":"allow","Type":"consul","Description":"scopemesh:payments"}' +
        '],"Meta":{"__proto__":"x"},"JWT":{"Providers":[]}}',
    );
  });
});

describe('an aborted call', () => {
  it('rejects at once with the reason of the signal, while the server hangs', async () => {
    let asked = () => {};
    const request = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { consul } = await against(() => asked());
    const stop = new AbortController();
    const list = consul.intentions.list(stop.signal);
    const outcome = expect(list).rejects.toThrow('stopping');
    await request;
    stop.abort(new Error('stopping'));
    await outcome;
  });

  it('sends nothing when aborted before', async () => {
    const { consul, seen } = await against((exchange) => exchange.reply(200, []));
    await expect(consul.intentions.list(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
    expect(seen).toEqual([]);
  });
});

describe('the transport', () => {
  it('sends the ACL token as a header alone, and the datacenter with each request', async () => {
    const tokens: unknown[] = [];
    const { consul, seen } = await against(
      (exchange) => {
        tokens.push(exchange.headers['x-consul-token']);
        exchange.reply(200, []);
      },
      { datacenter: 'dc 2' },
    );
    await consul.intentions.list(never);
    expect(tokens).toEqual([ACL_TOKEN]);
    expect(seen).toEqual(['GET /v1/config/service-intentions?consistent&dc=dc%202']);
  });

  it('keeps a path in the address as a prefix', async () => {
    const server = await startFaultServer((exchange) => exchange.reply(200, []));
    closers.push(server.close);
    const consul = connect(`${server.address}/consul/`);
    closers.push(() => consul.close());
    await consul.intentions.list(never);
    expect(server.seen).toEqual(['GET /consul/v1/config/service-intentions?consistent']);
  });

  it('refuses an address that is no http URL, without repeating it', () => {
    expect(() => connect('ftp://user:hunter2@consul')).toThrow(/consul\.address/);
    expect(() => connect('ftp://user:hunter2@consul')).not.toThrow(/hunter2/);
  });

  it('counts each request by operation and result', async () => {
    const counted: unknown[] = [];
    const timed: unknown[] = [];
    const metrics: Metrics = {
      ...noMetrics,
      count: (name, labels) => counted.push([name, labels]),
      time: (name, _, labels) => timed.push([name, labels]),
    };
    let status = 200;
    const { consul } = await against((exchange) => exchange.reply(status, []), { metrics });
    await consul.intentions.list(never);
    status = 500;
    await failureOf(consul.intentions.list(never));
    expect(counted).toEqual([
      ['scopemesh_consul_requests_total', { operation: 'intentions.list', result: '200' }],
      ['scopemesh_consul_requests_total', { operation: 'intentions.list', result: 'ERR_CONSUL_UNREACHABLE' }],
    ]);
    expect(timed).toHaveLength(2);
  });
});

describe('inspect', () => {
  it('tells a default intention policy that overrides the ACL policy', async () => {
    const { consul } = await against((exchange) =>
      exchange.reply(200, {
        Config: { Version: '1.18.0', Datacenter: 'dc1' },
        DebugConfig: {
          ACLsEnabled: true,
          ACLResolverSettings: { ACLDefaultPolicy: 'deny' },
          DefaultIntentionPolicy: 'allow',
        },
      }),
    );
    expect(await consul.inspect(never)).toEqual({
      version: '1.18.0',
      datacenter: 'dc1',
      defaultPolicy: 'allow',
      aclsEnabled: true,
      serverTime: expect.anything(),
    });
  });

  it('says unknown where the token may not read the agent', async () => {
    const { consul } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/agent/self') exchange.reply(403, "lacks permission 'agent:read'");
      else exchange.reply(200, ['dc7']);
    });
    expect(await consul.inspect(never)).toEqual({
      version: 'unknown',
      datacenter: 'dc7',
      defaultPolicy: 'unknown',
      aclsEnabled: true,
      serverTime: expect.anything(),
    });
  });

  it('throws for a token that Consul does not know', async () => {
    const { consul } = await against((exchange) => exchange.reply(403, 'ACL not found'));
    expect((await failureOf(consul.inspect(never))).code).toBe('ERR_CONSUL_DENIED');
  });
});
