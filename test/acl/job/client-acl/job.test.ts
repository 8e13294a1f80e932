import { describe, expect, it } from 'vitest';
import { reconcileClientAcl } from '../../../../src/acl/job/client-acl.js';
import type { Evidence } from '../../../../src/model/trigger.js';
import { RevocationWindow } from '../../../../src/state/revocation-window.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { client, mapping, NOW } from '../../../plan/scene.js';
import { failed } from '../../apply/memory-acl.js';
import { READ_CONFIG } from '../../plan/acl-scene.js';
import { type AclWorld, aclWorld, denied, ID, jobOf, NAME, NO_LOSS } from '../acl-world.js';

const KEY = 'client/main/web';
const NAMED: readonly Evidence[] = [{ provider: 'main', clients: ['web'] }];
const run = (it: AclWorld, how: Parameters<typeof jobOf>[0] = [{}], stop = NEVER) =>
  reconcileClientAcl(ID, jobOf(how), it.job, stop);
const objects = (it: AclWorld) => [...it.objects.values()].map(({ kind }) => kind);
const ALL = ['acl-policy', 'acl-role', 'acl-auth-method', 'acl-binding-rule'];

/** A world whose client has its objects already. */
async function made(options: Parameters<typeof aclWorld>[0] = {}): Promise<AclWorld> {
  const it = aclWorld(options);
  await run(it);
  it.forget();
  return it;
}
const lost = (it: AclWorld) => it.putClients(client('web', []));

describe('the job of a client', () => {
  it('makes its objects, and nothing where they are as desired', async () => {
    const it = aclWorld();
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(objects(it)).toEqual(ALL);
    expect(it.outcomes()).toEqual(ALL.map((kind) => `${kind} applied ScopeGranted`));
    it.log.length = 0;
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(it.requests().map((line) => line.split(' ')[0])).toEqual(['read']);
    expect(it.job.acl.isUnderWay(KEY)).toBe(false);
  });

  it('sends nothing where the mapping wants no ACL objects and none was written', async () => {
    const it = aclWorld({ mapping: { rules: [] } });
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(it.log).toEqual([]);
  });

  it('cleans up what an earlier mapping wanted, as far as Consul permits', async () => {
    const it = await made();
    it.setMapping({ rules: [] });
    it.before = () => Promise.reject(denied);
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(it.warnings).toEqual([expect.stringContaining('may be left')]);
    it.before = async () => {};
    await run(it);
    expect(objects(it)).toEqual(['acl-policy']);
  });

  it('fails where Consul denies what the mapping wants', async () => {
    const it = aclWorld();
    it.before = () => Promise.reject(denied);
    await expect(run(it)).rejects.toBe(denied);
  });

  it('uses a complete read that it follows, and reads in every other case', async () => {
    const it = await made();
    await it.job.acl.cache.replaceAll(await it.deps.consul.acl.read(() => true, NEVER), it.world.beginRead());
    it.log.length = 0;
    const listed = [{ cause: { kind: 'resync', receivedAt: new Date(NOW).toISOString() } }] as const;
    await run(it, listed);
    expect(it.requests()).toEqual([]);
    await run(it);
    await reconcileClientAcl(ID, jobOf(listed, 1), it.job, NEVER);
    await run(it, [...listed, {}]);
    await run(it, []);
    it.job.acl.noteOnItsWay(KEY, NOW + 1);
    await run(it, listed);
    expect(it.requests().map((line) => line.split(' ')[0])).toEqual(Array.from({ length: 5 }, () => 'read'));
  });
});

