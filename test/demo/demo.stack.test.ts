import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { installed } from '../stack/installed.js';
import { type DemoProcess, startDemo } from './demo-process.js';

const READY = z.object({
  consul: z.url(),
  consulKind: z.string(),
  consulManagementToken: z.string(),
  idp: z.url(),
  idpManagementToken: z.string(),
  callers: z.record(z.string(), z.url()),
});

let demo: DemoProcess | undefined;
afterEach(() => demo?.stop('SIGKILL'));

describe('scopemesh demo with a consul on the PATH', () => {
  it('runs it with the same access, and stops it at the end', async () => {
    const binary = await installed('consul');
    demo = startDemo(['--json'], { isEmbedded: false, environment: { PATH: dirname(binary) } });
    await demo.until((stdout) => stdout.includes('\n'));
    const ready = READY.parse(JSON.parse(demo.stdout));
    expect(ready.consulKind).toBe(binary);

    const place = () => fetch(`${ready.callers.web}/orders/v1/orders`, { method: 'POST' });
    expect((await fetch(`${ready.callers.web}/orders/v1/orders`)).status).toBe(200);
    expect((await place()).status).toBe(403);
    await fetch(`${ready.idp}/clients/web-app/scopes/orders:write`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ready.idpManagementToken}` },
    });
    await expect.poll(async () => (await place()).status, { timeout: 5_000 }).toBe(200);

    expect(demo.stderr).toBe('');
    const { status, tookMs } = await demo.stop('SIGINT');
    expect(status).toBe(0);
    expect(tookMs).toBeLessThan(2_000);
    await expect(fetch(`${ready.consul}/v1/status/leader`)).rejects.toThrow();
  });
});
