import { describe, expect, it } from 'vitest';
import { reconcileClientAcl } from '../../../../src/acl/job/client-acl.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { storeVerdict, verdictOn } from '../../../operator/stored-verdict.js';
import { client } from '../../../plan/scene.js';
import { failed } from '../../apply/memory-acl.js';
import { type AclWorld, type AclWorldOptions, aclWorld, ID, jobOf, NAME, NO_LOSS } from '../acl-world.js';

const KEY = 'client/main/web';
const run = (it: AclWorld, how: Parameters<typeof jobOf>[0] = [{}]) =>
  reconcileClientAcl(ID, jobOf(how), it.job, NEVER);
const holdsOf = async (it: AclWorld) => [...(await it.job.journal.read(KEY)).holds.values()];
const reasons = async (it: AclWorld) => (await holdsOf(it)).map(({ reason }) => reason);
const roles = (it: AclWorld) => [...it.objects.values()].filter(({ kind }) => kind === 'acl-role').length;

async function made(options: AclWorldOptions = {}): Promise<AclWorld> {
  const it = aclWorld(options);
  await run(it);
  it.forget();
  return it;
}

/** A client whose loss the mass guard holds, and a ruling on it. */
async function held(verdict?: 'approved' | 'rejected'): Promise<AclWorld> {
  const it = await made({ mapping: NO_LOSS });
  it.putClients(client('web', []));
  await run(it);
  const [hold] = await holdsOf(it);
  if (hold === undefined) throw new Error('no hold');
  if (verdict !== undefined) await storeVerdict(it.job, hold, verdict, 'ann');
  it.forget();
  return it;
}
const rulingOf = (it: AclWorld) => verdictOn(it.job, `acl-role/${NAME}`);

describe('a held loss of a client', () => {
  it('is one hold, of its role, and is recorded once', async () => {
    const it = await held();
    expect(await holdsOf(it)).toMatchObject([{ subject: `acl-role/${NAME}`, reason: 'RevocationLimit' }]);
    await run(it);
    expect(it.decided()).toEqual([]);
  });

  it('goes once a person approves it, with the name of the person, and the approval is used up', async () => {
    const it = await held('approved');
    await run(it);
    expect(roles(it)).toBe(0);
    const applied = it.decided().filter(({ outcome }) => outcome === 'applied');
    expect(applied.length).toBeGreaterThan(0);
    for (const each of applied) expect(each.principal).toEqual({ id: 'ann' });
    expect(await holdsOf(it)).toEqual([]);
    expect(await rulingOf(it)).toBeUndefined();
  });

  it('keeps its approval and its hold where the removal fails', async () => {
    const it = await held('approved');
    it.before = async (line) => {
      if (line.startsWith('delete')) throw failed('ERR_CONSUL_REJECTED');
    };
    await expect(run(it)).rejects.toThrow('no');
    expect(await reasons(it)).toEqual(['RevocationLimit']);
    expect(await rulingOf(it)).toContain('approved');
  });

  it('stays once a person rejects it, which the plans of the fleet know too', async () => {
    const it = await held('rejected');
    await run(it);
    expect(roles(it)).toBe(1);
    expect(await reasons(it)).toEqual(['RevocationLimit']);
    expect(it.job.window.rejections.of(`acl-role/${NAME}`)).toMatchObject({ by: { id: 'ann' } });
  });

  it('ends where the client has the scope again, or where the mapping wants no ACL objects any more', async () => {
    const again = await held();
    again.putClients(client('web', ['config:read']));
    await run(again);
    expect(await holdsOf(again)).toEqual([]);
    expect(again.outcomes()).toEqual(['acl-role observed HoldEnded']);
    const dropped = await held();
    dropped.setMapping({ rules: [] });
    await dropped.job.acl.noteNoObjects(dropped.job.keyValues);
    await run(dropped);
    expect(await holdsOf(dropped)).toEqual([]);
    expect(dropped.requests()).toEqual([]);
  });

  it('ends no hold of another kind', async () => {
    const it = await held();
    const [hold] = await holdsOf(it);
    if (hold === undefined) throw new Error('no hold');
    const claim = { ...hold, subject: 'claim/main/web/web', reason: 'ClaimTaken' as const };
    const holds = new Map([['claim', claim]]);
    await it.job.journal.settle(KEY, [], { holds });
    it.putClients(client('web', ['config:read']));
    await run(it);
    expect(await reasons(it)).toEqual(['ClaimTaken']);
    it.setMapping({ rules: [] });
    await it.job.acl.noteNoObjects(it.job.keyValues);
    await run(it);
    expect(await reasons(it)).toEqual(['ClaimTaken']);
  });
});

