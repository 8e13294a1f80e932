import { describe, expect, it } from 'vitest';
import { type Item, index, navigation } from '../../deploy/site/pages.js';
import { PAGES } from './manual.js';

const leaves = (items: readonly Item[]): Item[] =>
  items.flatMap((item) => (item.items === undefined ? [item] : leaves(item.items)));

describe("the site's navigation", () => {
  it('names each page of the manual once', () => {
    const named = leaves(navigation(index())).map(({ link }) => `docs${link}.md`);
    const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
    expect(named.toSorted()).toEqual(pages.toSorted());
  });

  it('has a group for each heading, and none is empty', () => {
    const groups = (items: readonly Item[]): Item[] =>
      items.flatMap((item) => (item.items === undefined ? [] : [item, ...groups(item.items)]));
    for (const { text, items } of groups(navigation(index()))) expect(items, text).not.toEqual([]);
  });
});
