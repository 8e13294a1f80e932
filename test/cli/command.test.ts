import { Command as Program } from 'commander';
import { expect, it } from 'vitest';
import { z } from 'zod';
import type { Cli } from '../../src/cli/cli.js';
import {
  argument,
  type Command,
  defineCommand,
  defineGroup,
  flag,
  option,
  required,
  severalArguments,
} from '../../src/cli/command.js';

const close = defineCommand({
  name: 'close',
  isDefault: true,
  summary: 'close some doors',
  description: 'Closes doors.',
  takes: {
    house: argument('whose doors'),
    door: severalArguments('the doors', '[...]'),
    forSeconds: option('<number>', 'how long', Number),
    reason: required('<text>', 'why', (text) => text),
    gently: flag('with no noise'),
  },
  json: z.object({ closed: z.array(z.string()), reason: z.string() }),
  exit: '0; 3 if no door is named.',
  examples: ['doors close mine front --reason wind'],
  faultOf: ({ gently, forSeconds }) => (gently && forSeconds === 0 ? 'give it time' : undefined),
  ask: async ({ house, door, reason }) => ({ closed: door.map((each) => `${house}/${each}`), reason }),
  print: ({ closed }, { screen }, { gently }) => screen.line(`${closed.join()} ${gently ?? 'loudly'}`),
  status: ({ closed }) => (closed.length === 0 ? 3 : 0),
});

async function run(command: Command, ...words: readonly string[]) {
  const said: unknown[] = [];
  const program = new Program('test').exitOverride();
  const keep = (text: string) => void said.push(text);
  program.configureOutput({ writeOut: keep, writeErr: keep, getOutHelpWidth: () => 100 });
  const screen = { line: keep, json: (document: unknown) => void said.push(document) };
  const cli = { screen, exit: (status: number) => void said.push(status) } as unknown as Cli;
  command.add(program, cli);
  await program.parseAsync(['node', 'test', ...words]).catch((error: unknown) => said.push(error));
  return said;
}

it('a command takes what it declares, and prints its document as text or JSON', async () => {
  expect(await run(close, 'close', 'mine', 'front', 'back', '--reason', 'wind', '--gently')).toEqual([
    'mine/front,mine/back true',
    0,
  ]);
  expect(await run(close, 'close', 'mine', '--reason', 'wind', '--json')).toEqual([
    { closed: [], reason: 'wind' },
    3,
  ]);
});

it('a command refuses parameters that do not fit together', async () => {
  const words = ['close', 'mine', '--reason', 'wind', '--gently', '--for-seconds', '0'];
  expect(await run(close, ...words)).toEqual([
    'error: give it time\n',
    expect.objectContaining({ exitCode: 1 }),
  ]);
  expect(await run(close, 'close', 'mine')).toContainEqual(
    "error: required option '--reason <text>' not specified\n",
  );
});

it('the help of a command follows from its declaration', async () => {
  expect((await run(close, 'close', '--help'))[0]).toBe(`Usage: test close [options] <house> [door...]

Closes doors.

Arguments:
  house                   whose doors
  door                    the doors

Options:
  --for-seconds <number>  how long
  --reason <text>         why
  --gently                with no noise
  --json                  print one JSON document: closed and reason
  -h, --help              display help for command
`);
});

it('a group asks its default command', async () => {
  const doors = defineGroup('doors', { summary: 'doors', description: 'Doors.' }, [close]);
  expect(await run(doors, 'doors', 'mine', 'front', '--reason', 'wind')).toEqual(['mine/front loudly', 0]);
});
