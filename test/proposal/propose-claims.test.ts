import { describe, expect, it } from 'vitest';
import type { OAuthClient } from '../../src/model/client.js';
import type { ServiceName } from '../../src/model/intention.js';
import { compilePattern } from '../../src/plan/pattern.js';
import { createSelection } from '../../src/plan/selection.js';
import { proposeClaims } from '../../src/proposal/propose-claims.js';
import type { AllowedEdge } from '../../src/proposal/read-edges.js';
import {
  ALLOW,
  claiming,
  client,
  entriesOf,
  entry,
  keyOf,
  mapping,
  named,
  rule,
  type Scene,
  SETTINGS,
  scene,
  source,
  worldOf,
} from '../plan/scene.js';
import { proposalFor } from './scene-proposal.js';

const edgeFrom = (from: ServiceName): AllowedEdge => ({
  source: from,
  destination: named('orders'),
  access: ALLOW,
});
/** The claims of these services, each of which is the source of an intention. */
function claimsOf(
  changes: Partial<Scene>,
  sources: readonly (string | ServiceName)[] = ['web'],
  guesses: { readonly pattern?: string; readonly byToken?: Readonly<Record<string, readonly string[]>> } = {},
) {
  const from = scene({ mapping: mapping(), services: [], clients: [], ...changes });
  const names = sources.map((each) => (typeof each === 'string' ? named(each) : each));
  const { proposed, doubtful, unclear } = proposeClaims(
    {
      world: worldOf(from),
      settings: SETTINGS,
      mapping: from.mapping,
      clientPattern: guesses.pattern === undefined ? undefined : compilePattern(guesses.pattern),
      clientsByToken: new Map(
        Object.entries(guesses.byToken ?? {}).map(([name, ids]) => [
          keyOf(name),
          ids.map((clientId) => ({ provider: 'main', clientId })),
        ]),
      ),
    },
    names.map(edgeFrom),
  );
  return {
    proposed,
    proposedText: proposed.map(
      ({ service, client: of, evidence }) => `${service.name} ${of.clientId} ${evidence}`,
    ),
    doubtful: [
      ...new Set(
        doubtful.map(({ service: { namespace, name }, client: of }) =>
          [...(namespace === 'default' ? [] : [namespace]), name, of.clientId].join(' '),
        ),
      ),
    ].toSorted(),
    unclear: [...unclear.values()],
  };
}
const naming = (clientId: string, services: string, changes: Partial<OAuthClient> = {}) =>
  client(clientId, [], { attributes: { 'consul-services': services }, ...changes });
const nameless = (clientId: string) => client(clientId, [], { attributes: {} });

describe('the client of a service that nobody claims is guessed', () => {
  const SERVICES = ['web', 'job', 'edge'];

  it('by a pattern for its ID or its name, which providers with IDs of their own have', () => {
    const clients = [
      nameless('web-client'),
      client('0oa1', [], { name: 'job-client', attributes: {} }),
      nameless('edge'),
    ];
    expect(claimsOf({ clients }, SERVICES, { pattern: '{service}-client' }).proposedText).toEqual([
      'edge edge name',
      'job 0oa1 pattern',
      'web web-client pattern',
    ]);
    expect(claimsOf({ clients }, SERVICES).proposedText).toEqual(['edge edge name']);
  });

  it('by a pattern before an equal name, and never before what the service or a client says', () => {
    const clients = [
      nameless('web'),
      nameless('web-client'),
      naming('shop', 'job'),
      nameless('job-client'),
      nameless('edge-client'),
    ];
    const services = [claiming('edge', 'web')];
    expect(claimsOf({ clients, services }, SERVICES, { pattern: '{service}-client' }).proposedText).toEqual([
      'edge web unconfirmed',
      'job shop attribute',
      'web web-client pattern',
    ]);
  });

  it('by an equal name', () => {
    const clients = [client('3f1c', [], { name: 'web', attributes: {} })];
    expect(claimsOf({ clients }).proposedText).toEqual(['web 3f1c name']);
  });

  it('by its static tokens, unless they name several clients', () => {
    const clients = ['shop', 'till', 'bot'].map(nameless);
    const byToken = { web: ['shop'], job: ['till', 'bot'] };
    const { proposedText, unclear } = claimsOf({ clients }, ['web', 'job'], { byToken });
    expect([proposedText, unclear]).toEqual([
      ['web shop token'],
      ['several clients could belong to it: main/till, main/bot'],
    ]);
  });

  it('never as a client that names other services', () => {
    const { proposedText, unclear } = claimsOf({ clients: [naming('web-client', 'shop')] }, ['web'], {
      pattern: '{service}-client',
    });
    expect([proposedText, unclear]).toEqual([
      [],
      ['the client main/web-client names other services and not this one'],
    ]);
  });
});

