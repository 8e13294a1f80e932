import { afterEach, expect, it } from 'vitest';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import type { ProxiedRequest } from '../../support/consul-proxy.js';
import { clientOf } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
afterEach(() => rig.close());

/** How many roles and auth methods the client `web-app` has. */
async function ofWeb(): Promise<readonly number[]> {
  const all = await Promise.all([rig.objects('roles'), rig.objects('auth-methods')]);
  return all.map((objects) => objects.filter(({ Name = '' }) => Name.endsWith('-web-app')).length);
}
const areGone = async () => (await ofWeb()).every((count) => count === 0);

it('late requests of the former leader for ACL objects are undone by the watch, before another comparison', async () => {
  rig = await createAclRig({ clients: [clientOf('web', 'config:read'), clientOf('api', 'config:read')] });
  const sent: ProxiedRequest[] = [];
  rig.proxy.interfere = (request) => {
    const isObject = /^\/v1\/acl\/(role|auth-method)\b/.test(request.target);
    if (request.method === 'PUT' && isObject && request.body.includes('-web-app')) sent.push(request);
    return undefined;
  };
  const former = await rig.start();
  await until('all rules', async () => (await rig.objects('binding-rules')).length === 2);
  await former.idle();
  await former.stop();

  rig.idp.put('web-app');
  const next = await rig.start();
  await until('the objects are removed', areGone);
  await next.idle();
  const comparisons = async () =>
    (await rig.decisions()).filter(({ reason }) => reason === 'SweepCompleted').length;
  const before = await comparisons();
  expect(sent).toHaveLength(2);
  for (const { method, target, body } of sent) {
    await rig.mesh.request(method, target, JSON.parse(body));
    await until('the late object is removed', areGone);
  }
  await next.idle();
  expect(await comparisons()).toBe(before);
});
