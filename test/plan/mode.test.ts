import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { policyOf } from '../../src/plan/mode.js';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));
/** A comparison of a mode with one of its names. */
const COMPARISON = /\bmode\b\)? *[!=]== *'(observe|extend|enforce)'/;

test('only `enforce` removes anything, and `observe` writes nothing', () => {
  expect(policyOf({ mode: 'enforce' })).toEqual({ writes: true, plansNarrowing: true, removes: true });
  expect(policyOf({ mode: 'extend' })).toEqual({ writes: true, plansNarrowing: false, removes: false });
  expect(policyOf({ mode: 'observe' })).toEqual({ writes: false, plansNarrowing: true, removes: false });
});

test('nothing but the trial, which is about the mode itself, asks which mode it is', () => {
  const asking = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && COMPARISON.test(readFileSync(join(SOURCES, file), 'utf8')),
  );
  expect(asking).toEqual([join('cli', 'commands', 'trial.ts')]);
});
