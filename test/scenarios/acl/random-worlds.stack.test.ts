import { describe, it } from 'vitest';
import { startConsul } from '../../stack/consul.js';
import { holdOverRandomWorlds } from './random-worlds.js';

describe('over random worlds, on a real Consul', () => {
  it('planning again after an apply gives nothing', { timeout: 120_000 }, async () => {
    const consul = await startConsul();
    try {
      const { httpAddress: address, managementToken } = consul;
      const request = (method: string, path: string, body?: unknown) => consul.request(method, path, body);
      await holdOverRandomWorlds({ address, managementToken, request }, 8);
    } finally {
      await consul.stop();
    }
  });
});
