import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// For `npm run mutate`: only the tests of what is mutated. Other tests read the sources as text or start servers.
export default defineConfig({
  resolve: {
    alias: [
      {
        find: /^fast-check$/,
        replacement: fileURLToPath(new URL('./test/support/few-runs.ts', import.meta.url)),
      },
    ],
  },
  test: {
    include: [
      'test/{plan,acl,proposal,state,apply,reconcile,operator,lease,decisions}/**/*.test.ts',
      'test/conformance/{lease-embedded,store-embedded,trail-embedded}.test.ts',
      'test/daemon/mapping-agreement.test.ts',
      'test/http-exchange.test.ts',
      'test/scenarios/crashes/{one-edge,many-edges,jwt-providers}.test.ts',
      'test/scenarios/{access/jwt-provider-histories,acl/random-worlds,orders/sessions}.test.ts',
    ],
    // `operations` counts in a process of its own, which no mutant reaches.
    exclude: ['test/**/*.stack.test.ts', 'test/state/world-state/operations.test.ts'],
    // These measure a time, which takes seconds, and a mutant of what they measure shows elsewhere.
    testNamePattern: /^(?!.*ten thousand (clients and fifty rules|services with eight thousand entries))/,
    // Only for what never ends: a mutant that loops is found by its count of hits.
    testTimeout: 120_000,
    isolate: false,
  },
});
