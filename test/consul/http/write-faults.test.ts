import { describe, expect, it } from 'vitest';
import type { Consul } from '../../../src/consul/consul.js';
import type { IntentionEntry, NewSource } from '../../../src/model/intention.js';
import { against, type Exchange, failureOf } from './fault-server.js';

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

const rawWeb = {
  Name: 'web',
  Action: 'allow',
  Precedence: 9,
  Type: 'consul',
  Description: 'scopemesh:payments',
};
const rawOther = { Name: 'other', Action: 'deny', Precedence: 9, Type: 'consul' };

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
