import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { blocks, ROOT, textOf } from './manual.js';

const PAGE = textOf('docs/how-to/share-consul-with-other-tools.md');

let consul: ConsulHandle;
beforeAll(async () => {
  consul = await startConsul();
});
afterAll(() => consul?.stop());

/** One line of a shell in which `consul` is the one under test. */
function shell(script: string): Promise<{ readonly status: number; readonly text: string }> {
  const env = {
    ...process.env,
    CONSUL: consul.binary,
    CONSUL_HTTP_ADDR: consul.httpAddress,
    CONSUL_HTTP_TOKEN: consul.managementToken,
  };
  const defined = `set -o pipefail; consul() { "$CONSUL" "$@"; }; ${script}`;
  return new Promise((resolve) => {
    execFile('bash', ['-c', defined], { env, timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), text: `${stdout}${stderr}` }),
    );
  });
}

const OURS = { Name: 'web', Action: 'allow', Description: 'scopemesh:payments client=main/web-app' };
const writeOurs = (destination: string) =>
  consul.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: destination,
    Sources: [OURS],
  });
const entryOf = (destination: string) =>
  consul.request('GET', `/v1/config/service-intentions/${destination}`);

describe('what the manual says about the tools of Consul', () => {
  it('is what its command line and its UI do to an entry that scopemesh wrote', async () => {
    await writeOurs('orders');
    const created = await shell('consul intention create -allow other orders');
    expect(created.status).not.toBe(0);
    const [, refusal = ''] = /(cannot use legacy .*? config entry)/s.exec(created.text) ?? [];
    expect(refusal).not.toBe('');
    expect(PAGE.replaceAll(/\s+/g, ' ')).toContain(refusal);
    expect((await shell('consul intention create -replace -deny web orders')).status).not.toBe(0);

    await consul.request('PUT', '/v1/connect/intentions/exact?source=third&destination=orders', {
      Action: 'allow',
    });
    expect(await entryOf('orders')).toMatchObject({ Sources: [OURS, { Name: 'third' }] });
    expect((await shell('consul intention list')).text).toMatch(/third\s+allow\s+orders/);
    expect((await shell('consul intention check third orders')).text).toContain('Allowed');
    expect((await shell('consul intention delete third orders')).status).toBe(0);
    expect(await entryOf('orders')).toMatchObject({ Sources: [OURS] });
  });

  it('turns an entry of the old API into one that can be written back', async () => {
    expect((await shell('consul intention create -allow old archive')).status).toBe(0);
    expect(await entryOf('archive')).toMatchObject({ Sources: [{ LegacyID: expect.any(String) }] });
    const [script = ''] = blocks(PAGE, 'sh');
    expect(await shell(script.replaceAll('orders', 'archive'))).toMatchObject({ status: 0 });
    const entry = await entryOf('archive');
    expect(entry).toMatchObject({ Sources: [{ Name: 'old', Action: 'allow' }] });
    expect(JSON.stringify(entry)).not.toContain('Legacy');
  });
});

describe('what the manual says about the token of Consul', () => {
  it('lets the rule for one service keep a stolen token, and a faulty mapping, out of it', async () => {
    const page = textOf('docs/how-to/give-scopemesh-a-consul-token.md').replaceAll(/\s+/g, ' ');
    const [, exception = ''] = /`(service "vault" \{[^`]*\})`/.exec(page) ?? [];
    const least = readFileSync(`${ROOT}deploy/consul-policy.hcl`, 'utf8');
    const rules = `${least}\n${exception}`;
    await consul.request('PUT', '/v1/acl/policy', { Name: 'scopemesh', Rules: rules });
    const made = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: 'scopemesh' }] });
    const { SecretID } = Object(made);
    await writeOurs('vault');
    const as = { headers: { 'x-consul-token': String(SecretID) } };
    const write = (destination: string) =>
      fetch(`${consul.httpAddress}/v1/config`, {
        ...as,
        method: 'PUT',
        body: JSON.stringify({ Kind: 'service-intentions', Name: destination, Sources: [OURS] }),
      });
    expect((await write('orders')).status).toBe(200);
    expect((await write('vault')).status).toBe(403);
    // And all that is needed can still be read.
    const list = await fetch(`${consul.httpAddress}/v1/config/service-intentions`, as);
    expect(list.headers.get('x-consul-results-filtered-by-acls')).not.toBe('true');
    expect(JSON.stringify(await list.json())).toContain('"vault"');
  });
});
