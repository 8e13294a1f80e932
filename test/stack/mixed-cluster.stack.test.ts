import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createCommandLine } from '../support/command-line.js';
import { startKeySetServer } from '../support/key-set-server.js';
import { startConsul } from './consul.js';
import { isInstalled } from './installed.js';
import { freePorts } from './ports.js';

const NEWER = 'consul-1.16';

describe.skipIf(!isInstalled(NEWER))(
  `a cluster during its upgrade from Consul 1.14 to 1.16.1 (install.sh ${NEWER})`,
  () => {
    it('opens what needs no user, and holds what needs one, whichever server is asked', async () => {
      const serfPorts = await freePorts(2);
      const managementToken = randomUUID();
      const idp = await startKeySetServer();
      onTestFinished(() => idp.close());
      const servers = await Promise.all(
        serfPorts.map((serfPort, at) =>
          startConsul({
            managementToken,
            cluster: { serfPort, serfPorts },
            ...(at === 0 ? {} : { version: NEWER }),
          }),
        ),
      );
      for (const server of servers) onTestFinished(() => server.stop());
      const [older] = servers;
      await older?.request('PUT', '/v1/config', {
        Kind: 'service-defaults',
        Name: 'orders',
        Protocol: 'http',
      });
      for (const Service of [
        { Service: 'web', Port: 1, Meta: { 'oauth-client-id': 'web-app' } },
        { Service: 'orders', Port: 2 },
      ])
        await older?.request('PUT', '/v1/catalog/register', { Node: 'n', Address: '10.0.0.1', Service });
      const held: string[] = [];
      for (const { httpAddress } of servers) {
        const cli = createCommandLine({ consul: { address: httpAddress, managementToken } });
        onTestFinished(() => cli.close());
        const directory = join(cli.directory, 'clients.json');
        cli.configure({
          providers: [{ name: 'main', kind: 'oidc', issuer: idp.address, directory, userAudience: 'calls' }],
          scopes: {
            'orders:read': { to: 'orders', user: 'required' },
            'orders:run': { to: 'orders', path: '/run' },
          },
        });
        const attributes = { 'consul-services': 'web' };
        cli.idp({ clientId: 'web-app', scopes: ['orders:read', 'orders:run'], attributes });
        const { out } = await cli.run(['plan']);
        expect(out).toContain('1 to open, 0 to change, 0 to close, 1 held');
        expect(out).toContain('+ web  any method /run and below');
        held.push(/UserTokenUnenforceable: (.*);/.exec(out)?.[1] ?? '');
      }
      expect(held).toEqual([
        expect.stringContaining('this version of Consul cannot require a user token'),
        expect.stringContaining('would let calls through without a token'),
      ]);
    });
  },
);
