import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parsePage } from '../../../src/identity/oidc/document.js';
import { createFileDirectory } from '../../../src/identity/oidc/file-directory.js';
import { type EventReceiver, startEventReceiver } from '../../embedded/identity-provider/event-receiver.js';

const run = promisify(execFile);
const isInstalled = (command: string) => spawnSync(command, ['--help']).error === undefined;

describe('docs/providers/oidc.md', async () => {
  const text = await readFile(new URL('../../../docs/providers/oidc.md', import.meta.url), 'utf8');
  /** The first fenced block of a language that has these words in it. */
  const block = (language: string, words: string): string => {
    const blocks = text.matchAll(/^```(\w+)\n(.*?)^```$/gms);
    for (const [, name, content] of blocks) {
      if (name === language && content?.includes(words)) return content;
    }
    throw new Error(`no ${language} block with ${words}`);
  };
  let receiver: EventReceiver;
  const environment = () => ({
    ...process.env,
    WEBHOOK_SECRET: receiver.secret.reveal(),
    SCOPEMESH: new URL(receiver.url).origin,
  });

  beforeEach(async () => {
    receiver = await startEventReceiver();
  });
  afterEach(() => receiver.close());

  test('its document is one that scopemesh reads from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scopemesh-oidc-docs-'));
    const path = join(folder, 'clients.json');
    await writeFile(path, block('json', '"people"'));
    const directory = createFileDirectory({ provider: 'main', path });
    const { clients } = await directory.readAll(new AbortController().signal);
    expect(clients[0]?.grants).toHaveLength(2);
    await rm(folder, { recursive: true });
  });

  test('its page of a longer document is one that scopemesh reads from a URL', () => {
    const page = parsePage(JSON.parse(block('json', '"next"')), 'main', 'docs');
    expect(page).toMatchObject({ next: '?page=2', single: true, revision: 812 });
  });

  test('its event sent with Node verifies', async () => {
    const script = block('js', 'createHmac');
    await run(process.execPath, ['--input-type=module', '-e', script], { env: environment() });
    expect(receiver.received.map(({ content }) => content)).toEqual([{ clientId: 'web-app' }]);
  });

  test.skipIf(!['bash', 'openssl', 'curl', 'od'].every(isInstalled))(
    'its event sent with bash and openssl verifies',
    async () => {
      await run('bash', ['-euc', block('sh', 'openssl dgst')], { env: environment() });
      expect(receiver.refused).toEqual([]);
      expect(receiver.received.map(({ content }) => content)).toEqual([{ clientId: 'web-app' }]);
    },
  );
});
