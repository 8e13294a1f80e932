import { describe, expect, it } from 'vitest';
import { SyncError } from '../../../src/errors.js';
import type { AclSnapshot } from '../../../src/model/acl.js';
import { localPerson } from '../../../src/model/cause.js';
import type { IntentionEntry } from '../../../src/model/intention.js';
import type { ExistingJwtProvider } from '../../../src/model/jwt-provider.js';
import { startDeny } from '../../../src/operator/denies.js';
import {
  ejectEntry,
  ejectJwtProvider,
  readMarks,
  refuseOpenBreakGlass,
  refuseOpenDenies,
  writtenSubjects,
} from '../../../src/operator/eject.js';
import { startFreeze } from '../../../src/operator/freezes.js';
import { ALLOW, entry, NOW, named, ourSource, source } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const NEVER = new AbortController().signal;
const PERSON = localPerson('ada');
const CAUSE = { kind: 'command', receivedAt: new Date(NOW).toISOString(), principal: PERSON } as const;
const OURS = { scopemesh: 'scopemesh:pay', 'scopemesh-provider': 'main' };

function provider(name: string, meta: Record<string, string>, isOther = false): ExistingJwtProvider {
  const content = {
    name,
    issuer: 'https://a.example',
    audiences: [],
    jwksUri: 'https://a.example/keys',
    meta,
  };
  return { name, meta, content: isOther ? 'other' : content, modifyIndex: 7 };
}

/** A Consul of this version that answers with these. */
function start(version = '1.20.0') {
  const all = depsOf(worldWithTwo(), {});
  const consul = {
    entries: [] as IntentionEntry[],
    providers: [] as ExistingJwtProvider[] | SyncError,
    written: [] as unknown[],
    /** What each write of an entry comes to. */
    results: [] as ({ kind: 'written'; modifyIndex: number } | { kind: 'conflict' } | SyncError)[],
    reads: 0,
  };
  const answer = () => {
    const result = consul.results.shift() ?? { kind: 'written' as const, modifyIndex: 9 };
    if (result instanceof SyncError) throw result;
    return result;
  };
  const none: AclSnapshot = { policies: [], roles: [], authMethods: [], bindingRules: [] };
  const deps = {
    ...all.deps,
    consul: {
      ...all.deps.consul,
      inspect: async () => ({ ...Object({}), version }),
      acl: { ...all.deps.consul.acl, read: async () => none },
      intentions: {
        ...all.deps.consul.intentions,
        list: async () => consul.entries,
        read: async () => {
          consul.reads++;
          return consul.entries[0];
        },
        async write(...[destination, , sources, index]: readonly unknown[]) {
          consul.written.push({ destination, sources, index });
          return answer();
        },
      },
      jwtProviders: {
        ...all.deps.consul.jwtProviders,
        list: async () => {
          if (consul.providers instanceof SyncError) throw consul.providers;
          return consul.providers;
        },
        async write(...[content, index]: readonly unknown[]) {
          consul.written.push({ content, index });
          return answer();
        },
      },
    },
  };
  return { ...all, deps, consul };
}

