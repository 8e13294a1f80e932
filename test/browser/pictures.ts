// npm run pictures -- DIRECTORY: makes the pictures of the console and of the dashboard in the manual, and docs/story.webp. Needs cwebp and
// img2webp (Debian's package webp). DIRECTORY gets each page with 10 and with 5,000 services, wide and narrow, light and dark, to look at.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { drawDashboard } from './dashboard-picture.js';
import { makeLarge } from './large-shop.js';
import { lookAs, settled } from './look.js';
import { openConsole } from './open-console.js';
import { PAGES } from './pages.js';
import { recordStory } from './story.js';

const MANUAL = fileURLToPath(new URL('../../docs/how-to/console/', import.meta.url));
const DASHBOARD = fileURLToPath(new URL('../../docs/reference/dashboard.webp', import.meta.url));
const STORY = fileURLToPath(new URL('../../docs/story.webp', import.meta.url));
/** Pages that the manual shows: with 10 services by day, with 5,000 by night. */
const SHOWN = new Set([
  ...[
    'now',
    'why a call is refused',
    'services',
    'a service',
    'clients',
    'a client',
    'a map',
    'the whole map',
  ],
  ...['the scopes of the map', 'the matrix of the map', 'what waits', 'what a client reaches', 'the plan'],
  ...['a simulation', 'changes', 'access now, by the log', 'a difference', 'health', 'tokens', 'me'],
]);

const [, , folder = 'pictures'] = process.argv;
for (const each of [folder, MANUAL]) await mkdir(each, { recursive: true });
const open = await openConsole();
const { page, demo } = open;
page.setDefaultTimeout(120_000);
try {
  await page.goto(demo.console);
  await settled(page);
  await recordStory(open, STORY);
  const drawn = join(folder, 'dashboard.png');
  await drawDashboard(open, drawn);
  await toWebp(drawn, DASHBOARD);
  for (const act of [
    ['deny', 'shipping', 'inventory', '--for', '4h'],
    ['quarantine', 'main/assistant'],
    ['grant', 'open', 'reports', 'ledger', '--for', '4h'],
  ])
    await open.command(...act, '--reason', 'incident 7');
  await page.goto(demo.scopemesh);
  await page.locator('.tile.some').filter({ hasText: 'break-glass' }).waitFor();
  await takeAll(10);
  await makeLarge(demo);
  await page.goto(await open.anotherAddress());
  await settled(page);
  await takeAll(5_000);
} finally {
  await open.close();
}

async function takeAll(services: number): Promise<void> {
  for (const [name, path] of Object.entries(PAGES))
    for (const width of [1440, 375])
      for (const colorScheme of ['light', 'dark'] as const) {
        await lookAs(page, { width, colorScheme });
        if (colorScheme === 'light') await page.goto(`${demo.scopemesh}${path}`);
        await settled(page);
        const file = `${name.replaceAll(/\W+/g, '-')}-${services}`;
        const png = join(folder, `${file}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: png });
        if (!SHOWN.has(name) || width !== 1440 || (services === 10) !== (colorScheme === 'light')) continue;
        await toWebp(png, join(MANUAL, `${file}.webp`));
      }
}

async function toWebp(png: string, webp: string): Promise<void> {
  await promisify(execFile)('cwebp', ['-quiet', '-q', '50', '-resize', '1080', '0', png, '-o', webp]);
}
