import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { defineConfig } from 'vitepress';
import { anchorOf, index, navigation, OTHERS, ROOT } from '../pages.js';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** Vite needs its modules above the pages, so it builds a copy of these. */
const pages = join(import.meta.dirname, '../pages');
rmSync(pages, { recursive: true, force: true });
for (const name of ['docs', ...OTHERS])
  cpSync(join(ROOT, name), join(pages, name), {
    recursive: true,
    filter: (path) => /(\/[\w-]+|\.(md|svg|png|webp))$/.test(path) && !path.includes('providers/template'),
  });

/** What pages point to and is no page. The site has it as text, so that it needs no repository beside it. */
const files = new Set<string>();

/** A file; or the files of a folder, one after the other. */
function textOf(path: string): string {
  if (!statSync(path).isDirectory()) return readFileSync(path, 'utf8');
  const names = readdirSync(path).filter((name) => !statSync(join(path, name)).isDirectory());
  return names.map((name) => `==> ${name} <==\n\n${readFileSync(join(path, name), 'utf8')}\n`).join('');
}

/** The address in the site of what a page points to. */
function addressOf(file: string, anchor: string): string {
  if (file.endsWith('.md') && existsSync(join(pages, file))) {
    const renamed = file.replace(/^README\.md$/, 'about.md').replace(/^docs\//, '');
    return `/${renamed.replace(/^README\.md$/, 'index.md')}${anchor}`;
  }
  if (!existsSync(join(ROOT, file))) throw new Error(`a page points to ${file}, which is not there`);
  files.add(file);
  return `/files/${file}.txt`;
}

export default defineConfig({
  title: `scopemesh ${version}`,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  description: 'Keeps the authorisation of a Consul service mesh equal to what OAuth says.',
  lang: 'en',
  srcDir: pages,
  rewrites: { 'README.md': 'about.md', 'docs/README.md': 'index.md', 'docs/:rest*': ':rest*' },
  outDir: process.env.SITE_OUT ?? './dist',
  base: process.env.SITE_BASE ?? '/',
  vite: { build: { chunkSizeWarningLimit: 2000 } },
  markdown: {
    anchor: { slugify: anchorOf },
    config(md) {
      md.core.ruler.push('addresses', ({ tokens, env }) => {
        for (const link of tokens.flatMap(({ children }) => children ?? [])) {
          const [, path, anchor = ''] = /^([^#:]+)(#.*)?$/.exec(link.attrGet('href') ?? '') ?? [];
          if (link.type !== 'link_open' || path === undefined) continue;
          const file = relative(pages, join(dirname(env.realPath ?? env.path), path));
          link.attrSet('href', addressOf(file, anchor));
          if (!path.endsWith('.md')) link.attrSet('target', '_blank');
        }
      });
    },
  },
  buildEnd({ outDir }) {
    for (const file of files) {
      const to = join(outDir, 'files', `${file}.txt`);
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, textOf(join(ROOT, file)));
    }
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Install', link: '/install' },
      { text: 'Tutorial', link: '/tutorial' },
      { text: `Changes in ${version}`, link: '/CHANGELOG' },
    ],
    sidebar: navigation(index()),
  },
});
