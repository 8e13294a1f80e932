import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/cli/logger.js';
import { createScreen } from '../../src/cli/terminal/screen.js';

// Names as a hostile client or service may have them: escape sequences in seven and eight bits, text that runs
// backwards, a line that is none.
const HOSTILE = 'a\u001b[2J\u009b2J\u202e\u2028\u007f\u{e0041}b';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}/u;

describe('a log on a terminal', () => {
  it('shows hostile names without obeying them', async () => {
    const lines: string[] = [];
    const logger = createLogger({
      level: 'info',
      isTerminal: true,
      colour: false,
      destination: { write: (line) => void lines.push(line) },
    });
    logger.warn({ clientId: HOSTILE, name: HOSTILE, caller: HOSTILE }, 'constant');
    await expect.poll(() => lines.join('')).toContain('clientId');
    expect(lines.join('')).toContain('constant');
    expect(lines.join('')).not.toMatch(ACTIVE);
  });

  it('keeps its colours', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const logger = createLogger({ level: 'info', isTerminal: true, colour: true, destination });
    logger.warn({}, 'constant');
    await expect.poll(() => lines.join('')).toContain('\u001b[33mWARN');
  });
});

describe('JSON on a terminal', () => {
  it.each(['json', 'jsonLine'] as const)(
    'contains no control characters with %s and has the same meaning',
    (form) => {
      let text = '';
      const write = (part: string) => {
        text += part;
        return true;
      };
      const stdout = { isTTY: true, write };
      const screen = createScreen({ stdout, stderr: stdout, isInputTerminal: true, noColor: true });
      screen[form]({ name: HOSTILE });
      expect(text).not.toMatch(ACTIVE);
      expect(JSON.parse(text)).toEqual({ name: HOSTILE });
    },
  );
});
