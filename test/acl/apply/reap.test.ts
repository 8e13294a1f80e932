import { describe, expect, it } from 'vitest';
import { reap } from '../../../src/acl/apply/reap.js';
import type { AclToken } from '../../../src/model/acl.js';
import type { Mapping } from '../../../src/model/rule.js';
import { NEVER } from '../../apply/apply-rig.js';
import { mapping, NOW } from '../../plan/scene.js';
import { aclToken, failed, type MemoryAcl, memoryAcl, method, rule, WEB } from './memory-acl.js';

const WITH_LOGIN = { acl: { ...mapping().acl, login: true } };
const GONE = 'scopemesh-pay-main-gone';

/** A Consul with a client, its token, and tokens of a method that is gone. */
function withOrphans(many: number, changes: Partial<Mapping> = {}) {
  const consul = memoryAcl();
  const deps = {
    ...consul.deps,
    world: { ...consul.deps.world, mapping: mapping({ ...WITH_LOGIN, ...changes }) },
  };
  consul.put(method(), rule());
  consul.tokens = [
    aclToken('live'),
    ...Array.from({ length: many }, (_, at) =>
      aclToken(`o${String(at).padStart(3, '0')}`, { authMethod: GONE }),
    ),
  ];
  const waits: string[] = [];
  const letBy = async () => {
    waits.push(consul.requests().at(-1)?.split(' ')[0] ?? 'first');
  };
  return Object.assign(consul, {
    ...{ waits, deps },
    reaped: (stop = NEVER) => reap(deps, letBy, stop),
    /** Another configuration is loaded. */
    setMapping: (other: Partial<Mapping>) => {
      deps.world.mapping = { ...deps.world.mapping, ...other };
    },
  });
}

const leftIn = ({ tokens }: MemoryAcl) => tokens.map(({ accessorId }: AclToken) => accessorId);
const details = ({ settled }: MemoryAcl) =>
  settled.map(({ outcome, detail }) => [outcome, detail?.split(';')[0]]);

