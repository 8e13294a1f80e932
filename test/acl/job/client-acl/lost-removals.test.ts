import { describe, expect, it } from 'vitest';
import { aclDraftOf } from '../../../../src/acl/apply/acl-request.js';
import { leftObjectsKey } from '../../../../src/model/key.js';
import { readAllAcl } from '../../../../src/read/read-acl.js';
import { CAUSE, NEVER } from '../../../apply/apply-rig.js';
import { aclToken, failed, loss, role } from '../../apply/memory-acl.js';
import type { AclWorld } from '../acl-world.js';
import { long, orphanedWorld } from '../orphaned-world.js';

const LEFT = leftObjectsKey('pay');
const evidence = [{ provider: 'main', clients: [long(1)] }];
const LISTED = { kind: 'full-read', receivedAt: CAUSE.receivedAt } as const;

/** Consul gives no answer to deletions, which it may make. */
function loseDeletions(world: AclWorld, isMade: boolean): void {
  world.before = async (line) => {
    if (!line.startsWith('delete')) return;
    const id = line.slice('delete '.length);
    for (const [each, { kind, object }] of isMade ? [...world.objects] : [])
      if (each === id || (kind === 'acl-binding-rule' && object.authMethod === id))
        world.objects.delete(each);
    throw failed('ERR_CONSUL_UNREACHABLE');
  };
}

/** The comparison of one unknown client has no answer to its removals. */
async function lostByComparison(isMade: boolean) {
  const orphans = await orphanedWorld(10, 1);
  await readAllAcl(orphans.it.job, NEVER);
  loseDeletions(orphans.it, isMade);
  await expect(orphans.remove()).rejects.toThrow();
  orphans.it.before = async () => {};
  return orphans;
}

const applied = (world: AclWorld) =>
  world.decided().flatMap(({ subject, outcome }) => (outcome === 'applied' ? subject : []));

describe('a removal by the comparison whose answer was lost', () => {
  it.each([
    ['was made', true, CAUSE],
    ['was not made', false, CAUSE],
    ['was made, and no read shows it yet', true, LISTED],
  ])('has one decision although the job of the client removes the same, where it %s', async (...with_) => {
    const [, isMade, cause] = with_;
    const { it: world, run, remove, roles } = await lostByComparison(isMade);
    await run(1, { evidence, cause });
    await readAllAcl(world.job, NEVER);
    await remove();
    expect(roles()).toEqual([]);
    expect(applied(world).length).toBeGreaterThan(0);
    expect(applied(world)).toEqual([...new Set(applied(world))]);
    expect((await world.job.journal.read(LEFT)).pending).toEqual([]);
  });

  it('lets the job look again until its request can no longer arrive', async () => {
    const { it: world, run, clients } = await lostByComparison(false);
    world.putClients(...clients);
    await run(1);
    expect(world.job.acl.inFlightMs(`client/main/${encodeURIComponent(long(1))}`, world.nowMs)).toBe(30_000);
  });

  it('is no drift where it was made and the client comes back before the next comparison', async () => {
    const { it: world, run, clients } = await lostByComparison(true);
    world.putClients(...clients);
    await run(1);
    const gained = world.decided().filter(({ action }) => action === 'grant');
    expect([...new Set(gained.map(({ reason }) => reason))]).toEqual(['ScopeGranted']);
  });

  it('is drift where it was not made, and somebody else removes the objects once the client is back', async () => {
    const { it: world, run, clients } = await lostByComparison(false);
    world.putClients(...clients);
    await run(1);
    world.objects.clear();
    world.forget();
    await run(1);
    const gained = world.decided().filter(({ action }) => action === 'grant');
    expect([...new Set(gained.map(({ reason }) => reason))]).toEqual(['DriftCorrected']);
  });

  it('is left to the comparison where it is of another client, or of tokens that cannot be ended', async () => {
    const { it: world, run, remove, roles, subject } = await orphanedWorld(10, 2);
    loseDeletions(world, false);
    await expect(remove()).rejects.toThrow();
    const name = subject(1).slice('acl-role/'.length);
    const tokens = loss.endTokens({ ...role(), object: { ...role().object, name } }, { role: name });
    await world.job.journal.record(LEFT, [aclDraftOf(tokens, CAUSE, world.job)]);
    world.tokens = [aclToken('t', { roles: [name] })];
    world.before = async (line) => {
      if (line.startsWith('end ')) throw failed('ERR_CONSUL_DENIED');
    };
    await run(1, { evidence });
    const left = (await world.job.journal.read(LEFT)).pending.map(({ subject }) => subject);
    expect(left).toContain(`acl-token/${name}`);
    expect(left.filter((each) => each.includes(name))).toHaveLength(1);
    expect(left).toContain(subject(2));
    expect(roles().map((each) => `acl-role/${each}`)).toEqual([subject(2)]);
  });
});