describe('what a client loses', () => {
  it('counts for the mass guard before it goes, and is counted durably', async () => {
    const it = await made({ mapping: { maxRevocations: { percent: 100, atLeast: 10, windowMs: 600_000 } } });
    lost(it);
    let stored: string | undefined;
    it.before = async (line) => {
      if (/^(replace|delete)/.test(line)) stored ??= await it.job.keyValues.get('guard/window');
    };
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(stored).toContain(`acl-role/${NAME}`);
    expect(it.job.window.used(NOW)).toBe(1);
    expect(objects(it)).toEqual([]);
    expect(new Set(it.outcomes().map((each) => each.split(' ')[2]))).toEqual(
      new Set(['ScopeRevoked', 'RemovedWithParent']),
    );
  });

  it('does not count where nothing of it could be taken', async () => {
    const it = await made({ mapping: { maxRevocations: { percent: 100, atLeast: 10, windowMs: 600_000 } } });
    lost(it);
    it.before = async (line) => {
      if (/^(replace|delete)/.test(line)) throw failed('ERR_CONSUL_REJECTED');
    };
    await expect(run(it)).rejects.toThrow('no');
    expect(it.job.window.used(NOW)).toBe(0);
    expect(objects(it)).toEqual(ALL);
  });

  it('counts once where a process counted it and died before the write', async () => {
    const it = await made({ mapping: { maxRevocations: { percent: 0, atLeast: 1, windowMs: 600_000 } } });
    lost(it);
    it.job.window.reserveEdge(`acl-role/${NAME}`, NOW);
    const restarted = new RevocationWindow(600_000);
    restarted.restore(it.job.window.toText());
    expect(restarted.used(NOW)).toBe(1);
    await reconcileClientAcl(ID, jobOf(), { ...it.job, window: restarted }, NEVER);
    expect(objects(it)).toEqual([]);
    expect(restarted.used(NOW)).toBe(1);
  });

  it('is held beyond the limit of the mass guard, which counts all objects that exist', async () => {
    const it = await made({ mapping: NO_LOSS });
    lost(it);
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(objects(it)).toEqual(ALL);
    expect(it.requests()).toContain('read all');
    expect(it.outcomes()).toEqual(['acl-role held RevocationLimit']);
    expect(it.job.window.used(NOW)).toBe(0);
  });

  it('goes, and counts for nothing, where the identity provider reports it or the mapping says it', async () => {
    const reported = await made({ mapping: NO_LOSS });
    lost(reported);
    await run(reported, [{ evidence: NAMED }]);
    expect(objects(reported)).toEqual(['acl-policy']);
    expect(reported.job.window.used(NOW)).toBe(0);
    const mapped = await made({ mapping: NO_LOSS });
    mapped.setMapping({ rules: [] });
    await run(mapped);
    expect(objects(mapped)).toEqual(['acl-policy']);
  });

  it.each(['observe', 'extend'] as const)('stays in mode %s', async (mode) => {
    const it = await made();
    it.setMapping({ mode });
    lost(it);
    await run(it, [{ evidence: NAMED }]);
    expect(objects(it)).toEqual(ALL);
    expect(it.requests().filter((line) => !line.startsWith('read'))).toEqual([]);
  });

  it('stays while its directory was not read, whose job comes again with what an event reports', async () => {
    const it = aclWorld({ isRead: false });
    it.world.putClient(ID, client('web', ['config:read']), it.world.beginRead());
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(await run(it, [{ evidence: NAMED }])).toEqual({ kind: 'retry', afterMs: 2_000 });
    const unknown = aclWorld({ isRead: false });
    expect(await run(unknown, [{ evidence: NAMED }])).toEqual({ kind: 'retry', afterMs: 2_000 });
    expect(unknown.requests().filter((line) => !line.startsWith('read'))).toEqual([]);
  });
});

describe('a write without an answer', () => {
  const hanging = (it: AclWorld, code: Parameters<typeof failed>[0], when = /^create scopemesh/) => {
    it.before = async (line) => {
      if (when.test(line)) throw failed(code, 'no whole answer');
    };
  };

  it('is tried again soon where Consul may wait for the keys of the identity provider', async () => {
    const it = aclWorld();
    hanging(it, 'ERR_TIMEOUT');
    expect(await run(it)).toEqual({ kind: 'retry', afterMs: 5_000 });
    expect(it.warnings).toEqual([expect.stringContaining('has no answer yet')]);
  });

  it('fails the job in every other case', async () => {
    const away = aclWorld();
    hanging(away, 'ERR_CONSUL_UNREACHABLE');
    await expect(run(away)).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    // Only the role changes, for which Consul needs no keys.
    const only = await made();
    const more = [
      ...only.world.mapping.rules,
      { scope: 'more', acl: 'key "x" { policy = "read" }', userRequired: false },
    ];
    only.setMapping({ rules: more });
    only.putClients(client('web', ['config:read', 'more']));
    hanging(only, 'ERR_TIMEOUT', /^replace/);
    await expect(run(only)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    const stopping = aclWorld();
    const stop = new AbortController();
    stopping.before = async (line) => {
      if (!line.startsWith('create scopemesh')) return;
      stop.abort(new Error('stopped'));
      throw failed('ERR_TIMEOUT', 'no whole answer');
    };
    await expect(run(stopping, [{}], stop.signal)).rejects.toThrow();
  });
});

describe('a client that gains', () => {
  it('gets everything of a new rule, or nothing in mode observe, and the plan says so', async () => {
    const it = aclWorld({ mapping: { mode: 'observe' } });
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(objects(it)).toEqual([]);
    expect(new Set(it.outcomes().map((each) => each.split(' ').slice(1).join(' ')))).toEqual(
      new Set(['observed ModeForbids']),
    );
    expect(it.decided().every(({ changeReason }) => changeReason === 'ScopeGranted')).toBe(true);
  });

  it('by a changed configuration has that as the reason', async () => {
    const it = aclWorld();
    await run(it, [{ cause: { kind: 'config', receivedAt: new Date(NOW).toISOString() } }]);
    expect(new Set(it.decided().map(({ reason }) => reason))).toEqual(new Set(['MappingChanged']));
    expect(it.world.mapping.rules[0]?.acl).toBe(READ_CONFIG);
    expect(mapping().rules).toEqual([]);
  });
});
