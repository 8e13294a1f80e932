import { describe, it } from 'vitest';
import { startMesh } from '../../support/mesh.js';
import { runsOf } from '../../support/soak.js';
import { holdOverRandomWorlds } from './random-worlds.js';

describe.each(['1.14.11', '1.16.1'])(
  'over random worlds of clients, people, scopes, services and tokens, on a Consul %s',
  (version) => {
    it('planning again after an apply gives nothing', { timeout: 120_000 }, async () => {
      const mesh = await startMesh(version);
      try {
        const { address, managementToken } = mesh.consul;
        const { numRuns } = runsOf(10, 4);
        await holdOverRandomWorlds({ address, managementToken, request: mesh.request }, numRuns);
      } finally {
        await mesh.consul.close();
      }
    });
  },
);
