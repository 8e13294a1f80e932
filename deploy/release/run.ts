import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What was looked at, and whether it is as it should be. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What a program printed; throws with all that it said if it fails. */
export function run(command: string, args: readonly string[], options: SpawnSyncOptions = {}): string {
  const result = spawnSync(command, [...args], { ...options, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (result.status === 0) return result.stdout;
  const said = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-12).join('\n');
  const how = result.status ?? result.signal ?? result.error?.message;
  throw new Error(`${command} ${args[0] ?? ''} failed (${how})\n${said}`);
}

/** `look` returns what it saw, or throws. */
export async function check(name: string, look: () => unknown): Promise<Check> {
  try {
    return { name, ok: true, detail: String((await look()) ?? '') };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

export function expectThat(isTrue: boolean, text: string): void {
  if (!isTrue) throw new Error(text);
}

/** The first of these programs that is on the PATH. */
export function programOnPath(...names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.find((name) => folders.some((folder) => isExecutable(join(folder, name))));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
