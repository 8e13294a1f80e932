import { afterEach, describe, expect, it } from 'vitest';
import { planAclFleet } from '../../../../src/acl/job/plan-fleet-acl.js';
import { removeLeft } from '../../../../src/acl/job/remove-left.js';
import { readAllAcl } from '../../../../src/read/read-acl.js';
import { sweep } from '../../../../src/reconcile/sweep.js';
import { type AclRig, createAclRig } from '../../../support/acl-rig.js';
import { clientOf } from '../../../support/daemon.js';
import { startWorker, type Worker } from '../../../support/reconcile-rig.js';

const never = new AbortController().signal;

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

interface Policy {
  readonly Name: string;
  readonly Description?: string;
  readonly Rules?: string;
}

/** A policy with our mark that nothing links, as an earlier mapping left it; resolves with its name. */
async function leftPolicy(): Promise<string> {
  rig = await createAclRig({ clients: [clientOf('web', 'config:read', 'orders:keys'), clientOf('other')] });
  worker = await startWorker(rig);
  await worker.idle();
  const [role] = await rig.objects('roles');
  const linked = (Object(role).Policies as readonly { Name: string }[]).map(({ Name }) => Name);
  expect(linked).toHaveLength(2);
  const all = (await rig.objects('policies')).filter(({ Name = '' }) => linked.includes(Name));
  const whole = await Promise.all(
    all.map(({ ID }) => rig.mesh.request('GET', `/v1/acl/policy/${ID}`) as Promise<Policy>),
  );
  // The scope goes, and its policy comes back, as a backup of Consul would bring it.
  rig.idp.put('web-app', 'config:read');
  await worker.add({ kind: 'client', provider: 'main', by: 'clientId', value: 'web-app' }, 'webhook', {
    evidence: [{ provider: 'main', clients: ['web-app'] }],
  });
  await worker.idle();
  const [now] = await rig.objects('roles');
  const kept = (Object(now).Policies as readonly { Name: string }[]).map(({ Name }) => Name);
  expect(kept).toHaveLength(1);
  await worker.stop();
  const left = whole.find(({ Name }) => !kept.includes(Name));
  const { Name, Description, Rules } = left ?? { Name: '' };
  await rig.mesh.request('PUT', '/v1/acl/policy', { Name, Description, Rules });
  return Name;
}

const exists = async (name: string) => (await rig.objects('policies')).some(({ Name }) => Name === name);

describe('a policy of ours that nothing links', () => {
  it.each([
    ['observe', true],
    ['extend', true],
    ['enforce', false],
  ])('in the mode %s stays: %s', async (mode, stays) => {
    const name = await leftPolicy();
    rig.writeFile({ mode });
    worker = await startWorker(rig);
    await worker.idle();
    await readAllAcl(worker.deps, never);
    const { changes } = await planAclFleet(worker.deps);
    const removed = changes.filter(({ verb }) => verb === 'deleted').map(({ resource }) => resource.name);
    expect(removed).toEqual(stays ? [] : [name]);
    await sweep(worker.deps, never);
    await worker.idle();
    expect(await exists(name)).toBe(stays);
  });

  it('goes, and one that a role has stays, whatever the plans say', async () => {
    const name = await leftPolicy();
    worker = await startWorker(rig);
    await worker.idle();
    await sweep(worker.deps, never);
    expect(await exists(name)).toBe(false);
    const cause = { kind: 'resync' as const, receivedAt: new Date(rig.clock.now()).toISOString() };
    const [role] = await rig.objects('roles');
    const [policy] = Object(role).Policies as readonly { Name: string }[];
    await removeLeft([], cause, worker.deps, never);
    expect(await exists(policy?.Name ?? '')).toBe(true);
  });
});
