import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/cli/logger.js';
import { ACTIVE_CHARACTER, HOSTILE_NAME } from '../support/hostile-name.js';

describe('a log on a terminal', () => {
  it('shows hostile names without obeying them', async () => {
    const lines: string[] = [];
    const logger = createLogger({
      level: 'info',
      isTerminal: true,
      colour: false,
      destination: { write: (line) => void lines.push(line) },
    });
    logger.warn({ clientId: HOSTILE_NAME, name: HOSTILE_NAME, caller: HOSTILE_NAME }, 'constant');
    await expect.poll(() => lines.join('')).toContain('clientId');
    expect(lines.join('')).toContain('constant');
    expect(lines.join('')).not.toMatch(ACTIVE_CHARACTER);
  });

  it('keeps its colours', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const logger = createLogger({ level: 'info', isTerminal: true, colour: true, destination });
    logger.warn({}, 'constant');
    await expect.poll(() => lines.join('')).toContain('\u001b[33mWARN');
  });
});
