import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RelayChildSettings } from './relay-child.js';

const CHILD = fileURLToPath(new URL('./relay-child.ts', import.meta.url));

/**
 * Runs the relay in one process after the other, each killing itself at the given step of its own (before, after or
 * in the middle of it, in turn), and then once to the end. Throws if one ends in another way.
 */
export async function relayWithCrashes(
  settings: RelayChildSettings,
  steps: readonly number[],
): Promise<void> {
  for (const [at, step] of steps.entries()) {
    const when = at % 3 === 0 ? 'after' : at % 3 === 1 ? (at * 5) % 17 : 'before';
    const outcome = await runChild({ ...settings, death: { step, when } });
    if (outcome !== 'SIGKILL' && outcome !== 0) throw new Error(`the relay ended with ${outcome}`);
  }
  const outcome = await runChild(settings);
  if (outcome !== 0) throw new Error(`the last relay ended with ${outcome}`);
}

/**
 * Runs the relay in one process after the other, each killed from outside so many milliseconds after it began, and then
 * once to the end. Resolves with the number of processes that were killed before their end.
 */
export async function relayWithKills(
  settings: RelayChildSettings,
  instantsMs: readonly number[],
): Promise<number> {
  let killed = 0;
  for (const ms of instantsMs) {
    const outcome = await runChild(settings, ms);
    if (outcome === 'SIGKILL') killed++;
    else if (outcome !== 0) throw new Error(`the relay ended with ${outcome}`);
  }
  const outcome = await runChild(settings);
  if (outcome !== 0) throw new Error(`the last relay ended with ${outcome}`);
  return killed;
}

async function runChild(settings: RelayChildSettings, killAfterMs?: number): Promise<number | string> {
  const args = ['--import', 'tsx', CHILD, JSON.stringify(settings)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (killAfterMs !== undefined)
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfterMs));
  const [code, signal]: (number | string | null)[] = await once(child, 'exit');
  return signal ?? code ?? 'unknown';
}