describe('a client in quarantine', () => {
  it('loses its objects at once, before its hold is recorded, whatever the limit', async () => {
    const it = await made({ mapping: NO_LOSS });
    it.world.setClientBlock(ID, 'ClientQuarantined');
    await run(it);
    expect(roles(it)).toBe(0);
    expect(await reasons(it)).toEqual(['ClientQuarantined']);
    const applied = it.outcomes().findIndex((each) => each.includes('applied'));
    const hold = it.outcomes().findIndex((each) => each.includes('held ClientQuarantined'));
    expect(applied).toBeGreaterThanOrEqual(0);
    expect(hold).toBeGreaterThan(applied);
  });

  it('gets them again when it ends, for that reason, and its hold ends after that', async () => {
    const it = await made();
    it.world.setClientBlock(ID, 'ClientQuarantined');
    await run(it);
    it.world.setClientBlock(ID, undefined);
    it.forget();
    await run(it);
    expect(roles(it)).toBe(1);
    const outcomes = it.outcomes();
    expect(outcomes.filter((each) => each.includes('applied'))).toContain('acl-role applied QuarantineEnded');
    expect(outcomes.at(-1)).toBe('acl-auth-method observed HoldEnded');
    expect(await holdsOf(it)).toEqual([]);
  });

  it('has one decision for a hold that two runs find', async () => {
    const it = await made();
    it.world.setClientBlock(ID, 'ClientQuarantined');
    await run(it);
    it.forget();
    await run(it);
    expect(it.decided()).toEqual([]);
    expect(await reasons(it)).toEqual(['ClientQuarantined']);
  });

  it('while its directory is unread loses its objects too, and its job is done', async () => {
    const it = aclWorld();
    await run(it);
    const fresh = aclWorld({ isRead: false });
    fresh.put(...it.objects.values());
    await fresh.job.acl.noteWrite(fresh.job.keyValues);
    fresh.world.setClientBlock(ID, 'ClientQuarantined');
    const evidence = [{ provider: 'main', clients: ['web'] }];
    expect(await run(fresh, [{ evidence }])).toEqual({ kind: 'done' });
    expect(roles(fresh)).toBe(0);
  });
});

describe('while the directory of a client is not read', () => {
  it('no hold of its objects ends', async () => {
    const it = await held();
    const record = await it.job.journal.read(KEY);
    const fresh = aclWorld({ isRead: false, mapping: NO_LOSS });
    fresh.put(...it.objects.values());
    await fresh.job.acl.noteWrite(fresh.job.keyValues);
    await fresh.job.journal.settle(KEY, [], record);
    fresh.world.putClient(ID, client('web', ['config:read']), fresh.world.beginRead());
    expect(await run(fresh)).toEqual({ kind: 'done' });
    expect(await reasons(fresh)).toEqual(['RevocationLimit']);
    fresh.putClients(client('web', ['config:read']));
    await run(fresh);
    expect(await reasons(fresh)).toEqual([]);
  });

  it('of a provider that is not configured any more its objects go', async () => {
    const it = await made();
    it.setMapping({ providers: ['other'] });
    await run(it);
    expect(roles(it)).toBe(0);
  });
});
