import { beforeEach, describe, expect, it } from 'vitest';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import type { CommandLine } from '../../support/command-line.js';
import { startIdp } from '../../support/idp.js';
import { openCommandLine } from '../../support/open-command-line.js';

let cli: CommandLine;

beforeEach(async () => {
  ({ cli } = await openCommandLine());
  cli.idp();
});

const DOCTOR = 'Run scopemesh doctor: it checks each server and says how to fix what it finds.\n';

describe('an error about a server names it once, with the configuration key and the remedy', () => {
  const providerAt = (directory: string, directoryToken?: string) =>
    cli.configure({
      providers: [{ name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory, directoryToken }],
    });

  it('Consul cannot be reached', async () => {
    cli.configure({ consul: { address: 'http://127.0.0.1:9' } });
    const { status, err } = await cli.run(['plan']);
    expect(status).toBe(1);
    expect(err).toMatch(
      /^scopemesh: Consul \S+: http:\/\/127\.0\.0\.1:9 cannot be reached \(\w+\); check that Consul runs there and that consul\.address is correct\n/,
    );
    expect(err).toContain(DOCTOR);
  });

  it('an identity provider cannot be reached', async () => {
    providerAt('http://127.0.0.1:9/directory');
    const { err } = await cli.run(['plan']);
    expect(err).toMatch(
      /^scopemesh: provider main, http:\/\/127\.0\.0\.1:9\/directory: cannot be reached \(\w+\); check that it runs, and that directory of this provider is correct\n/,
    );
    expect(err).toContain(DOCTOR);
  });

  it('a directory refuses the credentials, which doctor reports once', async () => {
    const idp = await startIdp({ single: true, now: Date.now });
    idp.fault = () => ({ status: 401, json: {} });
    try {
      providerAt(idp.url);
      expect((await cli.run(['plan'])).err).toBe(
        `scopemesh: provider main, ${idp.url}: answered 401: the credentials are refused; set directoryToken\n${DOCTOR}`,
      );
      providerAt(idp.url, 'wrong');
      expect((await cli.run(['plan'])).err).toContain('set a valid directoryToken');
      const { out } = await cli.run(['doctor']);
      expect(out.split('answered 401').length - 1).toBe(1);
      expect(out).toContain(`provider main cannot be read: ${idp.url}: answered 401`);
      expect(out).not.toContain('grant GET');
    } finally {
      await idp.close();
    }
  });

  it('another program listens at http.listen', async () => {
    const other = createHttpServer();
    await other.listen({ host: '127.0.0.1', port: 0 });
    const { port } = Object(other.server.address());
    try {
      cli.configure({ http: { listen: `127.0.0.1:${port}` } });
      expect(await cli.run(['run'])).toMatchObject({
        status: 1,
        err: expect.stringContaining(
          `scopemesh: http.listen 127.0.0.1:${port} is already in use; stop the program that listens there, or set another http.listen\n`,
        ),
      });
    } finally {
      await other.close();
    }
  });

  it('http.listen is not an address of this machine', async () => {
    cli.configure({ http: { listen: '192.0.2.1:8080' } });
    expect((await cli.run(['run'])).err).toContain(
      'http.listen 192.0.2.1:8080 is not an address of this machine; set another http.listen',
    );
  });
});
