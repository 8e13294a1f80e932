import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/clock.js';
import { runCurl } from '../demo/demo-process.js';
import { createCommandLine } from '../support/command-line.js';
import { blocks, codes, ROOT, textOf } from './manual.js';

const PAGE = 'README.md';

const READY = z.object({
  scopemesh: z.url(),
  idp: z.url(),
  idpManagementToken: z.string(),
  callers: z.record(z.string(), z.url()),
});

let endDemo: (() => Promise<unknown>) | undefined;
afterEach(() => endDemo?.());

/** The line that the demo prints. It runs in this process, which has loaded most of it. */
function startDemo(): Promise<string> {
  const cli = createCommandLine();
  const stop = new AbortController();
  return new Promise((resolve, reject) => {
    const args = ['demo', '--embedded', '--json', '--port', '0', '--consul-port', '0', '--idp-port', '0'];
    const onOut = (text: string) => text.includes('\n') && resolve(text);
    const running = cli.run(args, { signal: stop.signal, onOut }).finally(() => cli.close());
    running.then(({ err }) => reject(new Error(err)), reject);
    endDemo = () => {
      stop.abort();
      return running;
    };
  });
}

/** Each command of the page's terminal, with the output that follows it. */
const DIALOGUE = blocks(textOf(PAGE), 'console').flatMap((block) =>
  block.split(/^\$ /m).flatMap((part) => {
    const [command = '', ...output] = part.trimEnd().split('\n');
    return command === '' ? [] : [{ command, output: output.join('\n') }];
  }),
);

/** `…` matches anything. */
function toExpression(output: string): RegExp {
  const parts = output.split('…').map((part) => part.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}\\s*$`);
}

describe('the README', () => {
  it('is short', () => {
    expect(textOf(PAGE).trimEnd().split('\n').length).toBeLessThanOrEqual(120);
  });

  it('shows what the demo answers', { timeout: 60_000 }, async () => {
    const { idp, idpManagementToken, callers } = READY.parse(JSON.parse(await startDemo()));
    expect(DIALOGUE.length).toBeGreaterThan(4);
    for (const { command, output } of DIALOGUE) {
      const line = command
        .replace('http://127.0.0.1:9101', callers.web ?? '')
        .replace('http://127.0.0.1:8085', idp)
        .replace('TOKEN', idpManagementToken);
      // A change needs a moment.
      const deadline = AbortSignal.timeout(5_000);
      let { body } = await runCurl(line);
      while (!toExpression(output).test(body) && !deadline.aborted) {
        await systemClock.sleep(20);
        ({ body } = await runCurl(line));
      }
      expect(body, command).toMatch(toExpression(output));
    }
  });

  it('names every command', () => {
    const named = codes(textOf(PAGE).split('The commands are')[1] ?? '');
    const commands = readdirSync(`${ROOT}src/cli/commands`)
      .map((file) => file.replace('.ts', ''))
      .filter((name) => !/^(explain|decisions|webhooks)-/.test(name));
    expect(commands.length).toBeGreaterThan(10);
    for (const name of commands) expect(named).toContain(name);
  });
});
