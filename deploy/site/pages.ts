import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What the site has beside the manual. */
export const OTHERS = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'src/plan/SPEC.md',
  'src/acl/plan/SPEC.md',
  'test/README.md',
];

/** A page, or a group of them. */
export interface Item {
  readonly text: string;
  readonly link?: string;
  readonly items?: Item[];
  readonly collapsed?: boolean;
}

/** As GitHub makes the anchor of a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** The links to pages in the lists of a text. */
function linksIn(text: string): Item[] {
  const items = text.split(/\n(?=- )/).filter((block) => block.startsWith('- '));
  return items.flatMap((item) =>
    [...(item.split('\n\n')[0] ?? '').matchAll(/\[([^\]]+)\]\(([^)#]+)\.md\)/g)].map(
      ([, name = '', page]) => {
        const text = name.replaceAll(/\s+/g, ' ');
        return { text: `${text.charAt(0).toUpperCase()}${text.slice(1)}`, link: `/${page}` };
      },
    ),
  );
}

/** The navigation: the headings of the index, and the pages that the lists below them name. */
export function navigation(index: string): Item[] {
  const [, ...sections] = index.split(/^## /m);
  return sections.map((section) => {
    const [head = '', ...parts] = section.split(/^### /m);
    const groups = parts.map((part) => ({
      text: part.split('\n')[0] ?? '',
      collapsed: true,
      items: linksIn(part),
    }));
    return { text: head.split('\n')[0] ?? '', collapsed: false, items: [...linksIn(head), ...groups] };
  });
}

export const index = () => readFileSync(`${ROOT}docs/README.md`, 'utf8');
