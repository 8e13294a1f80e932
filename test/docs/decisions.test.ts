import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { CLOUD_EVENT } from '../../src/decisions/decision-schema.js';
import { parseCloudEvent, toCloudEvent } from '../../src/decisions/index.js';
import { decision } from '../support/decisions.js';
import { codes, example, ROOT, rows, section } from './manual.js';

const EVENT = 'docs/reference/decision-event.md';
const READ = 'docs/how-to/read-decisions.md';

describe('the pages about decisions', () => {
  it('shows an event that is one', () => {
    const shown: unknown = JSON.parse(example(EVENT, 'decision'));
    expect(toCloudEvent(parseCloudEvent(shown))).toEqual(shown);
  });

  it('names every outcome', () => {
    const named = rows(section(EVENT, 'Outcomes')).map(([first = '']) => codes(first)[0]);
    for (const outcome of Object.values(CLOUD_EVENT.shape.data.shape.outcome.enum))
      expect(named).toContain(outcome);
  });

  it('has a program that prints what is held, from lines of the log', async () => {
    const code = example(READ, 'lines').replace("'scopemesh/decisions'", "'./src/decisions/index.ts'");
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const lines = [
      decision({ revision: 1 }),
      decision({ revision: 2, outcome: 'held', reason: 'ForeignSource', detail: 'in the way' }),
    ].map((each) => JSON.stringify(toCloudEvent(each)));
    child.stdin.end(`${lines.join('\n')}\n`);
    const [status] = await once(child, 'close');
    expect(status).toBe(0);
    expect(Buffer.concat(chunks).toString()).toBe(`ForeignSource ${decision({}).subject} in the way\n`);
  });
});
