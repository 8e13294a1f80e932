import { describe, expect, it } from 'vitest';
import { createScreen } from '../../../src/cli/terminal/screen.js';
import { ACTIVE_CHARACTER, HOSTILE_NAME } from '../../support/hostile-name.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
const OURS = /\u001b\[\d+m|[\n\t]/g;

describe('JSON', () => {
  it.each([
    ['json', true],
    ['jsonLine', true],
    ['json', false],
    ['jsonLine', false],
  ] as const)(
    'contains no control characters with %s and has the same meaning, on a terminal: %s',
    (form, isTTY) => {
      let text = '';
      const write = (part: string) => {
        text += part;
        return true;
      };
      const stdout = { isTTY, write };
      const screen = createScreen({ stdout, stderr: stdout, isInputTerminal: true, noColor: true });
      screen[form]({ name: HOSTILE_NAME });
      expect(text).not.toMatch(ACTIVE_CHARACTER);
      expect(JSON.parse(text)).toEqual({ name: HOSTILE_NAME });
    },
  );
});

it('A line keeps its colours and nothing else that a terminal obeys', () => {
  const lines: string[] = [];
  const output = { isTTY: true, write: (text: string) => lines.push(text) };
  const screen = createScreen({ stdout: output, stderr: output, isInputTerminal: true, noColor: false });
  screen.line(`${screen.colors.red('red')}\tand\n${HOSTILE_NAME}`);
  screen.warn(HOSTILE_NAME);
  const [line = '', warning = ''] = lines;
  expect(line).toContain('\u001b[31mred\u001b[39m\tand\n');
  for (const text of [line, warning]) expect(text.replaceAll(OURS, '')).not.toMatch(ACTIVE_CHARACTER);
});
