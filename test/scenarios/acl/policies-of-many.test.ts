import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { createCommandLine } from '../../support/command-line.js';
import { clientOf } from '../../support/daemon.js';

const cli = createCommandLine();
let rig: AclRig;
afterEach(async () => {
  cli.close();
  await rig.close();
});

interface Found {
  readonly found: readonly { readonly acl: readonly { readonly kind: string; readonly content: object }[] }[];
}

/** The rules of the policies that a client has, by the trail. */
async function rulesOf(client: string): Promise<readonly unknown[]> {
  const config = join(rig.directory, 'scopemesh.yaml');
  const { json } = await cli.run(['-c', config, 'what-can', client, '--json']);
  const { found } = json() as unknown as Found;
  return found
    .flatMap(({ acl }) => acl)
    .flatMap(({ kind, content }) => (kind === 'acl-policy' && 'rules' in content ? content.rules : []));
}

it('a policy that clients share belongs in the trail to every client whose role links it, and to no other', async () => {
  rig = await createAclRig({ clients: [clientOf('web', 'config:read'), clientOf('bot', 'config:read')] });
  const daemon = await rig.start();
  await daemon.idle();
  const rules = [JSON.stringify({ key_prefix: { 'config/': { policy: 'read' } } })];
  const clients = ['web-app', 'bot-app'];
  for (const each of clients) expect(await rulesOf(each)).toEqual(rules);
  const { client } = await rig.decided({ type: 'dev.scopemesh.acl-policy.created' });
  const creator = client?.clientId ?? '';
  const other = clients.find((each) => each !== creator) ?? '';
  rig.idp.put(creator);
  await daemon.tell('client.updated', creator);
  await rig.decided({ type: 'dev.scopemesh.acl-role.deleted' });
  await daemon.idle();
  expect(await rulesOf(creator)).toEqual([]);
  expect(await rulesOf(other)).toEqual(rules);
});
