import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey, destinationKey, providerKey } from '../../src/model/key.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { providersWrittenBy } from '../../src/plan/plan-jwt-providers.js';
import type { Journal } from '../../src/queue/journal.js';
import { refreshJwtProviders } from '../../src/reconcile/jwt-waiting.js';
import { sweep } from '../../src/reconcile/sweep.js';
import { inputOf } from '../../src/state/fleet.js';
import { named } from '../plan/scene.js';
import { boundJournal } from '../support/bound-journal.js';
import type { Rig } from '../support/daemon.js';
import { isClosed, isOpen, READ } from '../support/orders-rig.js';
import { startWorker, type Worker } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';
import {
  decisionsInShort,
  hasJwtProvider,
  JWT_PROVIDER,
  jwtProviders,
  provider,
  requiringUsers,
  usersRig,
  WITH_USER,
  writes,
} from '../support/users-rig.js';

const never = new AbortController().signal;

let rig: Rig;
let worker: Worker;
beforeEach(async () => {
  rig = await usersRig();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

describe("a rule that requires a user's token", () => {
  it('has the jwt-provider written first, then the intention that names it', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    expect(writes(rig)).toEqual(['jwt-provider', 'service-intentions']);
    expect(await decisionsInShort(worker)).toEqual([
      'jwt-provider.created applied ScopeGranted',
      'intention.created applied ScopeGranted',
    ]);
    expect(await jwtProviders(rig)).toMatchObject([
      {
        Kind: 'jwt-provider',
        Name: JWT_PROVIDER,
        Issuer: rig.idp.issuer,
        Audiences: ['consul'],
        JSONWebKeySet: { Remote: { URI: `${rig.idp.issuer}/certs`, FetchAsynchronously: true } },
        Locations: [{ Header: { Name: 'Authorization', ValuePrefix: 'Bearer ', Forward: true } }],
        Meta: { scopemesh: 'scopemesh:payments', 'scopemesh-provider': 'main' },
      },
    ]);
  });

  it('has its jwt-provider planned again if the configuration is another one by the time it is recorded', async () => {
    const records: number[] = [];
    const learning = (journal: Journal): Journal => ({
      ...boundJournal(journal),
      async record(key, drafts, replaced) {
        await journal.record(key, drafts, replaced);
        if (!drafts.some(({ resource }) => resource.kind === 'jwt-provider')) return;
        const { world } = worker.deps;
        if (records.length === 0) world.setMapping({ ...world.mapping });
        records.push(writes(rig).length);
      },
    });
    worker = await startWorker(rig, undefined, learning);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    expect(records).toEqual([0, 0]);
    expect(await decisionsInShort(worker)).toEqual([
      'jwt-provider.created applied ScopeGranted',
      'intention.created applied ScopeGranted',
    ]);
    expect((await worker.store.journal.read('provider/main')).pending).toEqual([]);
  });

  it('leaves nothing to do: another job and another sweep write nothing', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    await worker.add(destinationKey('orders'));
    await worker.add(providerKey('main'));
    await worker.idle();
    expect(await sweep(worker.deps, never)).toMatchObject({ changes: 0, holds: 0 });
    await worker.idle();
    expect(writes(rig)).toHaveLength(2);
  });

  it('has one list of the jwt-providers answer all destinations that gain such access at once', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const { world, clock } = worker.deps;
    const plan = planDestination({ ...inputOf(world, named('orders'), clock.now()), entry: undefined });
    expect(plan.changes.flatMap(providersWrittenBy)).toEqual([JWT_PROVIDER]);
    let lists = 0;
    rig.proxy.interfere = ({ method, target }) => {
      if (method === 'GET' && target.startsWith('/v1/config/jwt-provider')) lists++;
      return undefined;
    };
    const gaining = Array.from({ length: 100 }, () => refreshJwtProviders(plan, worker.deps, never));
    expect(new Set(await Promise.all(gaining))).toEqual(new Set([true]));
    expect(lists).toBe(1);
  });

  it('that the client loses takes the intention first, then the jwt-provider', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await isClosed(rig);
    await hasJwtProvider(rig, false);
    await worker.idle();
    expect(writes(rig)).toEqual(['jwt-provider', 'service-intentions', 'gone', 'gone']);
    expect(await decisionsInShort(worker)).toEqual([
      'jwt-provider.created applied ScopeGranted',
      'intention.created applied ScopeGranted',
      'intention.deleted applied ScopeRevoked',
      'jwt-provider.deleted applied ScopeRevoked',
    ]);
  });

  it('that goes from the mapping opens the access, then takes the jwt-provider away; and back', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    await worker.stop();
    rig.writeFile(requiringUsers(false), provider(rig));
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await hasJwtProvider(rig, false);
    await worker.idle();
    await worker.stop();
    rig.writeFile(requiringUsers(true), provider(rig));
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const wrote = ['jwt-provider', 'service-intentions'];
    // What was free closes at once: a revocation does not wait until its jwt-provider exists.
    expect(writes(rig)).toEqual([...wrote, 'service-intentions', 'gone', 'gone', ...wrote]);
  });

  it('keeps the jwt-provider while somebody else names it', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const permission = {
      Action: 'allow',
      HTTP: { PathPrefix: '/' },
      JWT: { Providers: [{ Name: JWT_PROVIDER }] },
    };
    await rig.mesh.speaks('reports', 'http');
    await rig.mesh.write('reports', [{ Name: 'other', Permissions: [permission] }]);
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await isClosed(rig);
    await worker.idle();
    expect(await jwtProviders(rig)).toHaveLength(1);
    await rig.mesh.remove('reports');
    await sweep(worker.deps, never);
    await hasJwtProvider(rig, false);
    await worker.idle();
  });

  it('is mended where somebody changed the jwt-provider, and where somebody removed it and the intention', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const [existing] = await jwtProviders(rig);
    await rig.mesh.request('PUT', '/v1/config', { ...existing, Audiences: [] });
    await sweep(worker.deps, never);
    await until('the audience', async () => {
      const [entry] = await jwtProviders(rig);
      return JSON.stringify(entry?.Audiences) === '["consul"]' ? true : undefined;
    });
    await worker.idle();
    await rig.mesh.remove('orders');
    await rig.mesh.request('DELETE', `/v1/config/jwt-provider/${JWT_PROVIDER}`);
    await sweep(worker.deps, never);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    expect((await decisionsInShort(worker)).slice(2)).toEqual([
      'jwt-provider.updated applied DriftCorrected',
      'jwt-provider.created applied DriftCorrected',
      'intention.created applied DriftCorrected',
    ]);
  });

  it('is mended however often somebody changes the jwt-provider: it would take tokens of others', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const [existing] = await jwtProviders(rig);
    for (let round = 1; round <= 6; round++) {
      await rig.mesh.request('PUT', '/v1/config', { ...existing, Audiences: ['theirs'] });
      await sweep(worker.deps, never);
      await worker.idle();
      expect((await jwtProviders(rig))[0]?.Audiences).toEqual(['consul']);
    }
    expect((await decisionsInShort(worker)).at(-1)).toBe('jwt-provider.updated applied DriftCorrected');
  });

  it("stays closed where somebody else's jwt-provider has the name, and theirs is not touched", async () => {
    const theirs = {
      Kind: 'jwt-provider',
      Name: JWT_PROVIDER,
      Issuer: 'https://elsewhere',
      JSONWebKeySet: { Remote: { URI: 'https://elsewhere/certs' } },
    };
    await rig.mesh.request('PUT', '/v1/config', theirs);
    worker = await startWorker(rig);
    await until('the hold', async () => (await decisionsInShort(worker)).length > 0);
    await worker.idle();
    expect(await decisionsInShort(worker)).toEqual(['intention.held held ForeignObject']);
    expect(await jwtProviders(rig)).toMatchObject([theirs]);
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect(writes(rig)).toEqual([]);
  });

  it("closes where somebody puts theirs in its place under the same name in another case, which is Consul's own", async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const theirs = {
      Kind: 'jwt-provider',
      Name: JWT_PROVIDER.toUpperCase(),
      Issuer: 'https://elsewhere',
      JSONWebKeySet: { Remote: { URI: 'https://elsewhere/certs' } },
    };
    await rig.mesh.request('PUT', '/v1/config', theirs);
    await sweep(worker.deps, never);
    await isClosed(rig);
    await worker.idle();
    expect(await decisionsInShort(worker)).toContain('intention.held held ForeignObject');
    expect(await jwtProviders(rig)).toMatchObject([theirs]);
  });

  it('has its own name again where somebody wrote it in another case', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    const [existing] = await jwtProviders(rig);
    await rig.mesh.request('PUT', '/v1/config', { ...existing, Name: JWT_PROVIDER.toUpperCase() });
    await sweep(worker.deps, never);
    await until('the name', async () => (await jwtProviders(rig))[0]?.Name === JWT_PROVIDER);
    await worker.idle();
    expect(await rig.mesh.access('orders')).toEqual({ web: WITH_USER });
  });

  it('is held while the keys of the provider are not known, and opens when they are', async () => {
    rig.idp.fault = (path) => (path.startsWith('/.well-known') ? { status: 503 } : undefined);
    worker = await startWorker(rig);
    await until('the hold', async () => (await decisionsInShort(worker)).length > 0);
    await worker.idle();
    expect(await decisionsInShort(worker)).toEqual(['intention.held held UserTokenUnenforceable']);
    expect(writes(rig)).toEqual([]);
    rig.idp.fault = undefined;
    await sweep(worker.deps, never);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    expect(await decisionsInShort(worker)).toContain('intention.released observed HoldEnded');
  });

  it('closes while an agent that would ask for no token is there, and opens when it has left', async () => {
    const client = (build: string, status: number) => ({
      Name: 'machine-2',
      Status: status,
      Tags: { build },
    });
    const among = (...others: readonly object[]) => {
      const server = { Name: 'machine-1', Status: 1, Tags: { build: '1.16.1:0e046bbb' } };
      rig.proxy.interfere = ({ target }) =>
        target.startsWith('/v1/agent/members')
          ? { status: 200, body: JSON.stringify([server, ...others]) }
          : undefined;
    };
    among(client('1.17.0+ent:abc', 1));
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    // Out of reach, and back at any moment.
    among(client('1.15.3:abc', 4));
    await sweep(worker.deps, never);
    await isClosed(rig);
    await worker.idle();
    const held = (await worker.settled()).find(({ reason }) => reason === 'UserTokenUnenforceable');
    expect(held?.detail).toContain('1.15.3');
    among(client('1.15.3:abc', 3));
    await sweep(worker.deps, never);
    await isOpen(rig, WITH_USER);
    await worker.idle();
  });

  it('is held while the agents cannot be listed completely', async () => {
    rig.proxy.interfere = ({ target }) =>
      target.startsWith('/v1/agent/members')
        ? { status: 200, headers: { 'X-Consul-Results-Filtered-By-ACLs': 'true' }, body: '[]' }
        : undefined;
    worker = await startWorker(rig);
    await until('a hold', async () =>
      (await decisionsInShort(worker)).includes('intention.held held UserTokenUnenforceable'),
    );
    await worker.idle();
    expect(writes(rig)).toEqual([]);
  });

  it('stays open over a restart while the provider cannot be asked for its keys', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    await worker.stop();
    rig.idp.fault = (path) => (path.startsWith('/.well-known') ? { status: 503 } : undefined);
    worker = await startWorker(rig);
    await worker.idle();
    await sweep(worker.deps, never);
    await worker.idle();
    expect(await rig.mesh.access('orders')).toEqual({ web: WITH_USER });
    expect(writes(rig)).toHaveLength(2);
  });

  it('is mended over a restart too, where somebody moved the keys and the provider cannot be asked for them', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, WITH_USER);
    await worker.idle();
    await worker.stop();
    const [existing] = await jwtProviders(rig);
    const JSONWebKeySet = { Remote: { URI: 'https://evil.example.com/certs', FetchAsynchronously: true } };
    await rig.mesh.request('PUT', '/v1/config', { ...existing, JSONWebKeySet });
    rig.idp.fault = (path) => (path.startsWith('/.well-known') ? { status: 503 } : undefined);
    worker = await startWorker(rig);
    await worker.idle();
    await sweep(worker.deps, never);
    await worker.idle();
    expect(await jwtProviders(rig)).toMatchObject([
      { JSONWebKeySet: { Remote: { URI: `${rig.idp.issuer}/certs` } } },
    ]);
    expect(await rig.mesh.access('orders')).toEqual({ web: WITH_USER });
  });

  it('stays closed if the ACL token may not write the jwt-provider, which is reported once', async () => {
    const isProvider = (body: string) => body.includes('"jwt-provider"');
    rig.proxy.interfere = ({ method, body }) =>
      method === 'PUT' && isProvider(body) ? { status: 403, body: 'Permission denied' } : undefined;
    worker = await startWorker(rig);
    await until('the refusal', async () => (await decisionsInShort(worker)).length > 0);
    const orders = {
      kind: 'destination',
      partition: 'default',
      namespace: 'default',
      service: 'orders',
    } as const;
    await worker.add(orders);
    await worker.idle();
    expect(await decisionsInShort(worker)).toEqual(['jwt-provider.failed failed ConsulRefused']);
    expect(await rig.mesh.access('orders')).toBeUndefined();
    const { parked, active } = await worker.store.queue.state();
    expect([parked, active]).toEqual([[], expect.any(Number)]);
    rig.proxy.interfere = () => undefined;
    await sweep(worker.deps, never);
    await isOpen(rig, WITH_USER);
    await worker.idle();
  });
});
