import { createProgram } from '../src/cli/program.js';
import { parts } from '../workers/wire.js';

/** Every command whose help the manual shows, in its order. */
export const COMMANDS: readonly string[] = [
  'run',
  'plan',
  'apply',
  'explain',
  'who-can-call',
  'what-can',
  'blast-radius',
  'history',
  'access',
  'access diff',
  'evidence',
  'logs',
  'reach',
  'validate',
  'test',
  'doctor',
  'import',
  'trial',
  'adopt',
  'eject',
  'approve',
  'reject',
  'freeze',
  'freeze status',
  'freeze start',
  'freeze end',
  'grant',
  'grant open',
  'grant list',
  'grant end',
  'parked',
  'parked list',
  'parked retry',
  'parked drop',
  'tokens',
  'providers',
  'decisions',
  'decisions list',
  'decisions tail',
  'decisions verify',
  'decisions prove',
  'decisions checkpoint',
  'decisions export',
  'webhooks',
  'webhooks list',
  'webhooks retry',
  'webhooks drop',
  'webhooks test',
  'demo',
  'completion',
];

/** As wide as the text of the manual. */
const COLUMNS = 110;

/** What `scopemesh COMMAND --help` prints; of the program itself for an empty command. */
export async function helpOf(command: string): Promise<string> {
  const written: string[] = [];
  const stdout = { columns: COLUMNS, write: (text: string) => written.push(text) > 0 };
  const program = createProgram({
    parts,
    runDaemon: async () => {},
    signal: new AbortController().signal,
    environment: {},
    onReload: () => {},
    stdout,
    stderr: stdout,
    stdin: process.stdin,
    user: '',
  });
  const words = command === '' ? [] : command.split(' ');
  await program.run(['node', 'scopemesh', ...words, '--help']);
  return written.join('').trimEnd();
}
