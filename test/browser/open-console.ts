import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { z } from 'zod';
import { installed } from '../stack/installed.js';
import { settled } from './look.js';

const DEMO = z.looseObject({
  scopemesh: z.string(),
  /** Signs in once. */
  console: z.string(),
  config: z.string(),
  idp: z.string(),
  idpManagementToken: z.string(),
  consul: z.string(),
  consulManagementToken: z.string(),
  callers: z.record(z.string(), z.string()),
});
export type DemoLine = z.infer<typeof DEMO>;

/** The built demo, and a browser in which nothing else is open. */
export interface OpenConsole {
  readonly demo: DemoLine;
  readonly browser: Browser;
  readonly page: Page;
  /** What no page may do: requests that leave the origin, reports of the policy, errors. */
  readonly faults: string[];
  /** `GET /api/status` and so on: each request that the page sent to the daemon. */
  readonly requests: Set<string>;
  /** That signs in once more, as `scopemesh console` prints it. */
  anotherAddress(): Promise<string>;
  /** What a command of the built program prints about the demo. */
  command(...args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

const BUILT = fileURLToPath(new URL('../../dist/workers/main.js', import.meta.url));

export async function openConsole(): Promise<OpenConsole> {
  const ports = ['--port', '0', '--consul-port', '0', '--idp-port', '0'];
  const child = spawn(process.execPath, [BUILT, 'demo', '--embedded', '--json', ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(() => Promise.reject(new Error('the demo ended before it was ready'))),
  ]);
  const demo = DEMO.parse(JSON.parse(String(line)));
  const browser = await launchBrowser();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const faults: string[] = [];
  const requests = new Set<string>();
  watchFaults(page, faults);
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol === 'data:') return;
    if (url.origin !== demo.scopemesh) faults.push(`a request leaves the origin: ${url}`);
    else if (url.pathname.startsWith('/api/')) requests.add(`${request.method()} ${url.pathname}`);
  });
  const command = async (...args: readonly string[]) =>
    (await promisify(execFile)(process.execPath, [BUILT, '-c', demo.config, ...args])).stdout;
  return {
    demo,
    browser,
    page,
    faults,
    requests,
    async anotherAddress() {
      return z.object({ url: z.string() }).parse(JSON.parse(await command('console', '--json'))).url;
    },
    command,
    async close() {
      await browser.close();
      child.kill('SIGINT');
      await exited;
    },
  };
}

/** The same, with its page signed in and settled. */
export async function openSignedIn(): Promise<OpenConsole> {
  const open = await openConsole();
  await open.page.goto(open.demo.console);
  await settled(open.page);
  return open;
}

/** Adds each error of the page, and each report of its policy. */
export function watchFaults(page: Page, faults: string[]): void {
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text())) faults.push(message.text());
  });
}

/** Chromium of the system. Nothing of it asks the network for anything on its own. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: await installed('chromium'),
    // Chromium's own sandbox needs a user that is not root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-pings'],
  });
}