describe('the claim of a service', () => {
  it('says what is missing: a registration that claims, and a client that names the service', () => {
    const parts = (changes: Partial<Scene>) =>
      claimsOf(changes).proposed.map(
        ({ evidence, needsMeta, needsAttribute, named: names, isRegistered }) => ({
          evidence,
          needsMeta,
          needsAttribute,
          names,
          isRegistered,
        }),
      );
    const claimed = { services: [claiming('web', 'app')] };
    expect(parts({ ...claimed, clients: [naming('app', 'web, job')] })).toEqual([
      {
        evidence: 'claim',
        needsMeta: false,
        needsAttribute: false,
        names: ['web', 'job'],
        isRegistered: true,
      },
    ]);
    expect(parts({ ...claimed, clients: [nameless('app')] })).toEqual([
      { evidence: 'unconfirmed', needsMeta: false, needsAttribute: true, names: [], isRegistered: true },
    ]);
    expect(parts({ clients: [naming('app', 'web')] })).toEqual([
      { evidence: 'attribute', needsMeta: true, needsAttribute: false, names: ['web'], isRegistered: false },
    ]);
    expect(parts({ clients: [nameless('web')], services: [claiming('web', '')] })).toEqual([
      { evidence: 'name', needsMeta: true, needsAttribute: true, names: [], isRegistered: true },
    ]);
  });

  it('needs no word of the client where the first service keeps it', () => {
    const first = { mapping: mapping({ claims: 'first' }), services: [claiming('web', 'app')] };
    const { proposed } = claimsOf({ ...first, clients: [nameless('app')] });
    expect(proposed).toMatchObject([{ evidence: 'claim', needsAttribute: false }]);
    // Another client that names it changes nothing then.
    const more = claimsOf({ ...first, clients: [nameless('app'), naming('bot', 'web')] });
    expect(more.proposedText).toEqual(['web app claim']);
  });

  it('is registered where one of its instances can claim, whatever the others are', () => {
    const [instance] = claiming('web', 'web').instances;
    if (instance === undefined) throw new Error('no instance');
    const gateway = { ...instance, id: 'gateway', kind: 'api-gateway', meta: {} };
    const [service] = [claiming('web', 'web')];
    const registered = (instances: readonly (typeof instance)[]) =>
      claimsOf({
        clients: [naming('web', 'web')],
        services: [{ ...service, name: named('web'), instances }],
      }).proposed.map(({ isRegistered }) => isRegistered);
    expect(registered([instance, { ...gateway, kind: 'terminating-gateway' }])).toEqual([true]);
    expect(registered([])).toEqual([false]);
  });

  it('is one of the source of an intention; another one may open something all the same', () => {
    const { proposedText, doubtful } = claimsOf({
      services: [claiming('web', 'web'), claiming('idle', 'bot')],
      clients: [nameless('web'), nameless('bot')],
    });
    expect(proposedText).toEqual(['web web unconfirmed']);
    expect(doubtful).toEqual(['idle bot']);
  });

  it('is each of several on one client that names them all', () => {
    const services = [claiming('web', 'app'), claiming('job', 'app')];
    const { proposedText } = claimsOf({ services, clients: [naming('app', 'web, job')] }, ['web', 'job']);
    expect(proposedText).toEqual(['job app claim', 'web app claim']);
  });

  it('comes in the order of the services', () => {
    const clients = ['b', 'a', 'c'].map(nameless);
    expect(claimsOf({ clients }, ['b', 'c', 'a']).proposedText).toEqual(['a a name', 'b b name', 'c c name']);
  });
});

