import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, onTestFinished } from 'vitest';

/** A new directory, which goes with the test. Call it in a test, or in `beforeEach`. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A directory of its own for each test of a file. */
export function useDirectory(): () => string {
  let directory = '';
  beforeEach(() => {
    directory = newDirectory();
  });
  return () => directory;
}
