import { createInterface } from 'node:readline/promises';
import { configError } from '../../errors.js';
import type { Cli } from '../cli.js';
import { flag } from '../command.js';

export const YES = flag('do not ask', 'y');

/** The options that answer the question of a command, or silence it. */
export interface Answers {
  readonly yes?: true | undefined;
  readonly json?: true;
}

/** Whether the person says yes, or said so beforehand. Otherwise it warns of what is left undone, and the exit status is 1. */
export async function agrees(cli: Cli, { yes }: Answers, question: string, undone: string): Promise<boolean> {
  if (yes || (await confirm(cli, question))) return true;
  cli.screen.warn(undone);
  cli.exit(1);
  return false;
}

/**
 * Asks on a terminal; every answer except `yes` means no. Throws ERR_CONFIG with the remedy if there is no terminal.
 */
export async function confirm(cli: Cli, question: string): Promise<boolean> {
  if (!cli.screen.isInteractive)
    throw configError('there is no terminal to ask for confirmation; add --yes to continue without asking');
  const { stdin, stderr } = cli.context;
  stderr.write(`${question} (yes/no) `);
  const lines = createInterface({ input: stdin, terminal: false });
  try {
    return (
      (await new Promise<string>((resolve, reject) => {
        lines.once('line', resolve);
        lines.once('close', () => resolve(''));
        cli.signal.addEventListener('abort', () => reject(cli.signal.reason), { once: true });
      })) === 'yes'
    );
  } finally {
    lines.close();
  }
}