describe('no client is known for a service', () => {
  it('whose name no intention of scopemesh can have', () => {
    const { proposed, unclear } = claimsOf(
      { services: [claiming('-web', 'app')], clients: [naming('app', '-web')] },
      ['-web'],
    );
    expect(proposed).toEqual([]);
    expect(unclear).toEqual([expect.stringContaining('cannot be the source')]);
  });

  it('whose instances claim different clients, each of which may be it', () => {
    const found = claimsOf({
      services: [claiming('web', 'a', 'b')],
      clients: [nameless('a'), nameless('b')],
    });
    expect(found).toMatchObject({ proposed: [], doubtful: ['web a', 'web b'] });
    expect(found.unclear).toEqual([expect.stringContaining('claim different clients')]);
  });

  it('that several clients name', () => {
    const found = claimsOf({ clients: [naming('b', 'web'), naming('a', 'web, web')] });
    expect(found.unclear).toEqual(['several clients could belong to it: main/a, main/b']);
    expect(found).toMatchObject({ proposed: [], doubtful: ['web a', 'web b'] });
  });

  it('that several providers have by its name', () => {
    const clients = [nameless('web'), { ...nameless('web'), provider: 'more' }];
    const found = claimsOf({ mapping: mapping({ providers: ['main', 'more'] }), clients });
    expect(found.unclear).toEqual(['several clients could belong to it: main/web, more/web']);
  });

  it('that claims one which the identity provider does not have', () => {
    const found = claimsOf({ services: [claiming('web', 'ghost')] });
    expect(found.unclear).toEqual(['the identity provider has no client main/ghost']);
    expect(found).toMatchObject({ proposed: [], doubtful: ['web ghost'] });
  });

  it('that claims one outside select', () => {
    const select = createSelection({ clients: ['team-*'] });
    const found = claimsOf({
      services: [claiming('web', 'app')],
      clients: [naming('app', 'web')],
      mapping: mapping({ select }),
    });
    expect(found.unclear).toEqual(['its client main/app is outside select']);
    const inside = { services: [claiming('web', 'team-a')], clients: [nameless('team-a')] };
    expect(claimsOf({ ...inside, mapping: mapping({ select }) }).proposed).toHaveLength(1);
  });

  it('that claims a disabled one', () => {
    const found = claimsOf({
      services: [claiming('web', 'app')],
      clients: [naming('app', 'web', { enabled: false })],
    });
    expect(found.unclear).toEqual(['its client main/app is disabled']);
    expect(found.doubtful).toContain('web app');
  });

  it('that claims one which names others, or where another client names it', () => {
    const services = [claiming('web', 'app')];
    const others = claimsOf({ services, clients: [naming('app', 'shop')] });
    expect(others.unclear).toEqual(['the client main/app names other services and not this one']);
    const named = claimsOf({
      services,
      clients: [nameless('app'), naming('bot', 'web'), naming('cat', 'web')],
    });
    expect(named.unclear).toEqual(['it claims main/app, but main/bot, main/cat names it']);
    expect(named.doubtful).toContain('web app');
    expect([...others.proposed, ...named.proposed]).toEqual([]);
  });

  it('that is outside select, as scopemesh would not manage it', () => {
    const team = { ...named('web'), namespace: 'team' };
    const select = createSelection({ namespaces: ['default'] });
    const found = claimsOf({ clients: [nameless('web')], mapping: mapping({ select }) }, [team]);
    expect(found).toMatchObject({ proposed: [], doubtful: [], unclear: [] });
    expect(claimsOf({ clients: [nameless('web')], mapping: mapping({ select }) }).proposed).toHaveLength(1);
  });
});

