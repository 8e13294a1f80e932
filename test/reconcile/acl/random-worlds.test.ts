import { describe, it } from 'vitest';
import { startMesh } from '../../support/mesh.js';
import { holdOverRandomWorlds } from './random-worlds.js';

describe('over random worlds of clients, scopes, services and tokens', () => {
  it('planning again after an apply gives nothing', { timeout: 120_000 }, async () => {
    const mesh = await startMesh();
    try {
      const { address, managementToken } = mesh.consul;
      await holdOverRandomWorlds({ address, managementToken, request: mesh.request }, 12);
    } finally {
      await mesh.consul.close();
    }
  });
});
