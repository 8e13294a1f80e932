import { describe, expect, it } from 'vitest';
import type { ClaimWrite, Consul } from '../../../../src/consul/consul.js';
import type { IntentionEntry, NewSource } from '../../../../src/model/intention.js';
import { against, failureOf } from '../fault-server.js';

const ORDERS = { partition: 'default', namespace: 'default', name: 'orders' };
const WEB: NewSource = {
  name: 'web',
  namespace: 'default',
  partition: 'default',
  description: 'scopemesh:payments',
  access: { kind: 'allow' },
};
const never = new AbortController().signal;

function rawEntry(sources: readonly object[], modifyIndex: number): object {
  return {
    Kind: 'service-intentions',
    Name: 'orders',
    Sources: sources,
    CreateIndex: 5,
    ModifyIndex: modifyIndex,
  };
}

describe('a write', () => {
  const write = (consul: Consul, expectedIndex: number, current?: IntentionEntry) =>
    consul.intentions.write(ORDERS, current, [WEB], expectedIndex, never);

  it('is one request, written where it is answered true and a conflict where false', async () => {
    for (const [verdict, kind] of [
      [true, 'written'],
      [false, 'conflict'],
    ] as const) {
      const { consul, seen } = await against((exchange) => exchange.reply(200, verdict));
      expect(await write(consul, 7)).toEqual({ kind });
      expect(seen).toEqual(['PUT /v1/config?cas=7']);
    }
  });

  it('that deletes is one request too', async () => {
    const { consul, seen } = await against((exchange) => exchange.reply(200, false));
    expect(await consul.intentions.delete(ORDERS, 7, never)).toEqual({ kind: 'conflict' });
    expect(seen).toEqual(['DELETE /v1/config/service-intentions/orders?cas=7']);
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
    const { consul } = await against((exchange) => exchange.reply(200, 'OK'));
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
    const current = await consul.intentions.read(ORDERS, never);
    if (current === undefined) throw new Error('nothing was read');
    await consul.intentions.write(ORDERS, current, [...current.sources, WEB], 7, never);
    expect(sent).toBe(
      '{"Kind":"service-intentions","Name":"orders","Sources":[' +
        '{"Name":"f","Future":{"b":[1,null],"a":""},"Permissions":null,"Precedence":9},' +
        '{"Name":"web","Action":"allow","Type":"consul","Description":"scopemesh:payments"}' +
        '],"Meta":{"__proto__":"x"},"JWT":{"Providers":[]}}',
    );
  });
});

describe('writes of claims', () => {
  const create = (clientId: string): ClaimWrite => ({
    do: 'create',
    record: { provider: 'main', clientId, service: ORDERS },
  });
  const remove = (clientId: string): ClaimWrite => ({
    do: 'delete',
    record: { provider: 'main', clientId, service: ORDERS, modifyIndex: 7 },
  });
  const keysOf = (body: string): string[] => {
    const operations: { KV: { Verb: string; Key: string } }[] = JSON.parse(body);
    return operations.map(({ KV }) => `${KV.Verb} ${KV.Key.split('/').at(-1)}`);
  };
  const failed = (...errors: readonly (readonly [number, string])[]) => ({
    Results: null,
    Errors: errors.map(([OpIndex, What]) => ({ OpIndex, What })),
  });

  it('are sent again without those that failed, each by the words of its own operation', async () => {
    const sent: string[][] = [];
    const answers = [
      failed(
        [0, 'failed to set key "a", index is stale'],
        [2, 'failed to check index, key "c" doesn\'t exist'],
        [3, 'failed to delete key "c", index is stale'],
      ),
      failed([1, 'invalid key "index is stale"']),
      { Results: [{}], Errors: null },
    ];
    const { consul } = await against((exchange) => {
      sent.push(keysOf(exchange.body));
      const answer = answers.shift();
      exchange.reply(answers.length === 0 ? 200 : 409, answer);
    });
    const writes = [create('a'), create('b'), remove('c'), create('d')];
    expect(await consul.claims.write(writes, never)).toEqual([
      { kind: 'conflict' },
      { kind: 'written' },
      { kind: 'conflict' },
      { kind: 'refused', detail: 'Consul claims.write: invalid key "index is stale"' },
    ]);
    expect(sent).toEqual([
      ['cas a', 'cas b', 'check-index c', 'delete-cas c', 'cas d'],
      ['cas b', 'cas d'],
      ['cas b'],
    ]);
  });

  it('go 64 operations at a time, and none at all where there is nothing to send', async () => {
    const sent: number[] = [];
    const { consul } = await against((exchange) => {
      sent.push(keysOf(exchange.body).length);
      exchange.reply(200, { Results: [], Errors: null });
    });
    expect(await consul.claims.write([], never)).toEqual([]);
    await consul.claims.write(
      [create('a'), ...Array.from({ length: 80 }, (_, at) => remove(`${at}`))],
      never,
    );
    expect(sent).toEqual([63, 64, 34]);
  });

  it.each([
    [200, '{"Results":null,"Errors":null}', 'ERR_CONSUL_UNREACHABLE'],
    [200, 'true', 'ERR_CONSUL_INCOMPLETE'],
    [409, '{"Results":null,"Errors":[]}', 'ERR_CONSUL_UNREACHABLE'],
    [409, '{"Results":null,"Errors":[{"OpIndex":9,"What":"x"}]}', 'ERR_CONSUL_UNREACHABLE'],
    [500, 'No cluster leader', 'ERR_CONSUL_UNREACHABLE'],
  ])('answered %i %s may have happened: %s', async (status, body, code) => {
    const { consul } = await against((exchange) => exchange.reply(status, body));
    const failure = await failureOf(consul.claims.write([create('a')], never));
    expect(failure).toMatchObject({ code, retriable: true });
  });
});