describe('with claims: first', () => {
  const FIRST = { mapping: mapping({ claims: 'first' }) };
  const record = (service: string, changes: object = {}) => ({
    provider: 'main',
    clientId: 'app',
    service: named(service),
    modifyIndex: 1,
    ...changes,
  });

  it('a client of several services belongs to none yet', () => {
    const services = [claiming('web', 'app'), claiming('job', 'app'), claiming('bot', 'bot')];
    const found = claimsOf({ ...FIRST, services, clients: [nameless('app'), nameless('bot')] }, [
      'web',
      'job',
      'bot',
    ]);
    expect(found.proposedText).toEqual(['bot bot claim']);
    expect(found.doubtful).toEqual(['job app', 'web app']);
    expect(found.unclear).toEqual(
      Array.from({ length: 2 }, () =>
        expect.stringContaining('several services could claim its client main/app'),
      ),
    );
  });

  it('the record of a client decides whose it is', () => {
    const services = [claiming('web', 'app')];
    const clients = [nameless('app')];
    expect(claimsOf({ ...FIRST, services, clients, records: [record('web')] }).proposedText).toEqual([
      'web app claim',
    ]);
    const taken = claimsOf({ ...FIRST, services, clients, records: [record('shop')] });
    expect(taken.unclear).toEqual(['the service shop claimed its client main/app first']);
    expect(taken.doubtful).toEqual(['shop app', 'web app']);
    const unread = claimsOf({ ...FIRST, services, clients, records: [record('', { unreadableKey: 'k' })] });
    expect(unread.unclear).toEqual(['the record of the claim on its client main/app cannot be read']);
    expect(unread.doubtful).toEqual(['web app']);
  });
});

describe('what counts as soon as a service claims it', () => {
  it('is every service that a client names, in each place with services, if it can be a source', () => {
    const team = { ...named('job'), namespace: 'team' };
    const { doubtful } = claimsOf({ clients: [naming('app', 'shop, -bad')] }, ['web', team]);
    expect(doubtful).toEqual(['shop app', 'team shop app']);
    const select = createSelection({ namespaces: ['default'] });
    const selected = claimsOf({ clients: [naming('app', 'shop')], mapping: mapping({ select }) }, [
      'web',
      team,
    ]);
    expect(selected.doubtful).toEqual(['shop app']);
  });

  it('is not what a client names, where the first service keeps a client', () => {
    const found = claimsOf({ mapping: mapping({ claims: 'first' }), clients: [naming('app', 'shop')] });
    expect(found.doubtful).toEqual([]);
  });
});

describe('a claim that would open more by the rules of the file', () => {
  const rules = [rule('orders:call', 'orders')];
  const proposedWith = (changes: Partial<Scene>) =>
    proposalFor(
      scene({
        mapping: mapping({ rules }),
        services: [claiming('job', '')],
        clients: [client('job', ['orders:call'], { attributes: {} })],
        entries: entriesOf(entry('reports', source('job', ALLOW))),
        ...changes,
      }),
    );

  it('is not proposed, and says so', () => {
    const { claims, unexplained } = proposedWith({});
    expect(claims).toEqual([]);
    expect(unexplained).toMatchObject([
      { reason: 'UnclearSource', detail: expect.stringContaining('with its client main/job the rules') },
    ]);
  });

  it('is proposed where it counts already, as then nothing more opens by it', () => {
    const counts = proposedWith({
      services: [claiming('job', 'job')],
      clients: [client('job', ['orders:call'])],
    });
    expect(counts.claims.map(({ evidence }) => evidence)).toEqual(['claim']);
  });

  it('is proposed where Consul allows as much', () => {
    const both = entriesOf(entry('reports', source('job', ALLOW)), entry('orders', source('job', ALLOW)));
    expect(proposedWith({ entries: both }).claims).toHaveLength(1);
  });
});
