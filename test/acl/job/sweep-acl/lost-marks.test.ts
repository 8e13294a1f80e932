import { afterEach, expect, it } from 'vitest';
import { sweep } from '../../../../src/reconcile/sweep.js';
import { type AclRig, createAclRig, type RawObject } from '../../../support/acl-rig.js';
import { clientOf } from '../../../support/daemon.js';
import { startWorker, type Worker, withAcl } from '../../../support/reconcile-rig.js';
import { until } from '../../../support/until.js';

const never = new AbortController().signal;

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

it('a policy that somebody makes theirs between the read and the removal is not removed', async () => {
  rig = await createAclRig({ clients: [clientOf('web', 'config:read', 'orders:keys')] });
  worker = await startWorker(rig);
  await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
  await worker.idle();
  const policies = await Promise.all(
    (await rig.objects('policies')).map(
      ({ ID }) => rig.mesh.request('GET', `/v1/acl/policy/${ID}`) as Promise<RawObject>,
    ),
  );
  rig.idp.put('web-app', 'config:read');
  await worker.stop();
  let afterRead = async () => {};
  worker = await startWorker(rig, (consul) =>
    withAcl(consul, ({ read }) => ({
      read: async (...args) => {
        const snapshot = await read(...args);
        await afterRead();
        return snapshot;
      },
    })),
  );
  await worker.idle();
  const [role] = await rig.objects('roles');
  const linked = (Object(role).Policies as readonly { Name: string }[]).map(({ Name }) => Name);
  const former = policies.find(({ Name = '' }) => Name.startsWith('scopemesh-') && !linked.includes(Name));
  // As a backup of Consul would bring it back.
  const { ID: _, ...content } = former ?? {};
  if (!(await rig.objects('policies')).some(({ Name }) => Name === former?.Name))
    await rig.mesh.request('PUT', '/v1/acl/policy', content);
  const unlinked = (await rig.objects('policies')).find(({ Name }) => Name === former?.Name);
  const whole = (await rig.mesh.request('GET', `/v1/acl/policy/${unlinked?.ID}`)) as object;
  afterRead = async () => {
    afterRead = async () => {};
    await rig.mesh.request('PUT', `/v1/acl/policy/${unlinked?.ID}`, { ...whole, Description: 'Mine' });
  };
  const [rule] = await rig.objects('binding-rules');
  await rig.mesh.request('DELETE', `/v1/acl/binding-rule/${rule?.ID}`);
  await sweep(worker.deps, never);
  expect((await rig.objects('policies')).map(({ Name }) => Name)).toContain(unlinked?.Name);
  expect((await worker.settled()).find(({ reason }) => reason === 'Conflict')?.outcome).toBe('failed');
  // It keeps nothing else from being mended.
  await worker.idle();
  expect(await rig.objects('binding-rules')).toHaveLength(1);
  await sweep(worker.deps, never);
  expect((await rig.objects('policies')).map(({ Name }) => Name)).toContain(unlinked?.Name);
});
