import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILT } from '../e2e/scopemesh.js';
import { installed } from '../stack/installed.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { blocks, ROOT, textOf } from './manual.js';
import { runLines } from './run-lines.js';

/** Of the lines of one page; only for what never ends. */
const MAX_MS = 100_000;

/** The blocks for a shell of a page in `docs/how-to`. */
export const linesOf = (page: string): string[] => blocks(textOf(`docs/how-to/${page}`), 'sh');

export interface LinesShell {
  /** In which the lines run. Programs in its folder `bin` come before those of the system. */
  readonly cwd: string;
  /**
   * What the lines print. Each text of `replaced` takes the place of its key, which the lines must have: a line of the manual
   * has an ID or a path of its own.
   */
  run(lines: string | undefined, replaced?: Readonly<Record<string, string>>): Promise<string>;
  /** What the last lines wrote on stderr. */
  stderr(): Promise<string>;
  close(): Promise<void>;
}

/** A shell whose `scopemesh` is the built one, with the address of a Consul. */
export async function createLinesShell(options: {
  readonly consul: { readonly address: string; readonly managementToken: string };
  readonly configFile: string;
  /** Whether the lines have `consul`, which may have to be installed. */
  readonly withConsul?: boolean;
}): Promise<LinesShell> {
  const cwd = await createRunDirectory('lines-shell');
  const bin = join(cwd, 'bin');
  await mkdir(bin);
  const program = (name: string, text: string) =>
    writeFile(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await program('scopemesh', `exec "${process.execPath}" "${BUILT}" "$@"`);
  // Stand-ins: sudo stays the present user, and the container of docker is the folder of the package.
  await program('sudo', 'exec "$@"');
  await program('docker', `[ "$1 $2" = "exec scopemesh" ] && shift 2 && cd "${ROOT}" && exec "$@"`);
  if (options.withConsul === true) await symlink(await installed('consul'), join(bin, 'consul'));
  const environment = {
    SCOPEMESH_CONFIG: options.configFile,
    CONSUL_HTTP_ADDR: options.consul.address,
    CONSUL_HTTP_TOKEN: options.consul.managementToken,
  };
  const exported = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
  return {
    cwd,
    async run(lines = '', replaced = {}) {
      let text = lines;
      for (const [key, value] of Object.entries(replaced)) {
        if (!text.includes(key)) throw new Error(`the lines have no ${key}: ${lines}`);
        text = text.replaceAll(key, value);
      }
      if (text.trim() === '') throw new Error('the page has no such lines');
      await rm(join(cwd, 'stdout'), { force: true });
      const all = `export PATH="$PWD/bin:$PATH"\n${exported.join('')}${text}`;
      return runLines(all, cwd, AbortSignal.timeout(MAX_MS));
    },
    stderr: () => readFile(join(cwd, 'stderr'), 'utf8'),
    close: () => removeRunDirectory(cwd),
  };
}
