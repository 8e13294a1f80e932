import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { freePort } from '../../stack/ports.js';
import { ACL_SCOPES, createAclRig } from '../../support/acl-rig.js';
import { createCommandLine } from '../../support/command-line.js';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
import { EDGE, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

const cli = createCommandLine();
afterAll(() => cli.close());
let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

interface Planned {
  readonly changes: readonly { readonly subject: string; readonly verb: string; readonly reason: string }[];
  readonly holds: readonly { readonly subject: string; readonly reason: string }[];
}

/** What `scopemesh plan` says beside the daemon, with the daemon's file as it is now. */
async function plan(): Promise<Planned> {
  const { status, json } = await cli.run(['-c', join(rig.directory, 'scopemesh.yaml'), 'plan', '--json']);
  expect(status).toBe(0);
  return json() as unknown as Planned;
}

const textsOf = (changes: Planned['changes']) =>
  changes.map(({ subject, verb, reason }) => `${verb} ${subject} ${reason}`).toSorted();

/** Plans a new file, lets the daemon load it, and compares the reasons of the plan with the reasons of its decisions. */
async function comparePlanWithReload(file: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
  await daemon.idle();
  const before = (await rig.decisions()).length;
  rig.writeFile(file);
  const { changes, holds } = await plan();
  expect(holds).toEqual([]);
  daemon.reload();
  await rig.decided({ reason: 'ConfigReloaded' }, before);
  await daemon.idle();
  const made = (await rig.decisions()).slice(before).flatMap(({ type, subject, reason, outcome }) =>
    // A policy goes when no role links it any more, which is after the plan.
    outcome === 'applied' && reason !== 'ConfigReloaded' && !subject.startsWith('acl-policy/')
      ? { subject, verb: type.split('.').at(-1) ?? '', reason }
      : [],
  );
  expect(textsOf(changes)).toEqual(textsOf(made));
  expect((await plan()).changes).toEqual([]);
  return textsOf(changes);
}

const http = async () => ({ http: { listen: `127.0.0.1:${await freePort()}` } });

it('a plan of a changed file has the reasons of the decisions that its reload makes', async () => {
  const to = (name: string) => ({ [`${name}:call`]: { to: name } });
  const listens = await http();
  rig = await ordersRig({
    clients: [clientOf('web', 'orders:call', 'billing:call', 'stock:call'), clientOf('other')],
    file: { scopes: { ...to('orders'), ...to('billing') }, ...listens },
    prepare: async ({ mesh }) => {
      await mesh.register('billing');
      await mesh.register('stock');
    },
  });
  daemon = await rig.start();
  await isOpen(rig, 'allow');
  const orders = { 'orders:call': { to: 'orders', methods: ['GET'] } };
  expect(await comparePlanWithReload({ scopes: { ...orders, ...to('stock') }, ...listens })).toEqual([
    'created intention/default/default/stock/web MappingChanged',
    'deleted intention/default/default/billing/web MappingChanged',
    `updated ${EDGE} MappingChanged`,
  ]);
});

it('so has a plan of ACL objects', async () => {
  const listens = await http();
  const aclRig = await createAclRig({
    clients: [clientOf('web', 'config:read', 'orders:keys')],
    file: listens,
  });
  rig = aclRig;
  daemon = await rig.start();
  await rig.decided({ type: 'dev.scopemesh.acl-binding-rule.created', outcome: 'applied' });
  const { 'orders:keys': _, ...scopes } = ACL_SCOPES;
  const reasons = await comparePlanWithReload({ scopes, ...listens });
  expect(reasons).toEqual(['updated acl-role/scopemesh-payments-main-web-app MappingChanged']);
  await aclRig.keys.close();
});

it('an edge whose mark somebody took away has one reason in the plan and in the hold', async () => {
  rig = await ordersRig({ file: await http() });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  const { Sources = [] } = (await rig.mesh.entry('orders')) ?? {};
  await rig.mesh.write(
    'orders',
    Sources.map((each) => ({ ...each, Description: 'mine' })),
  );
  await rig.decided({ subject: EDGE, outcome: 'held', reason: 'MarkLost' });
  const { holds } = await plan();
  expect(holds.filter(({ subject }) => subject === EDGE)).toMatchObject([{ reason: 'MarkLost' }]);
});
