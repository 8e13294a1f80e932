import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openDemoLog, type Warning } from '../../src/demo/demo-log.js';

const directory = mkdtempSync(join(tmpdir(), 'demo-log-'));
afterEach(() => rmSync(directory, { recursive: true }));

it('the fields of a warning have no character that a terminal obeys or does not show', () => {
  const warnings: Warning[] = [];
  const log = openDemoLog(join(directory, 'log'), 'info', (warning) => warnings.push(warning));
  log.logger.warn({ name: 'pay\u202eorders\u200b' }, 'a name');
  log.close();
  expect(warnings).toEqual([{ message: 'a name', fields: '{"name":"pay\\u202eorders\\u200b"}' }]);
});