describe('what is to be ejected', () => {
  it('is all that has the mark of this owner, and what has none is known to have none', async () => {
    const { deps, consul } = start();
    const peer = { ...source('far', ALLOW), peer: 'dc2' };
    consul.entries = [
      entry('orders', ourSource('web', ALLOW), source('api', ALLOW), peer),
      entry('billing', source('web', ALLOW)),
    ];
    consul.providers = [
      provider('ours', OURS),
      provider('theirs', {}),
      provider('of-others', { ...OURS, scopemesh: 'scopemesh:other' }),
      provider('altered', OURS, true),
    ];
    const { intentions, acl, jwtProviders, unmarked } = await readMarks(deps, NEVER);
    expect(intentions.map(({ changes }) => changes.map(({ subject }) => subject))).toEqual([
      ['intention/default/default/orders/web'],
    ]);
    expect(acl).toEqual([]);
    expect(jwtProviders).toMatchObject([
      {
        name: 'ours',
        change: {
          ...{ name: 'ours', verb: 'updated', subject: 'jwt-provider/ours', reason: 'Ejected' },
          ...{
            narrows: false,
            widens: false,
            isInferred: false,
            before: { modifyIndex: 7 },
            after: { meta: {} },
          },
        },
      },
      { name: 'altered', why: expect.stringContaining('content that scopemesh does not know') },
    ]);
    expect([...unmarked].toSorted()).toEqual([
      'intention/default/default/billing/web',
      'intention/default/default/orders/api',
      'jwt-provider/of-others',
      'jwt-provider/theirs',
    ]);
  });

  it('has the ACL objects of our names, marked or not', async () => {
    const { deps } = start();
    await deps.acl.noteWrite(deps.keyValues);
    const stored = <T>(object: T) => [{ id: 'x', object, isAltered: false, modifyIndex: 7 }];
    const name = 'scopemesh-pay-main-web';
    const snapshot: AclSnapshot = {
      policies: stored({ name, description: 'mine', rules: '' }),
      roles: stored({
        name,
        description: 'scopemesh:pay client=main/web',
        policies: [],
        serviceIdentities: [],
      }),
      authMethods: [],
      bindingRules: [],
    };
    const asked: boolean[] = [];
    const read = async (isOurs: (name: string, description: string) => boolean) => {
      asked.push(isOurs(name, ''), isOurs('consul-admin', ''));
      return snapshot;
    };
    const { acl, unmarked } = await readMarks(
      { ...deps, consul: { ...deps.consul, acl: { ...deps.consul.acl, read } } },
      NEVER,
    );
    expect(acl.map(({ change }) => change.subject)).toEqual([`acl-role/${name}`]);
    expect([...unmarked]).toEqual([`acl-policy/${name}`]);
    expect(asked).toEqual([true, false]);
  });

  it('is no jwt-provider where Consul has none, or where none was written and the token may not read them', async () => {
    for (const version of ['0.9.1', '1.0.3', '1.15.9', 'v1.9.0+ent']) {
      const { deps, consul } = start(version);
      consul.providers = new SyncError('ERR_CONSUL_REJECTED', 'no such kind', { retriable: false });
      expect((await readMarks(deps, NEVER)).jwtProviders).toEqual([]);
    }
    const denied = new SyncError('ERR_CONSUL_DENIED', 'not allowed', { retriable: false });
    for (const version of ['1.16.0', '1.22.2', '2.0.0', '11.5.0']) {
      const { deps, consul } = start(version);
      consul.providers = denied;
      expect((await readMarks(deps, NEVER)).jwtProviders).toEqual([]);
      const written = (subject: string) =>
        deps.journal.settle('provider/main', [], { lastApplied: new Map([[subject, 'x']]) });
      await written('acl-role/scopemesh-pay-main-web');
      expect((await readMarks(deps, NEVER)).jwtProviders).toEqual([]);
      await written('jwt-provider/main');
      await expect(readMarks(deps, NEVER)).rejects.toBe(denied);
      consul.providers = new SyncError('ERR_CONSUL_UNREACHABLE', 'away', { retriable: true });
      await expect(readMarks(deps, NEVER)).rejects.toThrow('away');
    }
  });
});

describe('the marks of an entry', () => {
  it('go from what it has now, and change no access', async () => {
    const { deps, consul, decisions } = start();
    consul.entries = [entry('orders', ourSource('web', ALLOW), source('api', ALLOW))];
    consul.results = [{ kind: 'conflict' }, { kind: 'conflict' }];
    expect(await ejectEntry(named('orders'), CAUSE, deps, NEVER)).toBe(1);
    expect(consul.reads).toBe(3);
    expect(consul.written).toHaveLength(3);
    expect(consul.written[2]).toMatchObject({
      destination: named('orders'),
      sources: [
        { name: 'web', access: ALLOW, description: '' },
        { name: 'api', access: ALLOW },
      ],
      index: consul.entries[0]?.modifyIndex,
    });
    expect(decisions.filter(({ outcome }) => outcome === 'applied')).toMatchObject([
      {
        ...{ subject: 'intention/default/default/orders/web', reason: 'Ejected', principal: PERSON },
        ...{ before: { access: 'allow' }, after: { access: 'allow' } },
      },
    ]);
  });

  it('stay where another writer is always faster, where Consul refuses, and where another tool manages it', async () => {
    const { deps, consul } = start();
    consul.entries = [entry('orders', ourSource('web', ALLOW))];
    consul.results = Array.from({ length: 3 }, () => ({ kind: 'conflict' as const }));
    const eject = () => ejectEntry(named('orders'), CAUSE, deps, NEVER);
    await expect(eject()).rejects.toMatchObject({ code: 'ERR_CONSUL_CONFLICT', retriable: true });
    consul.results = [new SyncError('ERR_CONSUL_DENIED', 'not allowed', { retriable: false })];
    await expect(eject()).rejects.toMatchObject({ code: 'ERR_CONSUL_DENIED' });
    const [ours] = consul.entries;
    consul.entries = ours === undefined ? [] : [{ ...ours, meta: { 'external-source': 'kubernetes' } }];
    consul.written.length = 0;
    await expect(eject()).rejects.toMatchObject({
      ...{ code: 'ERR_CONSUL_REJECTED', retriable: false, message: expect.stringContaining('another tool') },
    });
    expect(consul.written).toEqual([]);
  });

  it('are none where the entry is gone, or has none any more', async () => {
    const { deps, consul } = start();
    expect(await ejectEntry(named('orders'), CAUSE, deps, NEVER)).toBe(0);
    consul.entries = [entry('orders', source('web', ALLOW))];
    expect(await ejectEntry(named('orders'), CAUSE, deps, NEVER)).toBe(0);
    expect(consul.written).toEqual([]);
  });
});

