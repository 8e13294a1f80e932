import { afterEach, expect, it } from 'vitest';
import { aclTriggers } from '../../../../src/acl/job/acl-triggers.js';
import type { AclObject } from '../../../../src/model/acl.js';
import { clientKey, providerKey } from '../../../../src/model/key.js';
import { type AclRig, createAclRig } from '../../../support/acl-rig.js';
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

/** A worker whose next write of a kind waits until it is let go. */
async function startGated(kind: AclObject['kind']) {
  let gate: Promise<void> | undefined;
  let letGo = () => {};
  let hasArrived = false;
  worker = await startWorker(rig, (consul) =>
    withAcl(consul, ({ write }) => ({
      write: async (id, object, signal) => {
        const wait = object.kind === kind ? gate : undefined;
        if (wait !== undefined) {
          gate = undefined;
          hasArrived = true;
          await wait;
        }
        return write(id, object, signal);
      },
    })),
  );
  return {
    close() {
      gate = new Promise((resolve) => {
        letGo = resolve;
      });
    },
    arrival: () => until('the write', async () => hasArrived),
    open: () => letGo(),
  };
}

/** Until nothing runs but the job whose write waits. */
const alone = () => until('the rest', async () => (await worker.store.queue.state()).active === 1);

const linked = async (name: string) => {
  const role = (await rig.objects('roles')).find(({ Name }) => Name === name);
  return ((role?.Policies ?? []) as readonly unknown[]).length;
};
const WEB = 'scopemesh-payments-main-web-app';

it('a scope that a complete read finds gone while the client’s job links it is gone when both are done', async () => {
  rig = await createAclRig({ clients: [clientOf('web', 'config:read')] });
  const gate = await startGated('acl-role');
  await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
  await worker.idle();
  gate.close();
  rig.idp.put('web-app', 'config:read', 'orders:keys');
  await worker.add(clientKey('main', 'web-app'), 'webhook');
  await gate.arrival();
  rig.idp.put('web-app', 'config:read');
  await worker.add(providerKey('main'), 'full-read', { fullRead: true });
  const scopes = () => worker.deps.world.client({ provider: 'main', clientId: 'web-app' })?.grants.length;
  await until('the read', async () => scopes() === 1);
  await alone();
  gate.open();
  await worker.idle();
  expect(await linked(WEB)).toBe(1);
});

it('a rule that goes from the configuration while people’s job writes their roles is gone when both are done', async () => {
  rig = await createAclRig({
    clients: [clientOf('web')],
    file: { groups: { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } } },
  });
  rig.idp.people = new Map([['ann', ['oncall']]]);
  const gate = await startGated('acl-policy');
  gate.close();
  await gate.arrival();
  const { world } = worker.deps;
  world.setMapping({ ...world.mapping, acl: { ...world.mapping.acl, groups: [] } });
  const cause = { kind: 'config', receivedAt: new Date(rig.clock.now()).toISOString() } as const;
  await worker.inbox.add(await aclTriggers(worker.deps, cause, never));
  gate.open();
  await worker.idle();
  expect((await rig.objects('binding-rules')).length).toBe(0);
});
