import { afterEach, beforeEach } from 'vitest';
import type { Directory } from '../../../src/identity/directory.js';
import { type Entra, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';

const signal = new AbortController().signal;

/** For each test a tenant with these APIs (their scopes and roles), and the directory that reads the first of them. */
export function useTenant(...apis: readonly Parameters<Entra['addApi']>[]) {
  let entra: Entra;
  let directory: Directory;
  beforeEach(async () => {
    entra = await startEntra();
    for (const api of apis) entra.addApi(...api);
    directory = partsOf(entra, ['orders']).directory;
  });
  afterEach(async () => {
    await directory.close();
    await entra.close();
  });
  return {
    get entra() {
      return entra;
    },
    get directory() {
      return directory;
    },
    /** The client as a complete read and as a single read shows it. */
    amongAll: async (name: string) => {
      const { clients } = await directory.readAll(signal);
      return clients.find(({ clientId }) => clientId === guidOf(name));
    },
    alone: (name: string) => directory.read('clientId', guidOf(name), signal),
  };
}