it('the mark of a jwt-provider goes by compare-and-set, with a decision, or stays where Consul refuses', async () => {
  const { deps, consul, decisions } = start();
  consul.providers = [provider('ours', OURS)];
  const [found] = (await readMarks(deps, NEVER)).jwtProviders;
  if (found?.change === undefined) throw new Error('there is no mark');
  expect(await ejectJwtProvider(found.change, CAUSE, deps, NEVER)).toBe(1);
  expect(consul.written).toMatchObject([{ content: { name: 'ours', meta: {} }, index: 7 }]);
  expect(decisions).toMatchObject([{ subject: 'jwt-provider/ours', reason: 'Ejected', outcome: 'applied' }]);
  expect([...(await deps.journal.readAll()).keys()]).toEqual(['provider/main']);
  consul.results = [new SyncError('ERR_CONSUL_DENIED', 'not allowed', { retriable: false })];
  await expect(ejectJwtProvider(found.change, CAUSE, deps, NEVER)).rejects.toThrow('not allowed');
});

it('ends while no deny is in effect or marked, which nothing would end', async () => {
  const { deps, consul } = start();
  const refuse = async () => refuseOpenDenies(await readMarks(deps, NEVER), deps);
  const mark = 'deny=2027-01-15T09:00:00.000Z client=main/web';
  consul.entries = [
    entry('orders', ourSource('web', ALLOW), source('api', { kind: 'deny' }, `scopemesh:other ${mark}`)),
    entry('billing', source('web', ALLOW, `scopemesh:pay ${mark}`), ourSource('api', { kind: 'deny' })),
  ];
  await expect(refuse()).resolves.toBeUndefined();
  const about = { source: 'web', destination: 'orders', partition: 'default', namespace: 'default' };
  const deny = { about, reason: 'INC-1', by: PERSON, since: NOW, until: NOW + 1 };
  deps.world.denies.set([{ ...deny, until: NOW }]);
  await expect(refuse()).resolves.toBeUndefined();
  deps.world.denies.set([deny]);
  consul.entries = [entry('billing', source('web', { kind: 'deny' }, `scopemesh:pay ${mark}`))];
  await expect(refuse()).rejects.toMatchObject({
    ...{ code: 'ERR_CONFIG', retriable: false },
    message: expect.stringContaining('web -> orders, web -> billing; start the daemon'),
  });
});

it('ends while no edge has the mark of a break-glass grant, which nothing would close', async () => {
  const { deps, consul } = start();
  const refuse = async () => refuseOpenBreakGlass(await readMarks(deps, NEVER), deps);
  const until = 'until=2027-01-15T09:00:00.000Z';
  consul.entries = [
    entry('orders', source('api', ALLOW, `scopemesh:other ${until}`), ourSource('web', ALLOW)),
    entry(
      'billing',
      source('web', { kind: 'deny' }, `scopemesh:pay ${until}`),
      source('api', ALLOW, `scopemesh:pay text=${until}`),
    ),
  ];
  await expect(refuse()).resolves.toBeUndefined();
  consul.entries = [entry('billing', source('web', ALLOW, `scopemesh:pay ${until} client=main/web`))];
  await expect(refuse()).rejects.toMatchObject({
    ...{ code: 'ERR_CONFIG', retriable: false },
    message: expect.stringContaining('without their marks: web -> billing; start the daemon'),
  });
  // Of two grants, one that nobody approved has opened nothing.
  const grant = {
    ...{ id: 'asked', source: 'web', destination: 'orders', partition: 'default', namespace: 'default' },
    ...{ reason: 'x', forMs: 1_000, duringFreeze: false, askedAt: NOW, askedBy: PERSON },
  };
  deps.world.breakGlass.set([grant, { ...grant, id: 'open', openedAt: NOW }]);
  await expect(refuse()).rejects.toThrow('without their marks: open, web -> billing; start');
});

it('what was written is what the journal has of edges and objects, without rulings and without what others made', async () => {
  const { deps } = start();
  const texts = { 'acl-role/a': 'x', 'intention/d/d/orders/none': 'null', 'jwt-provider/c': 'x' };
  await deps.journal.settle('a', [], { lastApplied: new Map(Object.entries(texts)) });
  await startFreeze({}, PERSON, deps);
  const about = { source: 'web', destination: 'orders', partition: 'default', namespace: 'default' };
  expect(await startDeny(about, { reason: 'INC-1', forMs: 1 }, PERSON, deps)).toMatchObject({ kind: 'done' });
  expect(await writtenSubjects(deps)).toEqual(['acl-role/a', 'jwt-provider/c']);
});
