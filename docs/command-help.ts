import { createProgram } from '../src/cli/program.js';
import { adapters } from '../workers/wire.js';

/** The pages of `docs/reference/command-line`, each with its commands in their order. */
export const COMMAND_PAGES: readonly {
  readonly page: string;
  readonly title: string;
  readonly commands: readonly string[];
}[] = [
  {
    page: 'run',
    title: 'Run scopemesh',
    commands: ['run', 'console', 'plan', 'apply', 'backup', 'demo', 'completion'],
  },
  {
    page: 'set-up',
    title: 'Set scopemesh up, and leave it',
    commands: ['validate', 'test', 'doctor', 'providers', 'tokens', 'import', 'trial', 'adopt', 'eject'],
  },
  {
    page: 'ask',
    title: 'Ask who may call whom',
    commands: ['explain', 'who-can-call', 'what-can', 'blast-radius', 'logs'],
  },
  {
    page: 'control',
    title: 'Rule on changes',
    commands: [
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
      'quarantine',
      'deny',
      'parked',
      'parked list',
      'parked retry',
      'parked drop',
    ],
  },
  {
    page: 'decisions',
    title: 'Read and prove decisions',
    commands: [
      'decisions',
      'decisions list',
      'decisions tail',
      'decisions verify',
      'decisions prove',
      'decisions checkpoint',
      'decisions export',
      'history',
      'access',
      'access diff',
      'evidence',
      'webhooks',
      'webhooks list',
      'webhooks skip',
      'webhooks test',
    ],
  },
];

/** Every command whose help the manual shows. */
export const COMMANDS: readonly string[] = COMMAND_PAGES.flatMap(({ commands }) => commands);

/** As wide as the text of the manual. */
const COLUMNS = 110;

/** What `scopemesh COMMAND --help` prints; of the program itself for an empty command. */
export async function helpOf(command: string): Promise<string> {
  const written: string[] = [];
  const stdout = { columns: COLUMNS, write: (text: string) => written.push(text) > 0 };
  const program = createProgram({
    adapters: async () => adapters,
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
