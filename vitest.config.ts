import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { SpecReporter } from './test/docs/spec-reporter.js';
import { LongestFirst } from './test/stack/longest-first.js';

// With TEST_REPORT=FILE the results are also written there, so that several suites can be added up.
const report = process.env.TEST_REPORT;

/** Real servers, one file after the other: these measure times or compare an order. */
const alone = [
  'test/e2e/{adverse,break-glass,freeze,history,latency,login,many-tokens,people-login,replicas,replicas-chaos,takeover}.test.ts',
  'test/conformance/store-bullmq-outage.stack.test.ts',
];
const servers = {
  testTimeout: 120_000,
  hookTimeout: 300_000,
  globalSetup: ['test/stack/keycloak-of-run.ts'],
};

/** On Node alone. */
const embedded = {
  // Only for what never ends: a busy machine may be ten times slower.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { interval: 10, timeout: 45_000 } },
  globalSetup: ['test/support/scratch-directory.ts'],
  // No module holds state, so files share what they load. Loading it again took a third of the time.
  isolate: false,
};
/** Whole daemons and programs, and one suite for each port: they need seconds where the unit tests need milliseconds. */
const scenarios = [
  'test/{scenarios,demo,conformance,daemon,workers}/**/*.test.ts',
  'test/cli/{commands,doctor,program}/**/*.test.ts',
  'test/cli/{known-names,unrecorded-edges,with-trail}.test.ts',
  'test/decisions/verify-trail/every-bit.test.ts',
];

export default defineConfig({
  test: {
    // A server may take its time to stop.
    teardownTimeout: 30_000,
    // More than cores, as many tests wait for a timer or another process while they run.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    reporters: ['default', new SpecReporter(), ...(report === undefined ? [] : ['json'])],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
    sequence: { sequencer: LongestFirst },
    // A second run need not compile what has not changed.
    experimental: { fsModuleCache: true },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.stack.test.ts', 'test/e2e/**', 'test/browser/**', ...scenarios],
          ...embedded,
        },
      },
      {
        test: {
          name: 'scenarios',
          include: scenarios,
          exclude: ['test/**/*.stack.test.ts'],
          ...embedded,
        },
      },
      {
        test: {
          name: 'console',
          include: ['test/browser/**/*.test.ts'],
          ...servers,
          globalSetup: [],
        },
      },
      {
        test: {
          name: 'servers',
          include: ['test/**/*.stack.test.ts', 'test/e2e/**/*.test.ts'],
          exclude: alone,
          ...servers,
          // Each file starts servers of its own, and waits for them most of the time.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'stack',
          include: alone,
          ...servers,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
