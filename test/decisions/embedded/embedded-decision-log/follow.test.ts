import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../../../src/decisions/embedded/embedded-decision-log.js';
import { silentLogger } from '../../../../src/observe.js';
import { decisions } from '../../../support/decisions.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const inNode = (code: string) => ['--import', 'tsx', '--input-type=module', '-e', code];

describe('the embedded decision log', () => {
  it('is followed by another process while this one appends', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'scopemesh-tail-'));
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
    const written = decisions(60, 4);
    await log.append(written.slice(0, 10));
    const code = `
      const { createEmbeddedDecisionLog } = await import('./src/decisions/embedded/embedded-decision-log.ts');
      const { systemClock } = await import('./src/clock.ts');
      const { silentLogger } = await import('./src/observe.ts');
      const log = createEmbeddedDecisionLog({
        directory: ${JSON.stringify(directory)}, logger: silentLogger, clock: systemClock,
      });
      const options = { from: 'start', follow: true };
      for await (const { id } of log.read(options, new AbortController().signal)) console.log(id);`;
    const child = spawn(process.execPath, inNode(code), { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const seen: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        seen.push(line);
        // The first page shows that it follows; the rest comes one by one while it does.
        if (seen.length === 10) for (const each of written.slice(10)) await log.append([each]);
        if (seen.length === written.length) break;
      }
      expect(seen).toEqual(written.map((each) => each.id));
    } finally {
      child.kill('SIGKILL');
      await log.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
