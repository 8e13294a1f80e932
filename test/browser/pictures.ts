// Makes a picture of each page of the console, on the demo: npx tsx test/browser/pictures.ts DIRECTORY
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lookAs, settled } from './look.js';
import { openConsole } from './open-console.js';
import { PAGES } from './pages.js';

const [, , folder = 'pictures'] = process.argv;
await mkdir(folder, { recursive: true });
const { page, demo, close } = await openConsole();
try {
  await page.goto(demo.console);
  await settled(page);
  for (const [name, path] of Object.entries(PAGES)) {
    await page.goto(`${demo.scopemesh}${path}`);
    await settled(page);
    for (const width of [1440, 375])
      for (const colorScheme of ['light', 'dark'] as const) {
        await lookAs(page, { width, colorScheme });
        const file = `${name.replaceAll(/\W+/g, '-')}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: join(folder, file) });
      }
  }
} finally {
  await close();
}
