import { describe, expect, it } from 'vitest';
import type { OAuthClient } from '../../src/model/client.js';
import type { Access } from '../../src/model/intention.js';
import type { Proposal } from '../../src/proposal/proposal.js';
import { ALLOW, client, entriesOf, entry, mapping, rule, type Scene, scene, source } from '../plan/scene.js';
import { proposalFor } from './scene-proposal.js';

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1' }] };
const POST: Access = { kind: 'http', permissions: [{ methods: ['POST'], pathExact: '/v1' }] };
const BOTH: Access = { kind: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1' }] };

const filled = (changes: Partial<Scene>) => scene({ mapping: mapping(), services: [], ...changes });
/** What each service calls now, by destination. */
const called = (edges: Readonly<Record<string, Readonly<Record<string, Access>>>>) =>
  entriesOf(
    ...Object.entries(edges).map(([to, from]) =>
      entry(to, ...Object.entries(from).map(([name, access]) => source(name, access))),
    ),
  );
/** Every service may call `orders`, with the scopes that its client has. */
const allowed = (scopes: Readonly<Record<string, readonly string[]>>) =>
  filled({
    clients: Object.entries(scopes).map(([id, names]) => client(id, names)),
    entries: called({ orders: Object.fromEntries(Object.keys(scopes).map((id) => [id, ALLOW])) }),
  });

const rulesOf = ({ rules }: Proposal) =>
  rules.map(({ rule: { scope, to, methods = [] }, evidence }) =>
    [scope, '->', to, ...methods, evidence].join(' '),
  );
const unusedOf = ({ unusedScopes }: Proposal) =>
  unusedScopes.map(({ scope, reason }) => `${scope.name} ${reason}`);
const withApi = (api: string, name: string, clientId = 'web'): OAuthClient => ({
  ...client(clientId, []),
  grants: [{ name, api }],
});

describe('a scope', () => {
  it('gets no rule beside one of the file that opens a destination for it, nor if a standard defines it', () => {
    const proposal = proposalFor(
      filled({
        mapping: mapping({
          rules: [rule('orders:*', 'orders'), { scope: 'billing:call', acl: '', userRequired: false }],
        }),
        clients: [client('web', ['orders:call', 'billing:call', 'openid'])],
        services: [],
        entries: called({ orders: { web: ALLOW }, billing: { web: ALLOW }, openid: { web: ALLOW } }),
      }),
    );
    expect(rulesOf(proposal)).toEqual(['billing:call -> billing name']);
    expect(proposal.unusedScopes).toEqual([]);
    expect(proposal.explained.map(({ destination }) => destination.name)).toEqual(['billing', 'orders']);
  });

  it('is of the destination in its name, else of the one in its API, in whatever case', () => {
    const proposal = proposalFor(
      filled({
        clients: [withApi('https://ORDERS/', 'call'), withApi('https://billing/', 'Reports:call', 'job')],
        entries: called({ orders: { web: ALLOW }, billing: { job: ALLOW }, reports: { job: ALLOW } }),
      }),
    );
    expect(rulesOf(proposal)).toEqual(['Reports:call -> reports name', 'call -> orders api']);
    expect(proposal.rules.map((each) => each.rule.api)).toEqual(['https://billing/', 'https://ORDERS/']);
    expect(proposal.unusedScopes).toEqual([]);
    expect(proposal.explained.map(({ scopes }) => scopes)).toEqual([
      [expect.stringContaining('ORDERS')],
      [expect.stringContaining('billing')],
    ]);
  });

  it('that names a destination is not also taken for another whose callers are its services', () => {
    const both = { web: ALLOW, job: ALLOW };
    const proposal = proposalFor(
      filled({
        clients: ['web', 'job'].map((id) => client(id, ['orders:call'])),
        entries: called({ orders: both, reports: both }),
      }),
    );
    expect(rulesOf(proposal)).toEqual(['orders:call -> orders name']);
  });

  it('without a destination name is not assigned by a single caller', () => {
    const proposal = proposalFor(
      filled({ clients: [client('web', ['insights'])], entries: called({ reports: { web: ALLOW } }) }),
    );
    expect(rulesOf(proposal)).toEqual([]);
    expect(unusedOf(proposal)).toEqual(['insights NoDestination']);
    expect(proposal.unusedScopes[0]?.detail).toContain('its name is not that of a service');
  });

  it('that names nothing may be the reason of what named ones leave, and of nothing else', () => {
    const more = ['insights', 'figures'];
    expect(
      unusedOf(proposalFor(allowed({ web: ['orders:call', ...more], job: ['orders:call', ...more] }))),
    ).toEqual(['figures NoDestination', 'insights NoDestination']);
    expect(unusedOf(proposalFor(allowed({ web: ['orders:call', ...more], job: more })))).toEqual([
      'figures SeveralDestinations',
      'insights SeveralDestinations',
    ]);
  });

  it.each([
    [false, []],
    [true, ['orders:call -> orders name']],
  ])('is needed beside a rule of the file that asks for a user (%s) only then', (userRequired, expected) => {
    const from = allowed({ web: ['base', 'orders:call'] });
    const proposal = proposalFor({
      ...from,
      mapping: mapping({ rules: [rule('base', 'orders', { userRequired })] }),
    });
    expect(rulesOf(proposal)).toEqual(expected);
    expect(unusedOf(proposal)).toEqual(userRequired ? [] : ['orders:call Redundant']);
  });

  it('is not held by a client whose kind may not use it', () => {
    const { limits } = mapping();
    const proposal = proposalFor(
      filled({
        mapping: mapping({ limits: { ...limits, agent: { never: ['orders:*'] } } }),
        clients: [client('web', ['orders:call']), client('bot', ['orders:call'], { actorKind: 'agent' })],
        entries: called({ orders: { web: ALLOW }, reports: { bot: ALLOW } }),
      }),
    );
    expect(rulesOf(proposal)).toEqual(['orders:call -> orders name']);
  });

  it('of one provider is not that of another with its name', () => {
    const proposal = proposalFor(
      filled({
        mapping: mapping({ providers: ['main', 'more'] }),
        clients: [client('web', ['orders:call']), client('job', ['orders:call'], { provider: 'more' })],
        entries: called({ orders: { web: ALLOW }, reports: { job: ALLOW } }),
      }),
    );
    expect(proposal.rules.map((each) => each.rule.provider)).toEqual(['main']);
    expect(proposal.unusedScopes.map(({ provider, reason }) => `${provider} ${reason}`)).toEqual([
      'more WouldOpenMore',
    ]);
  });
});

describe('what Consul allows is shared', () => {
  it('by the words of the scopes: to read, to write, or everything', () => {
    const one = (access: Access, ...scopes: readonly string[]) =>
      rulesOf(
        proposalFor(
          filled({ clients: [client('web', scopes)], entries: called({ orders: { web: access } }) }),
        ),
      );
    expect(one(BOTH, 'orders:read', 'orders:write')).toEqual([
      'orders:read -> orders GET name',
      'orders:write -> orders POST name',
    ]);
    expect(one(ALLOW, 'orders:get', 'orders:use')).toEqual(['orders:use -> orders name']);
    expect(one(ALLOW, 'orders:get')).toEqual(['orders:get -> orders name']);
    expect(one(BOTH, 'orders:read')).toEqual(['orders:read -> orders GET POST name']);
    expect(one(POST, 'orders:read')).toEqual(['orders:read -> orders POST name']);
    expect(one({ kind: 'http', permissions: [{ pathExact: '/v1' }] }, 'orders:read')).toEqual([
      'orders:read -> orders name',
    ]);
  });

  it('so that the scope that explains most comes first, and each other one only for what is left', () => {
    const rules = (scopes: Parameters<typeof allowed>[0]) =>
      proposalFor(allowed(scopes)).rules.map((each) => each.rule.scope);
    expect(rules({ web: ['orders:a', 'orders:b'], job: ['orders:b'] })).toEqual(['orders:b']);
    expect(rules({ web: ['orders:a'], job: ['orders:a', 'orders:b'], bot: ['orders:b'] })).toEqual([
      'orders:a',
      'orders:b',
    ]);
    // Once a is taken, b explains less than c.
    const first = { web: ['orders:a', 'orders:b'], job: ['orders:a', 'orders:b'], bot: ['orders:a'] };
    expect(rules({ ...first, x: ['orders:b', 'orders:c'], y: ['orders:c'] })).toEqual([
      'orders:a',
      'orders:c',
    ]);
    // Once a is taken, b explains less than c, and as much as d, which comes after it.
    expect(rules({ ...first, x: ['orders:c'], y: ['orders:c'], v: ['orders:b', 'orders:d'] })).toEqual([
      'orders:a',
      'orders:b',
      'orders:c',
    ]);
  });
});

describe('a scope without a rule', () => {
  const shared = (web: Access, job: Access | undefined) =>
    filled({
      clients: ['web', 'job'].map((id) => client(id, ['orders:call'])),
      entries: called({ orders: { web, ...(job === undefined ? {} : { job }) } }),
    });

  it('would let in a service that Consul does not', () => {
    const { unusedScopes } = proposalFor(shared(ALLOW, undefined));
    expect(unusedScopes).toMatchObject([
      { reason: 'WouldOpenMore', detail: expect.stringContaining('open orders also to job, which') },
    ]);
  });

  it('would open more if its services share no permission at the destination', () => {
    const { rules, unusedScopes, unexplained } = proposalFor(shared(GET, POST));
    expect(rules).toEqual([]);
    expect(unusedScopes).toMatchObject([
      { reason: 'WouldOpenMore', detail: expect.stringContaining('share no permission') },
    ]);
    expect(unexplained.map(({ reason, detail }) => `${reason} ${detail.split(':')[0]}`)).toEqual(
      Array.from({ length: 2 }, () => 'WouldOpenMore scope orders'),
    );
  });

  it('has a rule for the permissions that its services share', () => {
    expect(rulesOf(proposalFor(shared(GET, BOTH)))).toEqual(['orders:call -> orders GET name']);
  });

  it('cannot be written, by its name or because the file cannot hold the rule', () => {
    const unwritable = proposalFor(allowed({ web: ['orders:call'] }), () => false);
    for (const proposal of [unwritable, proposalFor(allowed({ web: ['orders:*'] }))]) {
      expect(proposal.rules).toEqual([]);
      expect(proposal.unusedScopes).toMatchObject([
        { reason: 'NotWritable', detail: expect.stringContaining('cannot express') },
      ]);
      expect(proposal.unexplained).toMatchObject([{ reason: 'NotWritable' }]);
    }
  });

  it('is redundant beside others of the same services', () => {
    const { unusedScopes } = proposalFor(allowed({ web: ['orders:a', 'orders:b'], job: ['orders:b'] }));
    expect(unusedScopes).toMatchObject([
      { scope: { name: 'orders:a' }, reason: 'Redundant', detail: expect.stringContaining('open all of it') },
    ]);
  });
});

describe('rules that differ in their destination alone', () => {
  const scoped = (...scopes: readonly string[]) =>
    proposalFor(
      filled({
        clients: [client('web', scopes)],
        entries: called({ orders: { web: ALLOW }, billing: { web: ALLOW } }),
      }),
    );

  it('become one with a pattern, but never one that every scope matches', () => {
    expect(rulesOf(scoped('orders:call', 'billing:call'))).toEqual(['{service}:call -> {service} name']);
    expect(rulesOf(scoped('orders', 'billing'))).toEqual([
      'billing -> billing name',
      'orders -> orders name',
    ]);
  });

  it('stay where they open different things, or cannot be written as one', () => {
    const entries = called({ orders: { web: GET }, billing: { web: POST } });
    const from = filled({ clients: [client('web', ['orders:call', 'billing:call'])], entries });
    expect(rulesOf(proposalFor(from))).toEqual([
      'billing:call -> billing POST name',
      'orders:call -> orders GET name',
    ]);
    const noPattern = proposalFor(
      { ...from, entries: called({ orders: { web: GET }, billing: { web: GET } }) },
      ({ to }) => to !== '{service}',
    );
    expect(noPattern.rules).toHaveLength(2);
  });

  it('stay where their API names the destination, as the pattern would not', () => {
    const clients = [withApi('orders', 'call'), withApi('billing', 'call', 'job')];
    const entries = called({ orders: { web: ALLOW }, billing: { job: ALLOW } });
    expect(rulesOf(proposalFor(filled({ clients, entries })))).toEqual([
      'call -> billing api',
      'call -> orders api',
    ]);
  });

  it('become one for each API', () => {
    const grants = ['orders:call', 'billing:call'].map((name) => ({ name, api: 'shop' }));
    const clients = [{ ...client('web', []), grants }];
    const entries = called({ orders: { web: ALLOW }, billing: { web: ALLOW } });
    const { rules, explained } = proposalFor(filled({ clients, entries }));
    expect(rules.map((each) => each.rule)).toEqual([
      { scope: '{service}:call', api: 'shop', to: '{service}', userRequired: false },
    ]);
    expect(explained).toHaveLength(2);
    // A scope without an API, which no rule of the API matches, changes nothing about that.
    const more = [...clients, client('other', ['users:call'], { attributes: {} })];
    expect(proposalFor(filled({ clients: more, entries })).rules).toHaveLength(1);
  });

  it('are sorted, and so are scopes and intentions, whatever the order of Consul', () => {
    const clients = [client('web', ['orders:b', 'zebra', 'orders:a', 'ant']), client('job', ['orders:a'])];
    const entries = called({ orders: { web: BOTH, job: GET }, billing: { web: ALLOW } });
    const { rules, unusedScopes, unexplained } = proposalFor(filled({ clients, entries }));
    expect(rules.map((each) => each.rule.scope)).toEqual(['orders:a', 'orders:b']);
    expect(unusedScopes.map(({ scope }) => scope.name)).toEqual(['ant', 'zebra']);
    expect(unexplained.map(({ destination }) => destination.name)).toEqual(['billing']);
  });
});
