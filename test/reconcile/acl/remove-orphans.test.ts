import { describe, expect, it } from 'vitest';
import { aclDraftOf } from '../../../src/apply/acl/acl-request.js';
import { leftObjectsKey } from '../../../src/model/key.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { aclToken, loss, policy, role, WEB } from '../../apply/acl/memory-acl.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { type AclWorld, denied } from './acl-world.js';
import { long, orphanedWorld } from './orphaned-world.js';

const never = new AbortController().signal;

describe('the removal of one unknown client’s objects', () => {
  const subjectsOf = (world: AclWorld) =>
    world.decided().flatMap(({ subject, outcome }) => (outcome === 'applied' ? subject : []));

  it.each(['the comparison', 'the job of the client, which has evidence'])(
    'has one decision for each object, although %s began before the other',
    async (first) => {
      const { it: world, remove, run, roles } = await orphanedWorld(10);
      const evidence = [{ provider: 'main', clients: [long(1)] }];
      const compare = () => remove();
      const settle = () => run(1, { evidence });
      const [one, other] = first === 'the comparison' ? [compare, settle] : [settle, compare];
      let later: Promise<unknown> | undefined;
      world.before = async (line) => {
        if (!line.startsWith('delete') || later !== undefined) return;
        later = other();
        // As far as it gets before the first one ends.
        for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate);
      };
      await one();
      await later;
      expect(later).toBeDefined();
      expect(roles()).toEqual([]);
      expect(subjectsOf(world)).toEqual([...new Set(subjectsOf(world))]);
      expect(new Set(world.decided().map(({ outcome }) => outcome))).toEqual(new Set(['applied']));
    },
  );

  it('that Consul refuses leaves all others, and keeps its approval for the next comparison', async () => {
    const { it: world, remove, roles, hold, rule, subject } = await orphanedWorld(0, 3);
    world.put(policy({ name: 'scopemesh-pay-_rules-unlinked' }));
    await readAllAcl(world.job, never);
    await remove();
    for (const at of [1, 2, 3]) await rule(at, 'approved');
    const refused = subject(2).slice('acl-role/'.length);
    world.before = async (line) => {
      if (line.startsWith('delete') && line.includes(refused)) throw denied;
    };
    world.forget();
    const { refusals } = await remove();
    expect(refusals).toEqual([denied]);
    expect(roles()).toEqual([refused]);
    expect([...world.objects.keys()]).not.toContain('acl-policy-scopemesh-pay-_rules-unlinked');
    expect([await hold(1), (await hold(2))?.reason, await hold(3)]).toEqual([
      undefined,
      'RevocationLimit',
      undefined,
    ]);
    expect(world.decided()).toContainEqual(
      expect.objectContaining({ subject: subject(2), outcome: 'failed', reason: 'ConsulRefused' }),
    );
    world.before = async () => {};
    expect((await remove()).refusals).toEqual([]);
    expect([roles(), await hold(2)]).toEqual([[], undefined]);
  });

  it('is forgotten by the client, which gains its access again when it comes back', async () => {
    const { it: world, clients, remove, run, roles } = await orphanedWorld(10);
    await remove();
    expect(roles()).toEqual([]);
    world.putClients(...clients);
    world.forget();
    await run(1);
    expect(roles()).toHaveLength(1);
    expect(world.decided().map(({ subject, reason }) => `${subject.split('/')[0]} ${reason}`)).toContain(
      'acl-role ScopeGranted',
    );
    expect(world.decided().map(({ reason }) => reason)).not.toContain('DriftCorrected');
    world.forget();
    await run(1);
    expect(world.decided()).toEqual([]);
  });

  it('is made although an earlier one left tokens that Consul does not let it end', async () => {
    const { it: world, remove, roles } = await orphanedWorld(10);
    const ended = loss.endTokens(role(), { role: WEB });
    await world.job.journal.record(leftObjectsKey('pay'), [aclDraftOf(ended, CAUSE, world.job)]);
    world.tokens = [aclToken('t')];
    world.before = async (line) => {
      if (line.startsWith('end ')) throw denied;
    };
    expect((await remove()).refusals).toEqual([denied]);
    expect([roles(), world.tokens.length]).toEqual([[], 1]);
    world.before = async () => {};
    expect((await remove()).refusals).toEqual([]);
    expect(world.tokens).toEqual([]);
  });
});
