// Builds dist/console: the files of the page. The bundler of the command line does it. A name has the hash of what is in the file, so that a browser may keep the file for ever.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** Resolves with the IDs of all modules that are inside. */
export async function buildConsole(root) {
  const page = join(root, 'src/console/page');
  const bundle = await rolldown({
    cwd: root,
    platform: 'browser',
    input: { main: join(page, 'main.tsx') },
    tsconfig: false,
    transform: { target: 'es2022', jsx: { runtime: 'automatic', importSource: 'preact' } },
  });
  const { output } = await bundle.generate({
    format: 'esm',
    minify: true,
    entryFileNames: '[name]-[hash].js',
    chunkFileNames: '[name]-[hash].js',
  });
  await bundle.close();

  const files = new Map(output.map((chunk) => [chunk.fileName, chunk.code]));
  const styles = readdirSync(join(page, 'style'))
    .sort()
    .map((name) => readFileSync(join(page, 'style', name), 'utf8'));
  const style = withoutComments(styles.join('\n'));
  const styleName = `style-${createHash('sha256').update(style).digest('base64url').slice(0, 8)}.css`;
  files.set(styleName, style);
  const { fileName } = output.find((chunk) => chunk.isEntry);
  const shell = readFileSync(join(page, 'index.html'), 'utf8');
  files.set('index.html', shell.replace('main.js', fileName).replace('style.css', styleName));

  const folder = join(root, 'dist/console');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  return output.flatMap((chunk) => chunk.moduleIds ?? []);
}

/** Comments and indentation are for readers of the source. */
function withoutComments(css) {
  return css
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\n\s*/g, '\n')
    .trim();
}
