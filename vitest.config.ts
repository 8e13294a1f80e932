import { defineConfig } from 'vitest/config';

// With TEST_REPORT=FILE the counts are written there as well, for whoever adds up several suites.
const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    // One more than the default, which leaves a core idle: on two cores that halves the time.
    maxWorkers: '100%',
    reporters: report === undefined ? ['default'] : ['default', 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.stack.test.ts', 'test/e2e/**'],
          testTimeout: 20_000,
          globalSetup: ['test/support/scratch-directory.ts'],
          // No module holds state, so that files may share what they load: a third of the time was loading it anew.
          isolate: false,
        },
      },
      {
        test: {
          name: 'stack',
          include: ['test/**/*.stack.test.ts', 'test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
