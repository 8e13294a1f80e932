import { describe, expect, it } from 'vitest';
import { aclDraftOf } from '../../../../src/acl/apply/acl-request.js';
import { reconcileClientAcl } from '../../../../src/acl/job/client-acl.js';
import { leftObjectsKey } from '../../../../src/model/key.js';
import { CAUSE, NEVER } from '../../../apply/apply-rig.js';
import { aclToken, loss, POLICY, policy, role, WEB } from '../../apply/memory-acl.js';
import { aclWorld, jobOf } from '../acl-world.js';
import { orphanedWorld } from '../orphaned-world.js';

const LEFT = leftObjectsKey('pay');

describe('what an earlier owner left open', () => {
  it('of removals is unknown, and nothing is removed', async () => {
    const { it: world, remove, roles } = await orphanedWorld(10, 1);
    world.put(role(POLICY), policy());
    world.tokens = [aclToken('t')];
    const removals = [
      loss.remove(`acl-role-${WEB}`, role(POLICY)),
      loss.remove(`acl-policy-${POLICY}`, policy(), 'neither'),
      loss.endTokens(role(), { role: WEB }),
    ];
    const drafts = removals.map((change) => aclDraftOf(change, CAUSE, world.job));
    await world.job.journal.record(LEFT, drafts);
    world.setMapping({ owner: 'other' });
    const before = roles();
    await remove();
    const outcomes = world.decided().map(({ subject, outcome }) => `${subject.split('/')[0]} ${outcome}`);
    expect(outcomes.toSorted()).toEqual(['acl-policy unknown', 'acl-role unknown', 'acl-token unknown']);
    for (const { detail } of world.decided()) expect(detail).toContain('The owner has another name since');
    expect((await world.job.journal.read(LEFT)).pending).toEqual([]);
    expect([roles(), world.tokens.length]).toEqual([before, 1]);
    expect(world.requests().filter((line) => /^(delete|end|create|replace) /.test(line))).toEqual([]);
    world.forget();
    await remove();
    expect(world.decided()).toEqual([]);
  });

  it('of the drafts of a client is unknown, and its objects and tokens stay', async () => {
    const world = aclWorld({});
    world.put(role(POLICY));
    const changes = [loss.remove(`acl-role-${WEB}`, role(POLICY)), loss.endTokens(role(), { role: WEB })];
    const key = 'client/main/web';
    await world.job.journal.record(
      key,
      changes.map((change) => aclDraftOf(change, CAUSE, world.job)),
    );
    world.setMapping({ owner: 'other' });
    await reconcileClientAcl({ provider: 'main', clientId: 'web' }, jobOf(), world.job, NEVER);
    const decided = world.decided().map((each) => `${each.subject} ${each.outcome}`);
    expect(decided.filter((text) => text.includes(WEB))).toEqual([
      `acl-role/${WEB} unknown`,
      `acl-token/${WEB} unknown`,
    ]);
    expect((await world.job.journal.read(key)).pending).toEqual([]);
    expect(world.objects.has(`acl-role-${WEB}`)).toBe(true);
  });
});
