import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { z } from 'zod';

export interface Look {
  readonly width: number;
  readonly colorScheme: 'light' | 'dark';
}

/** A desk by day and by night, and a phone. */
export const LOOKS = [
  { width: 1440, colorScheme: 'light' },
  { width: 1440, colorScheme: 'dark' },
  { width: 375, colorScheme: 'light' },
] as const satisfies readonly Look[];

export async function lookAs(page: Page, { width, colorScheme }: Look): Promise<void> {
  await page.setViewportSize({ width, height: width < 600 ? 740 : 900 });
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
}

const FOUND = z.object({
  violations: z.array(
    z.object({
      id: z.string(),
      impact: z.string().nullish(),
      nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })),
    }),
  ),
});

/** What a person with a screen reader, a keyboard or weak eyes could not use, as axe sees it. */
export async function faultsOfAccess(page: Page, { colorScheme }: Look): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  // By night nothing but the colours differs.
  const runOnly = colorScheme === 'dark' ? { runOnly: ['color-contrast', 'link-in-text-block'] } : {};
  const options = JSON.stringify({ resultTypes: ['violations'], ...runOnly });
  const { violations } = FOUND.parse(await page.evaluate(`axe.run(${options})`));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
    );
}

/** Resolves once the page shows its answers: no skeleton, nothing dimmed. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').waitFor();
  for (const unfinished of ['.skeleton', '.answer.old'])
    await page.locator(unfinished).first().waitFor({ state: 'detached' });
}

/** How far the page is wider than its window. */
export function overflowOf(page: Page): Promise<number> {
  return page.locator('html').evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
}
