import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, loggedIn } from '../support/acl-rig.js';
import { clientOf, type Daemon } from '../support/daemon.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const METHOD = 'scopemesh-payments-main-web-app';

async function start(...scopes: string[]) {
  rig = await createAclRig({ clients: [clientOf('web', ...scopes)] });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  daemon = await rig.start();
  await rig.decided({ subject: `acl-binding-rule/${METHOD}/${METHOD}`, outcome: 'applied' });
  await daemon.idle();
}

describe('a client with an acl rule', () => {
  it('logs in with its token and may do what its scopes say, and nothing else', async () => {
    await start('config:read');
    const token = loggedIn(await rig.login('web-app'));
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    expect(await rig.readKey(token, 'orders/a')).toBe(403);
    expect(await rig.login('other-app')).toBe(403);
  });
});
