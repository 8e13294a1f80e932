import { createProgram } from '../src/cli/program.js';
import { adapters } from '../workers/wire.js';

/** The chapters of `docs/reference/command-line.md`, each with its commands in their order. */
export const COMMAND_CHAPTERS: readonly {
  readonly title: string;
  readonly commands: readonly string[];
}[] = [
  {
    title: 'Run scopemesh',
    commands: ['run', 'console', 'plan', 'apply', 'backup', 'demo', 'completion'],
  },
  {
    title: 'Set scopemesh up, and leave it',
    commands: ['validate', 'test', 'doctor', 'providers', 'tokens', 'import', 'trial', 'adopt', 'eject'],
  },
  {
    title: 'Ask who may call whom',
    commands: ['explain', 'who-can-call', 'what-can', 'blast-radius', 'logs'],
  },
  {
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
export const COMMANDS: readonly string[] = COMMAND_CHAPTERS.flatMap(({ commands }) => commands);

/** Wide enough for every line: what is wrapped could not be read again. */
const COLUMNS = 1_000;

/** What `scopemesh COMMAND --help` prints, in long lines; of the program itself for an empty command. */
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

/** A command in a line of the manual: its parameters, what it does and its exit statuses, as its help says them. */
export async function commandLine(command: string): Promise<string> {
  const words = command.split(' ');
  const [help, above] = await Promise.all([helpOf(command), helpOf(words.slice(0, -1).join(' '))]);
  const usage = /^Usage: (.*)$/m.exec(help)?.[1]?.replace(/ \[(options|command)\]/g, '') ?? '';
  const summary = new RegExp(`^ {2}${words.at(-1)}(?: [^ ]+)* {2,}(.+)$`, 'm').exec(above)?.[1] ?? '';
  const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+(?: <[^>]+>| \[[^\]]+\])?)/gm)].map(
    ([, flag]) => flag,
  );
  const options = flags.filter((flag) => flag !== '--help').map((flag) => `\`${flag}\``);
  const exit = /^Exit status: ([\s\S]*?)(?:\n\n|$(?![\s\S]))/m.exec(help)?.[1]?.replaceAll(/\s+/g, ' ');
  return [
    `\`${usage}\`: ${summary}.`,
    ...(options.length === 0 ? [] : [`Options: ${options.join(', ')}.`]),
    ...(exit === undefined ? [] : [`Exit status: ${exit.replace(/\.$/, '')}.`]),
  ].join(' ');
}
