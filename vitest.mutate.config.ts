import { defineConfig } from 'vitest/config';

// For `npm run mutate`: only the tests of what is mutated. Other tests read the sources as text or start servers.
// `npm run mutate -- --mutate src/plan/precedence.ts` mutates one file.
export default defineConfig({
  test: {
    include: ['test/{plan,state,apply}/**/*.test.ts'],
    exclude: ['test/**/*.stack.test.ts'],
    testTimeout: 20_000,
    isolate: false,
  },
});