describe('the reaper', () => {
  it('reads the tokens before the objects, and ends the orphans in batches that let other work by', async () => {
    const consul = withOrphans(100);
    expect(await consul.reaped()).toBe(100);
    expect(leftIn(consul)).toEqual(['live']);
    expect(consul.requests().map((line) => line.replace(/ o.* at/, ' at'))).toEqual([
      'list all',
      'read all',
      'end at 200/s',
      'end at 200/s',
    ]);
    expect(
      consul
        .requests()
        .slice(2)
        .map((line) => line.split(' ').length - 3),
    ).toEqual([50, 50]);
    expect(consul.waits).toEqual(['first', 'end']);
    expect(consul.settled).toMatchObject([
      {
        type: 'dev.scopemesh.acl-token.deleted',
        subject: 'acl-token/pay/orphans',
        source: 'scopemesh/pay/test',
        action: 'revoke',
        outcome: 'applied',
        reason: 'DriftCorrected',
        resource: { kind: 'acl-token', name: 'orphans' },
        cause: { kind: 'resync', receivedAt: new Date(NOW).toISOString() },
        residual: { agentCache: 'unknown' },
        mappingRevision: 'sha256:test',
      },
    ]);
    expect(details(consul)).toEqual([
      ['applied', 'orphans, which no login would give any more: ended 100 live tokens'],
    ]);
    expect(consul.counted).toContain('scopemesh_acl_tokens_ended_total DriftCorrected 100');
    const journal = consul.log.filter((line) => /^(record|end|settle) /.test(line));
    expect(journal.at(0)).toBe('record reaper/pay orphans');
    expect(journal.at(-1)).toBe('settle reaper/pay orphans applied');
  });

  it('leaves no decision where there is no orphan', async () => {
    const consul = withOrphans(0);
    expect(await consul.reaped()).toBe(0);
    expect(consul.log).toEqual(['list all', 'read all']);
  });

  it.each([
    ['observes', { mode: 'observe' }],
    ['extends', { mode: 'extend' }],
    ['wants no ACL objects and never wrote any', { acl: mapping().acl }],
  ] as const)('does nothing where scopemesh %s', async (_how, changes) => {
    const consul = withOrphans(1, changes);
    expect(await consul.reaped()).toBe(0);
    expect(consul.log).toEqual([]);
    expect(consul.waits).toEqual([]);
  });

  it('ends the others where Consul refuses some, says how many, and fails', async () => {
    const consul = withOrphans(120);
    consul.before = async (line) => {
      if (line.startsWith('end o050')) throw failed('ERR_CONSUL_REJECTED', 'refused');
    };
    await expect(consul.reaped()).rejects.toThrow('refused');
    expect(leftIn(consul)).toHaveLength(51);
    expect(details(consul)).toEqual([
      ['applied', 'orphans, which no login would give any more: ended 70 live tokens'],
    ]);
  });

  it('ends no more after another error, and says how many it ended', async () => {
    const consul = withOrphans(120);
    consul.before = async (line) => {
      if (line.startsWith('end o050')) throw failed('ERR_CONSUL_UNREACHABLE', 'no answer');
    };
    await expect(consul.reaped()).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    expect(leftIn(consul)).toHaveLength(71);
    expect(details(consul)).toEqual([
      ['applied', 'orphans, which no login would give any more: ended 50 live tokens'],
    ]);
  });

  it('says that it failed where it could end none', async () => {
    const consul = withOrphans(1);
    consul.before = async (line) => {
      if (line.startsWith('end')) throw failed('ERR_CONSUL_REJECTED', 'refused');
    };
    await expect(consul.reaped()).rejects.toThrow('refused');
    expect(details(consul)).toEqual([['failed', 'no orphaned token could be ended']]);
    expect(consul.counted.filter((each) => each.includes('tokens_ended'))).toEqual([]);
  });

  it('says that it is not known how many a run ended that died', async () => {
    const consul = withOrphans(1);
    const { settle } = consul.deps.journal;
    consul.deps.journal.settle = () => Promise.reject(new Error('died'));
    await expect(consul.reaped()).rejects.toThrow('died');
    consul.deps.journal.settle = settle;
    expect(await consul.reaped()).toBe(0);
    expect(consul.settled).toMatchObject([{ outcome: 'unknown', reason: 'Interrupted' }]);
    expect(consul.pending.size).toBe(0);
  });

  it('ends nothing where the objects cannot be read completely', async () => {
    const consul = withOrphans(1);
    consul.before = async (line) => {
      if (line === 'read all') throw failed('ERR_CONSUL_INCOMPLETE');
    };
    await expect(consul.reaped()).rejects.toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
    expect(leftIn(consul)).toHaveLength(2);
    expect(consul.settled).toEqual([]);
  });

  it.each<[string, Partial<Mapping>]>([
    ['the owner is another', { owner: 'shop' }],
    ['the mode removes nothing', { mode: 'extend' }],
  ])('ends nothing if %s once it is recorded', async (_, changes) => {
    const consul = withOrphans(1);
    const { record } = consul.deps.journal;
    consul.deps.journal.record = async (...args) => {
      await record(...args);
      consul.setMapping(changes);
    };
    expect(await consul.reaped()).toBe(0);
    expect([leftIn(consul).length, consul.settled, consul.pending.size]).toEqual([2, [], 0]);
  });

  it('ends no more once the mode removes nothing, and says how many it ended', async () => {
    const consul = withOrphans(120);
    consul.before = async (line) => {
      if (line.startsWith('end ')) consul.setMapping({ mode: 'observe' });
    };
    expect(await consul.reaped()).toBe(50);
    expect(leftIn(consul)).toHaveLength(71);
    expect(details(consul)).toEqual([
      ['applied', 'orphans, which no login would give any more: ended 50 live tokens'],
    ]);
  });

  it('goes on although another part of the configuration changes', async () => {
    const consul = withOrphans(60);
    consul.before = async (line) => {
      if (line.startsWith('end ')) consul.setMapping({ revision: 'sha256:other' });
    };
    expect(await consul.reaped()).toBe(60);
  });

  it('asks Consul for the objects with the name of its owner alone', async () => {
    const consul = withOrphans(0);
    consul.put(
      method({ name: `${WEB}-2`, description: 'Mine' }),
      method({ name: 'scopemesh-other-main-web' }),
    );
    const { read } = consul.deps.consul.acl;
    const asked: boolean[] = [];
    consul.deps.consul.acl.read = (isOurs, stop) => {
      asked.push(...[WEB, `${WEB}-2`, 'scopemesh-other-main-web'].map((name) => isOurs(name, '')));
      return read(isOurs, stop);
    };
    await consul.reaped();
    expect(asked).toEqual([true, true, false]);
  });
});
