import { expect, it } from 'vitest';
import { countApproval, firstApprovalOf, forgetFirstApproval } from '../../src/operator/first-approvals.js';
import { QUARANTINES, releaseIfRotated } from '../../src/operator/quarantines.js';
import { recordRuling } from '../../src/operator/ruling-store.js';
import { clientSubject } from '../../src/plan/plan.js';
import { client, mapping, NOW } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const WEB = { provider: 'main', clientId: 'web' };
const APPROVED = {
  subject: clientSubject(WEB),
  of: 'in Consul',
  resource: { kind: 'client' as const, name: 'web' },
};
const ANA = { id: 'local', note: 'ana' };
const BOB = { id: 'token:bob' };

function start() {
  const world = worldWithTwo();
  world.setMapping(mapping({ approvers: 2 }));
  return depsOf(world, {});
}

it('of two persons at once one is the first, with one decision', async () => {
  const { deps, decisions } = start();
  const both = [ANA, BOB].map((by) => countApproval(APPROVED, by, deps));
  expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(['first', 'enough']);
  expect(decisions.map(({ reason }) => reason)).toEqual(['FirstApproval']);
});

it('an approval whose decision was not stored does not count', async () => {
  const { deps } = start();
  const journal = { ...deps.journal, settle: () => Promise.reject(new Error('the store is away')) };
  await expect(countApproval(APPROVED, ANA, { ...deps, journal })).rejects.toThrow('away');
  expect(await countApproval(APPROVED, BOB, deps)).toEqual({ kind: 'first' });
});

it('a quarantine that ends by rotation takes its first approval with it', async () => {
  const { deps } = start();
  deps.world.setClientBlock(WEB, 'ClientQuarantined');
  const at = new Date(NOW).toISOString();
  const block = { ...WEB, closure: 'ClientQuarantined' as const, at, receivedAt: at };
  await recordRuling(QUARANTINES, block, {}, deps);
  await countApproval(APPROVED, ANA, deps);
  const rotated = client('web', [], { secretCreatedAt: new Date(NOW + 1_000).toISOString() });
  const cause = { kind: 'resync' as const, receivedAt: at };
  expect(await releaseIfRotated(WEB, rotated, cause, deps)).toBe(true);
  expect(await countApproval(APPROVED, BOB, deps)).toEqual({ kind: 'first' });
});

it('a first approval counts for what it was about alone, not for what the subject has later', async () => {
  const { deps } = start();
  const of = (text: string) => ({ ...APPROVED, of: text });
  expect(await countApproval(of('decision-1 a'), ANA, deps)).toEqual({ kind: 'first' });
  for (const later of ['decision-2 a', 'decision-1 b'])
    expect(await countApproval(of(later), BOB, deps)).toEqual({ kind: 'first' });
  // Bob's last approval replaced Ana's, which is void.
  expect(await countApproval(of('decision-1 a'), BOB, deps)).toEqual({ kind: 'first' });
  expect(await countApproval(of('decision-1 a'), ANA, deps)).toEqual({ kind: 'enough' });
});

it('all names of the token file are one person, over a restart too', async () => {
  const { deps } = start();
  expect(await countApproval(APPROVED, ANA, deps)).toEqual({ kind: 'first' });
  for (const note of ['bob', 'root', 'token:bob', ''])
    expect(await countApproval(APPROVED, { id: 'local', note }, deps)).toMatchObject({ kind: 'same' });
  expect(await countApproval(APPROVED, BOB, deps)).toEqual({ kind: 'enough' });
});

it('shows who approved first, until the approval is used, and asks for no second person where one is enough', async () => {
  const { deps } = start();
  await countApproval(APPROVED, ANA, deps);
  expect(await firstApprovalOf(APPROVED, deps)).toMatchObject({ by: ANA, at: new Date(NOW).toISOString() });
  expect(await firstApprovalOf({ ...APPROVED, of: 'another' }, deps)).toBeUndefined();
  expect(await firstApprovalOf({ ...APPROVED, subject: 'client/main/api' }, deps)).toBeUndefined();
  deps.world.setMapping(mapping({ approvers: 1 }));
  expect(await firstApprovalOf(APPROVED, deps)).toBeUndefined();
  expect(await countApproval(APPROVED, ANA, deps)).toEqual({ kind: 'enough' });
  deps.world.setMapping(mapping({ approvers: 2 }));
  await forgetFirstApproval(APPROVED.subject, deps);
  expect(await firstApprovalOf(APPROVED, deps)).toBeUndefined();
});
