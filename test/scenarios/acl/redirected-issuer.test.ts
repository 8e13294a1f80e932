import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { createCommandLine } from '../../support/command-line.js';
import { clientOf, type Daemon } from '../../support/daemon.js';
import { until } from '../../support/until.js';

const cli = createCommandLine();
let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());
afterAll(() => cli.close());

const METHOD = 'acl-auth-method/scopemesh-payments-main-web-app';
const HELD = { subject: METHOD, reason: 'LoginUnverifiable', outcome: 'held' } as const;

async function start(health: 'well' | 'redirecting', ...scopes: string[]): Promise<void> {
  rig = await createAclRig({ clients: [clientOf('web', ...scopes)], provider: { fullRead: '1s' } });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  rig.keys.setHealth(health);
  daemon = await rig.start();
}

const made = () => rig.decided({ type: 'dev.scopemesh.acl-binding-rule.created', outcome: 'applied' });

async function plan() {
  const { json } = await cli.run(['-c', join(rig.directory, 'scopemesh.yaml'), 'plan', '--json']);
  const { changes, holds } = json() as unknown as Record<'changes' | 'holds', { reason: string }[]>;
  return { changes, holds: holds.map(({ reason }) => reason) };
}

it('an issuer whose discovery document redirects gets no auth method, until it redirects no more', async () => {
  await start('redirecting', 'config:read');
  await rig.decided(HELD);
  expect(await rig.objects('auth-methods')).toEqual([]);
  expect(await plan()).toEqual({ changes: [], holds: ['LoginUnverifiable'] });
  expect(rig.logs.filter((line) => line.includes('no login of this provider is made'))).toHaveLength(1);
  rig.keys.setHealth('well');
  await made();
  await until('the hold is over', async () => (await daemon.status()).holds.length === 0);
});

it('what exists by such an issuer stays and may lose, and gains nothing', async () => {
  await start('well', 'config:read');
  await made();
  const token = loggedIn(await rig.login('web-app'));
  rig.keys.setHealth('redirecting');
  await until('the log says so', () =>
    rig.logs.some((line) => line.includes('no login of this provider is made')),
  );
  rig.idp.put('web-app', 'config:read', 'orders:keys');
  await daemon.tell('client.updated', 'web-app');
  await rig.decided(HELD);
  expect(await plan()).toEqual({ changes: [], holds: ['LoginUnverifiable'] });
  expect(await rig.readKey(token, 'config/a')).toBe(200);
  rig.idp.put('web-app');
  await daemon.tell('client.updated', 'web-app');
  await rig.decided({ type: 'dev.scopemesh.acl-role.deleted', reason: 'ScopeRevoked' });
  expect(await rig.readKey(token, 'config/a')).toBe(403);
});
