import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { settled } from './look.js';
import type { OpenConsole } from './open-console.js';

const SIZE = { width: 1280, height: 860 };
const TERMINAL = 240;

/** Records a grant and a revocation on the demo as a moving picture: a terminal, and the map of the console below it. */
export async function recordStory({ demo, browser, anotherAddress }: OpenConsole, file: string) {
  const folder = await mkdtemp(join(tmpdir(), 'story-'));
  const context = await browser.newContext({ viewport: { ...SIZE, height: SIZE.height - TERMINAL } });
  const [page, sheet] = [await context.newPage(), await browser.newPage({ viewport: SIZE })];
  const lines: string[] = [];
  const frames: string[] = [];
  const show = async (ms: number) => {
    const map = (await page.screenshot()).toString('base64');
    await sheet.setContent(`<style>
body { margin: 0 } img { display: block; width: ${SIZE.width}px }
pre { box-sizing: border-box; height: ${TERMINAL}px; margin: 0; padding: 14px 18px; background: #1f2430; color: #d8dee9;
  font: 18px/1.5 ui-monospace, 'DejaVu Sans Mono', monospace }
b { color: #98c379 } i { color: #e06c75; font-style: normal; font-weight: bold }
</style><pre>${lines.slice(-8).join('\n')}</pre><img src="data:image/png;base64,${map}">`);
    const path = join(folder, `${frames.length}.png`);
    await sheet.screenshot({ path });
    frames.push('-d', String(ms), path);
  };
  const call = async () => {
    const url = `${demo.callers.web}/shipping/`;
    const { status, statusText } = await fetch(url);
    const tone = status === 200 ? 'b' : 'i';
    lines.push(`$ curl ${url}`, `<${tone}>${status} ${statusText}</${tone}>`);
    return status;
  };
  const scope = async (method: string) => {
    const url = `${demo.idp}/clients/web-app/scopes/shipping:connect`;
    lines.push(`$ curl -X ${method} ${url}`);
    await show(900);
    await fetch(url, { method, headers: { authorization: `Bearer ${demo.idpManagementToken}` } });
  };
  const arrow = page.locator('.arrow').filter({ hasText: 'web to shipping' });
  try {
    await page.goto(await anotherAddress());
    await settled(page);
    await page.goto(`${demo.scopemesh}/map?lens=map`);
    await settled(page);
    await page.locator('.node').filter({ hasText: 'web' }).hover();
    await call();
    await show(1_500);
    await scope('POST');
    await arrow.waitFor();
    await show(1_000);
    while ((await call()) !== 200) lines.splice(-2);
    await show(2_000);
    await scope('DELETE');
    await page.locator('.arrow.going').waitFor();
    await show(1_200);
    await page.locator('.arrow.going').waitFor({ state: 'detached' });
    while ((await call()) === 200) lines.splice(-2);
    await show(3_000);
    await promisify(execFile)('img2webp', [
      '-loop',
      '0',
      '-min_size',
      '-mixed',
      '-q',
      '75',
      ...frames,
      '-o',
      file,
    ]);
  } finally {
    await context.close();
    await sheet.close();
    await rm(folder, { recursive: true });
  }
}
