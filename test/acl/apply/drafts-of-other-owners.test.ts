import { describe, expect, it } from 'vitest';
import { aclDraftOf } from '../../../src/acl/apply/acl-request.js';
import { endDraftsOfOtherOwners } from '../../../src/acl/apply/drafts-of-other-owners.js';
import { reconcileClientAcl } from '../../../src/acl/job/client-acl.js';
import { leftObjectsKey } from '../../../src/model/key.js';
import { CAUSE, NEVER } from '../../apply/apply-rig.js';
import { aclWorld, jobOf } from '../job/acl-world.js';
import { orphanedWorld } from '../job/orphaned-world.js';
import { aclToken, failed, loss, POLICY, policy, role, WEB } from './memory-acl.js';

const LEFT = leftObjectsKey('pay');

/** A comparison that recorded these removals and ended, before the owner had another name. */
async function renamed() {
  const { it: world, remove, roles } = await orphanedWorld(10, 1);
  world.put(role(POLICY), policy());
  world.tokens = [aclToken('t')];
  const removals = [
    loss.remove(`acl-role-${WEB}`, role(POLICY)),
    loss.remove(`acl-policy-${POLICY}`, policy(), 'neither'),
    loss.endTokens(role(), { role: WEB }),
  ];
  await world.job.journal.record(
    LEFT,
    removals.map((change) => aclDraftOf(change, CAUSE, world.job)),
  );
  world.setMapping({ owner: 'other' });
  const pending = async () => (await world.job.journal.read(LEFT)).pending.map(({ subject }) => subject);
  const outcomes = () => world.decided().map(({ subject, outcome }) => `${subject.split('/')[0]} ${outcome}`);
  return { world, remove, roles, pending, outcomes };
}

describe('removals that an earlier owner left open', () => {
  it('are settled by what Consul has, and nothing is removed', async () => {
    const { world, remove, roles, pending, outcomes } = await renamed();
    world.objects.delete(`acl-role-${WEB}`);
    world.nowMs += 30_001;
    const before = roles();
    await remove();
    expect(outcomes().toSorted()).toEqual(['acl-policy failed', 'acl-role applied', 'acl-token unknown']);
    for (const { outcome, detail } of world.decided())
      if (outcome !== 'applied') expect(detail).toContain('The owner has another name since');
    expect([await pending(), roles(), world.tokens.length]).toEqual([[], before, 1]);
    expect(world.requests().filter((line) => /^(delete|end|create|replace) /.test(line))).toEqual([]);
    world.forget();
    await remove();
    expect(world.decided()).toEqual([]);
  });

  it('stay open while their request may arrive, and while Consul cannot be read', async () => {
    const { world, remove, pending, outcomes } = await renamed();
    await remove();
    expect([outcomes(), await pending()]).toEqual([
      ['acl-token unknown'],
      [`acl-role/${WEB}`, `acl-policy/${POLICY}`],
    ]);
    world.forget();
    world.nowMs += 30_001;
    world.before = async (line) => {
      if (line.startsWith('read')) throw failed('ERR_CONSUL_UNREACHABLE');
    };
    await expect(remove()).rejects.toThrow();
    expect([outcomes(), (await pending()).length]).toEqual([[], 2]);
  });

  it('are only those of objects without a client, and not those of the present owner', async () => {
    const { world, pending, outcomes } = await renamed();
    world.setMapping({ owner: 'pay' });
    await world.job.journal.record('client/main/web', [
      aclDraftOf(loss.remove(`acl-role-${WEB}`, role(POLICY)), CAUSE, world.job),
    ]);
    const { pendingKeys } = await world.job.journal.overview();
    expect(pendingKeys).toHaveLength(2);
    world.nowMs += 30_001;
    await endDraftsOfOtherOwners(pendingKeys, world.job, NEVER);
    expect([outcomes(), (await pending()).length]).toEqual([[], 3]);
  });

  it('are unknown where another writer has changed the object', async () => {
    const { world, remove, outcomes } = await renamed();
    world.put(role(), policy({ rules: '{}' }));
    await remove();
    expect(outcomes().toSorted()).toEqual(['acl-policy unknown', 'acl-role unknown', 'acl-token unknown']);
  });
});

describe('drafts of a client that its job left open before the owner had another name', () => {
  it.each([
    ['is not made', true, 'failed'],
    ['is made', false, 'applied'],
  ])('say of a removal that it %s, by the object of the earlier owner', async (_, exists, outcome) => {
    const world = aclWorld({});
    world.put(role(POLICY));
    const removal = loss.remove(`acl-role-${WEB}`, role(POLICY));
    const tokens = loss.endTokens(role(), { role: WEB });
    const key = 'client/main/web';
    const drafts = [removal, tokens].map((change) => aclDraftOf(change, CAUSE, world.job));
    await world.job.journal.record(key, drafts);
    world.setMapping({ owner: 'other' });
    if (!exists) world.objects.clear();
    world.nowMs += 30_001;
    await reconcileClientAcl({ provider: 'main', clientId: 'web' }, jobOf(), world.job, NEVER);
    const decided = world.decided().map((each) => `${each.subject} ${each.outcome}`);
    expect(decided.filter((text) => text.includes(WEB))).toEqual([
      `acl-role/${WEB} ${outcome}`,
      `acl-token/${WEB} unknown`,
    ]);
    expect((await world.job.journal.read(key)).pending).toEqual([]);
    expect(world.objects.has(`acl-role-${WEB}`)).toBe(exists);
  });
});
