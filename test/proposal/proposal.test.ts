import { describe, expect, it } from 'vitest';
import type { Access } from '../../src/model/intention.js';
import type { Proposal } from '../../src/proposal/proposal.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  mapping,
  named,
  type Scene,
  scene,
  source,
} from '../plan/scene.js';
import { proposalFor } from './scene-proposal.js';

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1' }] };
const BOTH: Access = { kind: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1' }] };

const rulesOf = ({ rules }: Proposal) =>
  rules.map(({ rule: { userRequired: _, ...rest }, evidence }) => ({ ...rest, evidence }));
const filled = (changes: Partial<Scene>) => scene({ mapping: mapping(), services: [], ...changes });

describe('a proposal', () => {
  it('splits what a service may do among the scopes that name the destination, by their words', () => {
    const proposal = proposalFor(
      filled({
        clients: [client('web', ['orders:read', 'orders:write']), client('job', ['orders:read'])],
        entries: entriesOf(entry('orders', source('web', BOTH), source('job', GET))),
      }),
    );
    expect(rulesOf(proposal)).toEqual([
      { scope: 'orders:read', to: 'orders', methods: ['GET'], pathExact: '/v1', evidence: 'name' },
      { scope: 'orders:write', to: 'orders', methods: ['POST'], pathExact: '/v1', evidence: 'name' },
    ]);
    expect(proposal.unexplained).toEqual([]);
  });

  it('writes a pattern where it says the same as the list', () => {
    const clients = [client('web', ['orders:call', 'billing:call'])];
    const entries = entriesOf(entry('orders', source('web', ALLOW)), entry('billing', source('web', ALLOW)));
    expect(rulesOf(proposalFor(filled({ clients, entries })))).toEqual([
      { scope: '{service}:call', to: '{service}', evidence: 'name' },
    ]);
    // A client without a service holds a scope that the pattern matches too.
    const more = [...clients, client('other', ['users:call'], { attributes: {} })];
    expect(rulesOf(proposalFor(filled({ clients: more, entries })))).toHaveLength(2);
  });

  it('takes a scope that names nothing for the destination whose callers are exactly its services', () => {
    const clients = [client('web', ['insights']), client('job', ['insights'])];
    const entries = entriesOf(entry('reports', source('web', ALLOW), source('job', ALLOW)));
    expect(rulesOf(proposalFor(filled({ clients, entries })))).toEqual([
      { scope: 'insights', to: 'reports', evidence: 'callers' },
    ]);
    const twins = clients.map((each) => ({ ...each, grants: [...each.grants, { name: 'figures' }] }));
    const unclear = proposalFor(filled({ clients: twins, entries }));
    expect(unclear.rules).toEqual([]);
    expect(unclear.unexplained.map(({ reason }) => reason)).toEqual(['SeveralScopes', 'SeveralScopes']);
  });

  it('names the destinations of scopes that nothing tells apart in one order, whatever the order of Consul', () => {
    const clients = ['web', 'job'].map((id) => client(id, ['insights', 'figures']));
    const called = ['reports', 'archive'].map((to) => entry(to, source('web', ALLOW), source('job', ALLOW)));
    for (const entries of [entriesOf(...called), entriesOf(...called.toReversed())])
      expect(proposalFor(filled({ clients, entries })).unusedScopes[0]).toMatchObject({
        reason: 'SeveralDestinations',
        detail: expect.stringContaining('the callers of archive, reports;'),
      });
  });

  it('proposes no rule that would let another holder of the scope in', () => {
    const clients = [client('web', ['orders:call']), client('job', ['orders:call'])];
    const proposal = proposalFor(
      filled({
        clients,
        services: [claiming('job', '')],
        entries: entriesOf(entry('orders', source('web', ALLOW))),
      }),
    );
    expect(proposal.rules).toEqual([]);
    expect(proposal.unexplained).toMatchObject([{ reason: 'WouldOpenMore' }]);
    expect(proposal.unusedScopes).toMatchObject([{ reason: 'WouldOpenMore' }]);
  });

  it('counts every service that claims the client, although with claims: first one of them gets it', () => {
    const from = filled({
      mapping: mapping({ claims: 'first' }),
      clients: [client('app', ['orders:call'])],
      services: [claiming('web', 'app'), claiming('job', 'app')],
      entries: entriesOf(entry('orders', source('web', ALLOW))),
    });
    expect(proposalFor(from)).toMatchObject({
      rules: [],
      claims: [],
      unexplained: [{ reason: 'UnclearSource' }],
      unusedScopes: [{ reason: 'WouldOpenMore' }],
    });
  });

  const spread = (
    services: Scene['services'],
    clients: Scene['clients'],
    claims?: 'first',
  ): Partial<Scene> => ({
    mapping: mapping(claims === undefined ? {} : { claims }),
    clients: [client('web', ['orders:call']), ...clients],
    services,
    entries: entriesOf(entry('orders', source('web', ALLOW))),
  });
  const unnamed = { attributes: {} };
  it.each<[string, Partial<Scene>]>([
    [
      'whose instances disagree',
      spread([claiming('job', 'a', 'b')], [client('a', []), client('b', ['orders:call'])]),
    ],
    [
      'that several clients name',
      spread(
        [claiming('job', '')],
        [
          client('a', [], { attributes: { 'consul-services': 'job' } }),
          client('b', ['orders:call'], { attributes: { 'consul-services': 'job' } }),
        ],
      ),
    ],
    [
      'of a disabled client',
      spread([claiming('job', 'job')], [client('job', ['orders:call'], { enabled: false })]),
    ],
    ['that a client names and that is not registered', spread([], [client('job', ['orders:call'])])],
    [
      'that claims a client which names others',
      spread(
        [claiming('job', 'bot')],
        [client('bot', ['orders:call'], { attributes: { 'consul-services': 'web' } })],
      ),
    ],
    [
      'that is recorded for the client and not registered',
      {
        ...spread([], [client('a', ['orders:call'], unnamed)], 'first'),
        records: [{ provider: 'main', clientId: 'a', service: named('job'), modifyIndex: 1 }],
      },
    ],
  ])('proposes no rule that would let in a service %s', (_, changes) => {
    const { rules, unusedScopes } = proposalFor(filled(changes));
    expect(rules).toEqual([]);
    expect(unusedScopes).toMatchObject([{ reason: 'WouldOpenMore' }]);
  });

  it('never asks to confirm a claim on a client that names other services', () => {
    const bot = (named: string) => client('bot', [], { attributes: { 'consul-services': named } });
    const entries = entriesOf(entry('orders', source('evil', ALLOW)));
    const services = [claiming('evil', 'bot')];
    const { claims, unexplained } = proposalFor(filled({ clients: [bot('real')], services, entries }));
    expect(claims).toEqual([]);
    expect(unexplained).toMatchObject([{ reason: 'UnclearSource' }]);
    // A client that names none yet leaves it to a person.
    expect(proposalFor(filled({ clients: [bot('')], services, entries })).claims).toMatchObject([
      { evidence: 'unconfirmed', needsAttribute: true },
    ]);
    // Without an intention from it, the service needs no client.
    expect(proposalFor(filled({ clients: [bot('')], services })).claims).toEqual([]);
  });

  it('explains a source beside one of another cluster with the same name', () => {
    const clients = [client('web', ['orders:call'])];
    const sources = [source('web', ALLOW), source('web', ALLOW, '', { peer: 'east' })];
    const { explained, unexplained } = proposalFor(
      filled({ clients, entries: entriesOf(entry('orders', ...sources)) }),
    );
    expect(explained).toHaveLength(1);
    expect(unexplained).toMatchObject([{ reason: 'OtherCluster' }]);
  });

  it('proposes no claim by which rules of the configuration would open more', () => {
    const rules = [{ scope: 'orders:call', to: 'orders', userRequired: false }];
    const clients = [client('web', ['orders:call']), client('job', ['orders:call'])];
    const entries = entriesOf(
      entry('orders', source('web', ALLOW)),
      entry('reports', source('web', ALLOW), source('job', ALLOW)),
    );
    const { claims, unexplained } = proposalFor(filled({ mapping: mapping({ rules }), clients, entries }));
    expect(claims.map(({ service }) => service.name)).toEqual(['web']);
    expect(unexplained.map(({ source: { name }, reason }) => [name, reason])).toEqual([
      ['job', 'UnclearSource'],
      ['web', 'NoScope'],
    ]);
  });

  it.each<[string, Parameters<typeof source>, string]>([
    ['a deny', ['web', DENY], 'Deny'],
    ['a wildcard', ['*', ALLOW], 'Wildcard'],
    ['a source of another cluster', ['web', ALLOW, '', { peer: 'east' }], 'OtherCluster'],
    ['a source of another instance', ['web', ALLOW, 'scopemesh:other'], 'OtherInstance'],
    ['conditions of others', ['web', { kind: 'other' }], 'UnknownContent'],
    ['a source without a client', ['shop', ALLOW], 'UnknownSource'],
    ['a source whose client has no such scope', ['idle', ALLOW], 'NoScope'],
  ])('says why nothing explains %s', (_, what, reason) => {
    const clients = [client('web', ['orders:call']), client('idle', [])];
    const entries = entriesOf(entry('orders', source(...what)));
    const { explained, unexplained } = proposalFor(filled({ clients, entries }));
    expect(explained).toEqual([]);
    expect(unexplained).toMatchObject([{ reason }]);
  });

  it('lets a claim of the service decide before the attribute of a client, and that before the name', () => {
    const clients = [
      client('a', [], { attributes: {} }),
      client('b', [], { attributes: { 'consul-services': 'web' } }),
      client('web', [], { attributes: {} }),
    ];
    const entries = entriesOf(entry('orders', source('web', ALLOW)));
    const clientOf = (changes: Partial<Scene>) =>
      proposalFor(filled({ entries, ...changes })).claims.map(({ client: { clientId }, evidence }) => [
        clientId,
        evidence,
      ]);
    const services = [claiming('web', 'a')];
    const confirming = [client('a', [], { attributes: { 'consul-services': 'web' } }), ...clients.slice(1)];
    expect(clientOf({ clients: confirming, services })).toEqual([['a', 'claim']]);
    // The client that the service claims does not name it, and another one does.
    expect(clientOf({ clients, services })).toEqual([]);
    expect(clientOf({ clients })).toEqual([['b', 'attribute']]);
    expect(clientOf({ clients: clients.filter(({ clientId }) => clientId !== 'b') })).toEqual([
      ['web', 'name'],
    ]);
  });
});
