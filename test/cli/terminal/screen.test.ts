import { describe, expect, it } from 'vitest';
import { createScreen } from '../../../src/cli/terminal/screen.js';
import { ACTIVE_CHARACTER, HOSTILE_NAME } from '../../support/hostile-name.js';

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
      screen[form]({ name: HOSTILE_NAME });
      expect(text).not.toMatch(ACTIVE_CHARACTER);
      expect(JSON.parse(text)).toEqual({ name: HOSTILE_NAME });
    },
  );
});
