import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorOf } from '../../deploy/site/pages.js';
import { OTHER_PAGES, PAGES, ROOT, textOf } from './manual.js';

const LINKS = [...PAGES, ...OTHER_PAGES].flatMap((page) =>
  [...textOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, path = '', anchor]) => ({
    page,
    path,
    anchor,
  })),
);

function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

describe('links between pages', () => {
  it.each(LINKS)('$page leads to $path#$anchor', ({ page, path, anchor }) => {
    const target = path === '' ? page : join(dirname(page), path);
    expect(existsSync(join(ROOT, target))).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(target)).toContain(anchor);
  });

  it('lead from the index to every page', () => {
    const linked = LINKS.filter(({ page }) => page === 'docs/README.md').map(({ path }) => `docs/${path}`);
    const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
    for (const page of pages) expect(linked).toContain(page);
  });
});
